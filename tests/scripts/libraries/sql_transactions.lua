-- sql: a transaction ends when its function does, and always, however that ends. It runs in an empty directory.
local check = require "check"
local equal = check.equal

local db = sql.open("a.db")
db:run("CREATE TABLE t (x)")
local function count() return db:query("SELECT count(*) AS n FROM t")[1].n end

-- the handle as a <close> variable: nothing ends by that
equal(db:transaction(function(t)
  yield()
  do
    local closes <close> = t
  end
  collectgarbage()
  t:run("INSERT INTO t VALUES (1)")
  yield()
  return "done"
end), "done")
equal(count(), 1)

-- a handle that others have, of a function that is given up
local function begun()
  local kept
  local co = coroutine.create(function()
    db:transaction(function(t)
      kept = t
      t:run("DELETE FROM t")
      coroutine.yield()
    end)
  end)
  assert(coroutine.resume(co))
  return co, kept
end
local co, kept = begun()
equal(kept:query("SELECT count(*) AS n FROM t")[1].n, 0)
co = nil
collectgarbage()
equal(count(), 1)
check.fails_with("sql.query: a.db: the transaction has ended", kept.query, kept, "SELECT 1")

-- one that is closed, while a call within it is under way
co, kept = begun()
local long = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT sum(n) FROM c"
local call = spawn(kept.query, kept, long)
yield()
assert(coroutine.close(co))
co = nil
collectgarbage()
local after = spawn(count)
yield()
call:cancel()
check.fails_with(cancelled, await, call)
equal(await(after), 1)

-- where its end cannot be awaited, it is rolled back
for _, ends in ipairs { function() end, function() error("no", 0) end } do
  co = coroutine.create(function()
    db:transaction(function(t)
      t:run("DELETE FROM t")
      coroutine.yield()
      ends()
    end)
  end)
  assert(coroutine.resume(co))
  local resumed, problem
  string.gsub("a", "a", function() resumed, problem = coroutine.resume(co) end)
  assert(not resumed and problem:find("cannot wait here"), problem)
  equal(count(), 1)
  equal(db:transaction(function(t) return t:run("UPDATE t SET x = 2") end), 1)
end

-- who is cancelled while a commit waits for others' locks is rolled back, however patient the database is
local patient <close> = sql.open("locked.db", { timeout = 86400 })
patient:run("CREATE TABLE t (x)")
local reader <close> = sql.open("locked.db")
reader:run("BEGIN")
reader:query("SELECT * FROM t")
local wrote = event()
call = spawn(patient.transaction, patient, function(t)
  t:run("INSERT INTO t VALUES (1)")
  wrote:set()
end)
wrote:wait()
sleep(0.02)
call:cancel()
check.fails_with(cancelled, await, call)
equal(#timeout(30, patient.query, patient, "SELECT * FROM t"), 0)
reader:run("COMMIT")
equal(patient:transaction(function(t) return t:run("INSERT INTO t VALUES (1)") end), 1)
