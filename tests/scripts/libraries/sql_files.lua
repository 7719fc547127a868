-- sql: what others do with a database's files, and what lies where SQLite expects one. It runs in an empty directory.
local check = require "check"
local equal, fails_with = check.equal, check.fails_with

local folder = exec { "pwd" }.stdout:sub(1, -2)
local function pipe(path) equal(exec { "mkfifo", path }.status, 0) end
local function make(path)
  local db <close> = sql.open(path)
  db:run("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
  db:close()
end

-- the file is read meanwhile, as any other; and closing it takes no lock away
make("a.db")
local inode = exec { "stat", "-c", "%i", "a.db" }.stdout:match("%d+")
local function locks() -- an entry is listed twice if other processes take locks while the list is read
  local count, seen = 0, {}
  for entry in fs.read("/proc/locks"):gmatch("%d+: ([^\n]*:" .. inode .. " [^\n]*)") do
    count = count + (seen[entry] and 0 or 1)
    seen[entry] = true
  end
  return count
end
local next_line, _, _, closes = fs.lines("a.db")
next_line()
local db = sql.open("a.db")
local reader = sql.open("a.db", { timeout = 0.01 })
db:transaction(function(t)
  t:run("INSERT INTO t VALUES (2)")
  local held = locks()
  assert(held > 0)
  do
    local file <close> = closes
  end
  assert(#fs.read("a.db") > 0)
  sql.open("a.db"):close()
  equal(locks(), held)
  equal(#reader:query("SELECT * FROM t"), 1)
  check.fails("the database is locked", reader.run, reader, "INSERT INTO t VALUES (3)")
end)
equal(#reader:query("SELECT * FROM t"), 2)
equal(locks(), 0)
db:close()
reader:close()

-- pipes
make("b.db")
pipe("b.db-journal")
db = sql.open("b.db")
fails_with("sql.query: b.db: unable to open database file", db.query, db, "SELECT * FROM t")
fs.remove("b.db-journal")
equal(#db:query("SELECT * FROM t"), 1)
pipe("pipe")
fails_with("sql.open: pipe: is not a file", sql.open, "pipe")
check.fails("unable to open database", db.run, db, "ATTACH '" .. folder .. "/pipe' AS pipe")
check.fails("unable to open database", db.run, db, "ATTACH '/dev/zero' AS zero")
db:close()
make("c.db")
pipe("c.db-wal")
db = sql.open("c.db")
fails_with("sql.query: c.db: unable to open database file", db.query, db, "SELECT * FROM t")
db:close()

-- a database in WAL mode
make("w.db")
local data = fs.read("w.db")
fs.write("w.db", data:sub(1, 18) .. "\2\2" .. data:sub(21))
db = sql.open("w.db")
fails_with("sql.query: w.db: it is in WAL mode, which shares memory with other processes (PRAGMA locking_mode = EXCLUSIVE "
  .. "goes without; PRAGMA journal_mode = DELETE then ends the mode)", db.query, db, "SELECT * FROM t")
db:run("PRAGMA locking_mode = EXCLUSIVE; INSERT INTO t VALUES (2)")
equal(#db:query("SELECT * FROM t"), 2)
equal(db:query("PRAGMA journal_mode")[1].journal_mode, "wal")
assert(not fs.exists("w.db-shm"))
equal(db:query("PRAGMA journal_mode = DELETE")[1].journal_mode, "delete")
db:close()
db = sql.open("w.db")
equal(#db:query("SELECT * FROM t"), 2)
db:close()
