-- options: --memory 268435456
-- sql: many values, and large ones.
local check = require "check"
local equal = check.equal

local db = sql.open(":memory:")
local function one(text, ...) return db:query("SELECT " .. text .. " AS x", ...)[1].x end

-- what is too much is refused, without going through it all
local many = {}
for i = 1, 100000 do many[i] = i end
check.fails("more than 32766 values", db.query, db, "SELECT 1", many)
many.name = 1
check.fails("more than 32766 values", db.query, db, "SELECT 1", many)
many = {}
for i = 1, 100000 do many["a" .. i] = i end
check.fails("more than 1000 named values", db.query, db, "SELECT 1", many)
many = nil
check.fails("a table of values is a list, or has names alone", db.query, db, "SELECT ?", { "a", name = 1 })

-- large ones, in each way, come as they are
local large = ("0123456789abcdef"):rep(200000) .. "end"
local blob = sql.blob(large:reverse())
equal(one("?", large), large)
equal(one("?2", large, blob), large:reverse())
equal(one("?", { large }), large)
equal(one(":a", { a = large }), large)
equal(one("typeof(:a) || length(:a) || :b", { a = blob, b = "c" }), "blob" .. #large .. "c")
equal(one("? || length(?) || ?", "a", large, "b"), "a" .. #large .. "b")
local first = {}
for i = 1, 32766 do first[i] = i % 2 == 0 and ("%d"):format(i) or i end
local marks = ("?,"):rep(#first):sub(1, -2)
equal(one("'32766' IN (" .. marks .. ")", first), 1)
