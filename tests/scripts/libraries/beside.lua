-- options: --memory 8388608
-- What the libraries copy of their arguments, and what each wait needs, counts for the script's memory, and is given back.
local check = require "check"
local fails_with, fails, equal = check.fails_with, check.fails, check.equal

-- n tasks call f, and are cancelled: how many failed before that, all of them as expected
local function failures(expected, n, f)
  local tasks, failed = {}, 0
  for i = 1, n do tasks[i] = spawn(f) end
  yield()
  yield()
  for _, task in ipairs(tasks) do task:cancel() end
  for _, task in ipairs(wait(tasks)) do
    if not task:cancelled() and task:error() then
      failed = failed + 1
      fails_with(expected, task.result, task)
    end
  end
  return failed
end

-- f(...), as soon as there is room for it again: what was cancelled ends aside
local function succeeds(f, ...)
  local ok, result
  repeat
    ok, result = pcall(f, ...)
    sleep(0.001)
  until ok
  return result
end

-- what is too long for the system is not copied at all
local long = ("a"):rep(4096)
fails_with("fs.exists: the path is longer than 4095 bytes", fs.exists, long)
fails_with("fs.rename: the path is longer than 4095 bytes", fs.rename, "a", long)
fails_with("fs.lines: the path is longer than 4095 bytes", fs.lines, long)
fails_with("sql.open: the path is longer than 4095 bytes", sql.open, long)
fails_with("exec: the path is longer than 4095 bytes", exec, { "true", cwd = long })
equal(fs.exists("/" .. ("a/"):rep(2047)), false)
long = (" "):rep(1 << 17)
fails_with("exec: the line is longer than 131071 bytes", exec, long)
fails_with("os.execute: the line is longer than 131071 bytes", os.execute, long)
fails_with("io.popen: the line is longer than 131071 bytes", io.popen, long)
equal(exec("true" .. (" "):rep((1 << 17) - 5)).status, 0)
fails("a host's name is not so long", tcp.connect, long, 80)

-- words and environment
local words = { "true" }
for i = 2, 11 do words[i] = ("x"):rep(100000) end
local function run() return exec(words).status end
local none = "exec: the command: more than the script's memory limit of 8.0 MiB has room for"
local refused = failures(none, 20, run)
assert(refused >= 12, refused)
succeeds(run)
words = { "true", env = {} }
for i = 2, 11 do words.env["A" .. i] = ("x"):rep(100000) end
refused = failures(none, 20, run)
assert(refused >= 12, refused)
equal(succeeds(run), 0)

-- statements
local db <close> = sql.open(":memory:")
local statement = "SELECT 1 --" .. ("x"):rep(1 << 20)
refused = failures("sql.query: more than the script's memory limit of 8.0 MiB has room for", 20,
  function() return db:query(statement) end)
assert(refused >= 12, refused)
local nothing = { n = 32766 } -- values take room, whatever they are
refused = failures("sql.query: more than the script's memory limit of 8.0 MiB has room for", 20,
  function() return db:query("SELECT 1", nothing) end)
assert(refused >= 12, refused)
equal(#succeeds(db.query, db, statement), 1)

-- requests
local deaf <close> = tcp.listen(0)
local url, body = "http://127.0.0.1:" .. deaf.port .. "/", ("x"):rep(1 << 20)
local function post() return http.post(url, body) end
local too_large = "http.post: " .. url .. ": the requests under way are larger than the script's memory allows"
for _ = 1, 3 do
  repeat -- what was cancelled is given back by and by
    refused = failures(too_large, 20, post)
    sleep(0.001)
  until refused < 20
  assert(refused >= 12, refused)
end

-- waits, whatever for
for _ = 1, 3 do
  local reader <close> = succeeds(io.popen, "exec sleep 100")
  refused = failures("io.popen: more is under way than the script's memory limit of 8.0 MiB has room for", 2000,
    function() return reader:read() end)
  assert(refused > 300 and refused < 1000, refused)
end
