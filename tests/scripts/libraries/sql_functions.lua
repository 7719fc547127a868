-- options: --memory 268435456
-- sql: SQL's functions that were written anew, and those that are not for scripts; none keeps a query from its end.
local check = require "check"
local equal = check.equal

local db = sql.open(":memory:")
local function one(text, ...) return db:query("SELECT " .. text .. " AS x", ...)[1].x end

-- the same as SQLite's
for text, expected in pairs {
  ["instr('hello', 'l')"] = 3,
  ["instr('hello', 'x')"] = 0,
  ["instr('hello', '')"] = 1,
  ["instr('', 'x')"] = 0,
  ["instr('', '')"] = 1,
  ["instr('äöü', 'ü')"] = 3,
  ["instr(CAST('äöü' AS BLOB), CAST('ü' AS BLOB))"] = 5,
  ["instr(CAST('äöü' AS BLOB), 'ü')"] = 3,
  ["instr(12345, 34)"] = 3,
  ["instr(NULL, 'x') IS NULL AND instr('x', NULL) IS NULL"] = 1,
  ["typeof(instr(x'00', zeroblob(0)))"] = "integer",
  ["replace('banana', 'an', '<>')"] = "b<><>a",
  ["replace('banana', 'a', '')"] = "bnn",
  ["replace('aaa', 'a', '')"] = "",
  ["replace('banana', 'x', 'y')"] = "banana",
  ["replace('banana', '', 'y')"] = "banana",
  ["replace('', 'a', 'y')"] = "",
  ["replace('aaaa', 'aa', 'a')"] = "aa",
  ["replace(121, 1, 3)"] = "323",
  ["replace(NULL, 'a', 'b') IS NULL AND replace('a', NULL, 'b') IS NULL AND replace('a', 'a', NULL) IS NULL"] = 1,
  ["trim('  a b  ')"] = "a b",
  ["ltrim('  a b  ')"] = "a b  ",
  ["rtrim('  a b  ')"] = "  a b",
  ["trim('xyaxbyx', 'yx')"] = "axb",
  ["ltrim('xyaxbyx', 'yx')"] = "axbyx",
  ["rtrim('xyaxbyx', 'yx')"] = "xyaxb",
  ["trim('äöaöä', 'öä')"] = "a",
  ["trim('ä', 'ö')"] = "ä",
  ["trim('aaa', 'a')"] = "",
  ["trim('', 'a')"] = "",
  ["trim(' a', '')"] = " a",
  ["trim(121, 1)"] = "2",
  ["trim(NULL) IS NULL AND trim('a', NULL) IS NULL"] = 1,
  ["'abc' LIKE 'A%' AND 'abc' GLOB 'a*'"] = 1,
} do
  local got = one(text)
  assert(got == expected, ("%s: %s"):format(text, got))
end
equal(one("replace(?, ?, ?)", "a\0b\0c", "b", "xx"), "a\0xx\0c")
equal(one("replace(?, ?, ?)", ("ab"):rep(10000), "b", "cc"), ("acc"):rep(10000))
equal(one("instr(?, ?)", ("a"):rep(100000) .. "b", ("a"):rep(300) .. "b"), 99701)
-- they may stand in a schema
db:run("CREATE TABLE t (x CHECK (trim(x) = x), y AS (replace(x, 'a', 'b')))")
db:run("CREATE INDEX i ON t (instr(x, 'a'))")
db:run("INSERT INTO t VALUES ('banana')")
equal(db:query("SELECT y FROM t WHERE instr(x, 'a') = 2")[1].y, "bbnbnb")

-- soon over, or soon ended
local a, b, half = ("a"):rep(8000000), ("b"):rep(1000000), ("a"):rep(4000000)
equal(one("instr(?, ?)", a, half .. "b"), 0)
equal(one("length(replace(?, ?, 'x'))", a, half .. "b"), #a)
equal(one("length(replace(?, 'a', ''))", ("a"):rep(100000)), 0)
check.fails_with(timed_out, timeout, 0.05, one, "length(trim(?, ?))", a, b .. "a")
check.fails_with(timed_out, timeout, 0.05, one, "length(rtrim(?, ?))", a, b .. "a")
equal(one("? LIKE ?", a, "%" .. ("a"):rep(90) .. "b"), 0)
check.fails("LIKE or GLOB pattern too complex", one, "? LIKE ?", "a", "%" .. ("a"):rep(100) .. "b")
check.fails("a value, or a row, of more than 16 MiB", one, "replace(?, ?, ?)", a, half, a .. b)
check.fails("a value, or a row, of more than 16 MiB", one, "length(?)", a .. a .. b)
check.fails("a value, or a row, of more than 16 MiB", one, "zeroblob(17000000)")

-- what is not for scripts
local function forbids(why, ...) check.fails_with("sql.query: :memory:: this is not for scripts: " .. why, one, ...) end
forbids("json_patch of large values cannot be ended (json.decode makes tables of them)", "json_patch('{}', '{}')")
forbids("fts3_tokenizer takes addresses in memory", "fts3_tokenizer('simple')")
forbids("fts3_tokenizer takes addresses in memory", "fts3_tokenizer('mine', ?)", sql.blob("AAAAAAAA"))
equal(one([[json_extract('{"a": 1}', '$.a')]]), 1)
