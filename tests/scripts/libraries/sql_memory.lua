-- options: --memory 16777216
-- sql: neither results nor databases get around the script's memory limit.
local check = require "check"
local many = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) SELECT n, 'some text' AS t FROM c"

local db = sql.open("a.db")
local room = ": a.db: more than the script's memory limit of 16.0 MiB has room for"
check.fails_with("sql.query" .. room, db.query, db, many:format(10000000))
check.fails_with("sql.query" .. room, db.query, db, "SELECT zeroblob(100000000) AS x")
check.fails_with("sql.query" .. room, db.query, db, "SELECT zeroblob(10000000) AS x UNION ALL SELECT zeroblob(10000001)")
check.equal(#db:query(many:format(30000)), 30000)
check.equal(#db:query("SELECT zeroblob(3000000) AS x")[1].x, 3000000)
local big = ("x"):rep(1000000)
db:run("CREATE TABLE t (x)")
for _ = 1, 40 do db:run("INSERT INTO t VALUES (?)", big) end -- a file may be large
check.equal(db:query("SELECT sum(length(x)) AS n FROM t")[1].n, 40000000)
collectgarbage()

-- a database in memory has a quarter of it
local memory = sql.open(":memory:")
memory:run("CREATE TABLE t (x)")
check.fails_with(
  "sql.run: :memory:: a database in memory may have 4 MiB, a quarter of the script's memory limit", function()
    for _ = 1, 10 do memory:run("INSERT INTO t VALUES (?)", big) end
  end)
assert(#memory:query("SELECT 1 FROM t") >= 3)
check.fails("this is not for scripts", memory.run, memory, "PRAGMA max_page_count = 1000000")
check.fails("this is not for scripts", memory.run, memory, "PRAGMA page_size = 65536")
local more = { memory }
check.fails_with("sql.open: :memory:: more than the script's memory limit of 16.0 MiB has room for", function()
  for _ = 1, 4 do more[#more + 1] = sql.open(":memory:") end
end)
assert(#more >= 3)
for _, each in ipairs(more) do each:close() end
sql.open(":memory:"):close()
local open = {}
check.fails("memory limit", function()
  for i = 1, 100 do open[i] = sql.open("a.db") end
end)
assert(#open > 20)
