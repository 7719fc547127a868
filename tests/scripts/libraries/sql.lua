-- sql: databases. It runs in an empty directory.
local check = require "check"
local fails_with, fails, equal, same = check.fails_with, check.fails, check.equal, check.same

local db = sql.open("a.db")
equal(tostring(db), "database: a.db")
equal(db:run("CREATE TABLE t (id INTEGER PRIMARY KEY, v)"), 0)

-- values there and back
local function back(value)
  db:run("DELETE FROM t")
  db:run("INSERT INTO t VALUES (1, ?)", value)
  local rows = db:query("SELECT v, typeof(v) AS type FROM t")
  return rows[1].v, rows[1].type
end
local function comes_back(value, type)
  local v, t = back(value)
  assert(v == value and math.type(v) == math.type(value) and t == type, tostring(v) .. " " .. t)
end
comes_back(42, "integer")
comes_back(math.maxinteger, "integer")
comes_back(math.mininteger, "integer")
comes_back(1.5, "real")
comes_back(3.0, "real")
comes_back(1 / 0, "real")
comes_back("", "text")
comes_back("héllo", "text")
comes_back("a\0b", "text")
comes_back(nil, "null")
local v, t = back(sql.null)
assert(v == nil and t == "null")
v, t = back(json.null)
assert(v == nil and t == "null")
v, t = back(sql.blob("\0\xff\1"))
assert(v == "\0\xff\1" and t == "blob")
equal(tostring(sql.blob("x")), "x")
v, t = back(true)
assert(v == 1 and t == "integer")

-- rows, columns, changes
db:run("DELETE FROM t")
local changes, rowid = db:run("INSERT INTO t (v) VALUES ('a'), ('b'), ('c')")
assert(changes == 3 and rowid == 3)
local rows, columns = db:query("SELECT id, v FROM t ORDER BY id DESC")
assert(same(rows, { { id = 3, v = "c" }, { id = 2, v = "b" }, { id = 1, v = "a" } }))
assert(same(columns, { "id", "v" }))
rows, columns = db:query("SELECT id FROM t WHERE id > 9")
assert(#rows == 0 and same(columns, { "id" }))
equal(db:run("UPDATE t SET v = v || '!' WHERE id < ?", 3), 2)
equal(db:query("INSERT INTO t (v) VALUES ('d') RETURNING id")[1].id, 4)
equal(#db:query("CREATE TABLE u (x)"), 0)

-- parameters
local function one(...) return db:query(...)[1].x end
equal(one("SELECT ? || ? AS x", "a", "b"), "ab")
equal(one("SELECT ?2 || ?1 AS x", "a", "b"), "ba")
equal(one("SELECT ? || ? AS x", { "a", "b" }), "ab")
equal(one("SELECT coalesce(?, 'none') || ? AS x", { n = 2, nil, "b" }), "noneb")
equal(one("SELECT :a || @b || $c || :a AS x", { a = 1, b = 2, c = 3 }), "1231")
equal(one("SELECT coalesce(:a, 'null') AS x", { a = sql.null }), "null")
equal(one("SELECT 1 AS x", {}), 1)
local function refuses(why, ...) fails_with("sql.query: a.db: " .. why, db.query, db, ...) end
refuses("the statement takes 1 value, and 0 were given", "SELECT ?")
refuses("the statement takes 0 values, and 1 was given", "SELECT 1", nil)
refuses("there is no value for :b (sql.null stands for NULL)", "SELECT :a, :b", { a = 1 })
refuses("the statement has no :c", "SELECT :a", { a = 1, c = 2 })
refuses("there is no value for ? (sql.null stands for NULL)", "SELECT ?", { a = 1 })
refuses("a table cannot be a value (json.encode makes a text of a table)", "SELECT ?, ?", 1, {})
refuses("a function cannot be a value (json.encode makes a text of a table)", "SELECT ?", print)
refuses("a table of values is a list, or has names alone", "SELECT ?", { a = 1, 2 })

-- errors
refuses("no such table: missing", "SELECT * FROM missing")
refuses("near \"SELEC\": syntax error", "SELEC 1")
refuses("there is no statement", "")
refuses("there is no statement", " -- nothing")
refuses("more than one statement (db:run takes several)", "SELECT 1; SELECT 2")
equal(#db:query("SELECT 1; -- and no more"), 1)
fails_with("sql.run: a.db: UNIQUE constraint failed: t.id", db.run, db, "INSERT INTO t VALUES (1, 1)")
fails_with("sql.run: a.db: more than one statement, and values (give each its own)", db.run, db,
  "DELETE FROM t WHERE id = ?; DELETE FROM u", 99)
fails("the string has a zero byte in it", db.query, db, "SELECT 1\0")
fails("database expected, got table", db.query, {}, "SELECT 1")
fails_with("sql.open: no/way.db: No such file or directory", sql.open, "no/way.db")
fails_with("sql.open: .: is not a file", sql.open, ".")
fails_with("sql.open: none.db: No such file or directory", sql.open, "none.db", { readonly = true })
fails_with("sql.open: time: there is no such option (there are: timeout, readonly)", sql.open, "x", { time = 1 })
fails_with("sql.open: timeout: -1 is not within 0 and 86400", sql.open, "x", { timeout = -1 })
fs.write("text", ("no database"):rep(100))
local text = sql.open("text")
fails_with("sql.query: text: file is not a database", text.query, text, "SELECT * FROM t")
text:close()
local read_only = sql.open("a.db", { readonly = true })
equal(#read_only:query("SELECT * FROM t"), 4)
fails_with("sql.run: a.db: attempt to write a readonly database", read_only.run, read_only, "DELETE FROM t")
read_only:close()
sql.open("file:x?mode=memory"):close()
assert(fs.exists("file:x?mode=memory"))

-- several statements, and those before the one that fails
equal(db:run("DELETE FROM t; INSERT INTO t (v) VALUES (1); INSERT INTO t (v) VALUES (2);"), 6)
fails("syntax error", db.run, db, "INSERT INTO t (v) VALUES (3); INSRT")
equal(one("SELECT count(*) AS x FROM t"), 3)

-- what is not for scripts
local function forbids(why, ...) fails_with("sql.run: a.db: this is not for scripts: " .. why, db.run, db, ...) end
forbids("holds for the whole process", "PRAGMA hard_heap_limit = 1")
forbids("a file that shrinks would end the process", "PRAGMA mmap_size = 100000000")
forbids("follows from the script's memory limit", "PRAGMA cache_size = -1000000")
forbids("ATTACH takes a whole path, from / on, as a literal", "ATTACH 'b.db' AS b")
forbids("ATTACH takes a whole path, from / on, as a literal", "ATTACH ':memory:' AS b")
forbids("ATTACH takes a whole path, from / on, as a literal", "ATTACH ? AS b", "/tmp/x")
fails("not authorized", db.query, db, "SELECT load_extension('x')")
db:query("PRAGMA journal_mode")
db:run("VACUUM")

forbids("WAL shares memory with other processes, and a file that shrinks would end this one", "PRAGMA journal_mode = WAL")
local directory = exec { "pwd" }.stdout:sub(1, -2)
sql.open("b.db"):run("CREATE TABLE x (y)")
db:run("ATTACH '" .. directory .. "/b.db' AS b")
db:run("INSERT INTO b.x VALUES (1)")
db:close()
db:close()
fails_with("sql.query: the database is closed", db.query, db, "SELECT 1")
assert(#fs.read("a.db") > 0 and #fs.read("b.db") > 0)
do
  local closes <close> = sql.open("a.db")
  equal(#closes:query("SELECT 1"), 1)
end

-- a long query beside a task that ticks
db = sql.open("a.db")
local long = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) SELECT sum(n) AS x FROM c"
local ticks, _, sum = check.ticking(one, long:format(3000000))
assert(sum == 3000000 * 3000001 // 2 and ticks > 3, ticks)

-- calls of several tasks come in order
db:run("CREATE TABLE log (n INTEGER PRIMARY KEY, task)")
local tasks = {}
for i = 1, 50 do
  tasks[i] = spawn(db.run, db, "INSERT INTO log (task) VALUES (?)", i)
end
gather(tasks)
for i, row in ipairs(db:query("SELECT task FROM log ORDER BY n")) do equal(row.task, i) end

-- cancelled in the middle
local began = now()
fails_with(timed_out, timeout, 0.05, db.query, db, long:format(10000000000))
equal(one("SELECT 7 AS x"), 7) -- soon again for others
assert(now() - began < 2)
for _ = 1, 20 do
  local task = spawn(db.run, db, "INSERT INTO log (task) VALUES (0)")
  for _ = 1, math.random(0, 10) do sleep(0) end
  task:cancel()
  pcall(await, task)
end
local waiting = spawn(db.query, db, long:format(10000000000))
local behind = spawn(db.query, db, "SELECT 1")
sleep(0.01)
behind:cancel()
fails_with(cancelled, await, behind)
waiting:cancel()
fails_with(cancelled, await, waiting)

-- locked by another
local other = sql.open("a.db", { timeout = 0.1 })
db:run("BEGIN IMMEDIATE")
began = now()
fails_with("sql.run: a.db: the database is locked, and was for too long (sql.open's option timeout)", other.run, other,
  "INSERT INTO log (task) VALUES (1)")
assert(now() - began >= 0.1)
local patient = sql.open("a.db")
local writer = spawn(patient.run, patient, "INSERT INTO log (task) VALUES ('patient')")
sleep(0.05)
assert(not writer:done())
db:run("COMMIT")
equal(await(writer), 1)
-- more who wait than the pool has threads, and who they wait for goes on
db:run("BEGIN IMMEDIATE")
local crowd = {}
for i = 1, 10 do
  local each = sql.open("a.db")
  crowd[i] = spawn(each.run, each, "INSERT INTO log (task) VALUES ('crowd')")
end
sleep(0.02)
db:run("COMMIT")
gather(crowd)
equal(one("SELECT count(*) AS x FROM log WHERE task = 'crowd'"), 10)
crowd = nil
collectgarbage()

-- transactions
db:run("DELETE FROM log")
local function count() return one("SELECT count(*) AS x FROM log") end
local a, b, c = db:transaction(function(within, x, y)
  within:run("INSERT INTO log (task) VALUES (?)", x)
  sleep(0.001)
  within:run("INSERT INTO log (task) VALUES (?)", y)
  return within:query("SELECT count(*) AS x FROM log")[1].x, nil, "z"
end, "x", "y")
assert(a == 2 and b == nil and c == "z" and count() == 2)
local problem = { "a problem" }
fails_with(problem, db.transaction, db, function(within)
  within:run("DELETE FROM log")
  error(problem)
end)
equal(count(), 2)
-- others wait for its end
local order = {}
local inside = spawn(db.transaction, db, function(within)
  within:run("INSERT INTO log (task) VALUES ('inside')")
  sleep(0.03)
  order[#order + 1] = "inside"
  error("no")
end)
sleep(0)
local outside = spawn(function()
  db:run("INSERT INTO log (task) VALUES ('outside')")
  order[#order + 1] = "outside"
end)
fails("no", await, inside)
await(outside)
assert(same(order, { "inside", "outside" }))
equal(db:query("SELECT task FROM log ORDER BY n DESC LIMIT 1")[1].task, "outside")
equal(count(), 3)
-- and what is spawned within lines up within
db:transaction(function(within)
  local all = {}
  for i = 1, 20 do
    all[i] = function() return within:run("INSERT INTO log (task) VALUES (?)", "within " .. i) end
  end
  gather(all)
end)
equal(count(), 23)
-- cancelled: rolled back, and the database is free again
local task = spawn(db.transaction, db, function(within)
  within:run("DELETE FROM log")
  sleep(100)
end)
sleep(0.01)
task:cancel()
fails_with(cancelled, await, task)
equal(count(), 23)
for _ = 1, 40 do
  task = spawn(db.transaction, db, function(within)
    within:run("DELETE FROM log")
    sleep(0)
    within:query("SELECT 1")
    error("never")
  end)
  for _ = 1, math.random(0, 30) do sleep(0.0001) end
  task:cancel()
  pcall(await, task)
  equal(count(), 23)
end
fails_with(timed_out, timeout, 0.01, db.transaction, db, function(within) within:query(long:format(10000000000)) end)
equal(count(), 23)
-- one that nobody will end
local lost = coroutine.wrap(function()
  db:transaction(function(within)
    within:run("DELETE FROM log")
    coroutine.yield()
  end)
end)
lost()
lost = nil
sleep(0)
while true do
  collectgarbage()
  local ok, n = pcall(timeout, 0.1, count)
  if ok then
    equal(n, 23)
    break
  end
end
-- what cannot be
local kept
db:transaction(function(within)
  kept = within
  fails("this waits for the end of the transaction that it is in (use the handle", db.query, db, "SELECT 1")
  fails("a transaction is under way, and they do not nest", within.transaction, within, print)
  fails("this waits for the end of the transaction that it is in", db.transaction, db, print)
  fails("a transaction ends when its function does", within.close, within)
end)
fails_with("sql.query: a.db: the transaction has ended", kept.query, kept, "SELECT 1")
fails("attempt to call a nil value", function() db:transaction(nil) end)
fails("attempt to call a number value", db.transaction, db, 1)
equal(count(), 23)
fails_with("sql.transaction: a.db: FOREIGN KEY constraint failed", function()
  db:run("PRAGMA foreign_keys = ON")
  db:run("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE q (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
  db:transaction(function(within) within:run("INSERT INTO q VALUES (1)") end)
end)
equal(#db:query("SELECT * FROM q"), 0)
db:run("BEGIN")
fails("cannot start a transaction within a transaction", db.transaction, db, print)
db:run("ROLLBACK")

-- many at once, each its own
local jobs = {}
for i = 1, 20 do
  jobs[i] = function()
    local mine = sql.open("many" .. i .. ".db")
    mine:run("CREATE TABLE t (x)")
    mine:transaction(function(within)
      for j = 1, 20 do within:run("INSERT INTO t VALUES (?)", j) end
    end)
    local n = mine:query("SELECT count(*) AS n FROM t")[1].n
    mine:close()
    return n
  end
end
for _, n in ipairs(gather(jobs)) do equal(n, 20) end

-- names are few
local values, names = {}, {}
for i = 1, 1001 do values["a" .. i], names[i] = i, ":a" .. i end
fails_with("sql.query: a.db: more than 1000 named values", db.query, db, "SELECT 1 WHERE 0 IN (" .. table.concat(names, ",") .. ")", values)

-- what is under way when the script ends
spawn(db.query, db, long:format(10000000000))
spawn(db.transaction, db, function() sleep(100) end)
sleep(0.01)
