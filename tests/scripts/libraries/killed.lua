-- options: --cpu 0.6
-- status: 1
-- A script that is killed while all kinds of things are under way ends, and so do they.
fs.write("lines", ("line\n"):rep(100000))
local db = sql.open("a.db")
local long = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
db:run("CREATE TABLE t (x)")
sql.open(":memory:"):run("CREATE TABLE t (x)")
local reading = io.popen("echo started; trap '' TERM; sleep 100.5; sleep 100.5")
assert(reading:read() == "started")
spawn(exec, { "sleep", "100.5" })
spawn(exec, "trap '' TERM; sleep 100.5; sleep 100.5")
spawn(os.execute, "while :; do echo; sleep 0.01; done")
spawn(reading.read, reading)
spawn(reading.read, reading)
spawn(function()
  for _ in fs.lines("lines") do yield() end
end)
spawn(db.transaction, db, function(within)
  within:run("INSERT INTO t VALUES (1)")
  spawn(within.query, within, long)
  within:query(long)
end)
spawn(db.query, db, long)
local other = sql.open("a.db")
spawn(other.run, other, "INSERT INTO t VALUES (1)") -- waits for the lock
for i = 1, 10 do spawn(fs.write, "f" .. i, ("x"):rep(1000000)) end
sleep(0.2)
while true do end
