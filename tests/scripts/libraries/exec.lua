-- exec: commands, their streams, their ends.
local check = require "check"
local fails_with, fails, equal = check.fails_with, check.fails, check.equal

-- results
local r = exec { "echo", "hello", "world" }
assert(r.status == 0 and r.signal == nil and r.stdout == "hello world\n" and r.stderr == "")
r = exec("echo out; echo err >&2; exit 3")
assert(r.status == 3 and r.stdout == "out\n" and r.stderr == "err\n")
r = exec("kill -9 $$")
assert(r.status == 137 and r.signal == 9)
equal(exec { "printf", "%s|", "", "a b", "$HOME", 42, 1.5 }.stdout, "|a b|$HOME|42|1.5|")
equal(exec { "cat" }.stdout, "") -- its stdin is empty

-- options
equal(exec { "sort", "-n", stdin = "3\n1\n2\n" }.stdout, "1\n2\n3\n")
equal(exec("sort -n | head -n 1", { stdin = "3\n1\n2\n" }).stdout, "1\n")
equal(exec({ "cat" }, { stdin = "a\0b\xff" }).stdout, "a\0b\xff")
equal(exec { "cat", stdin = "" }.stdout, "")
equal(exec { "sh", "-c", "echo $A$B$C", env = { A = "x", B = 2 } }.stdout, "x2\n")
assert(not ("\n" .. exec { "env", env = { PATH = false } }.stdout):find("\nPATH="))
equal(exec { "sh", "-c", "echo $PATH" }.stdout, os.getenv("PATH") .. "\n")
fs.mkdir("d")
fs.write("d/f", "")
equal(exec { "ls", cwd = "d" }.stdout, "f\n")
equal(exec("ls", { cwd = fs.list(".") and "d" }).stdout, "f\n")
fs.write("d/own", "#!/bin/sh\necho mine $1\n")
exec { "chmod", "+x", "d/own" }
equal(exec { "./own", "1", cwd = "d" }.stdout, "mine 1\n")
equal(exec { "own", "2", env = { PATH = "d:/bin" } }.stdout, "mine 2\n")

-- what cannot be started
fails_with("exec: no-such-command: command not found", exec, { "no-such-command" })
fails_with("exec: ./none: no such file (or the interpreter in its first line is not there)", exec, { "./none" })
fails_with("exec: ./d/f: is not executable, or not by this user", exec, { "./d/f" })
fails_with("exec: nowhere: the working directory is not there", exec, { "ls", cwd = "nowhere" })
fails_with("exec: own: command not found", exec, { "own", env = { PATH = "/bin" } })
fails_with("exec: own: its PATH is longer than 16 KiB", exec, { "own", env = { PATH = (":"):rep(16385) } })
equal(exec { "/bin/echo", env = { PATH = (":"):rep(100000) } }.status, 0) -- where it is not looked through
equal(exec { "own", "3", env = { PATH = (":"):rep(16382) .. "d" } }.stdout, "mine 3\n")
fails_with("exec: echo: arguments and environment are too large together", exec, { "echo", ("x"):rep(200000) })
fails_with("exec: arguments and environment are too large together", function()
  local many = { "x" }
  for i = 2, 100 do many[i] = ("x"):rep(100000) end
  exec(many)
end)
fails_with("exec: there is no command (try: exec{\"echo\", \"hello\"})", exec, {})
fails_with("exec: \"\" is not the name of a command", exec, { "" })
fails_with("exec: word 2: a string was expected, and not a boolean", exec, { "echo", true })
fails_with("exec: word 2: the string has a zero byte in it", exec, { "echo", "a\0b" })
fails_with("exec: sdtin: there is no such option (there are: stdin, env, cwd)", exec, { "cat", sdtin = "x" })
fails_with("exec: stdin: options stand in the second table, as there is one", exec, { "cat", stdin = "x" }, {})
fails_with("exec: stdin: a string was expected, and not a number", exec, { "cat", stdin = 1 })
fails_with("exec: cwd: the string has a zero byte in it", exec, { "cat", cwd = "a\0" })
fails_with("exec: env: a table was expected, and not a string", exec, { "cat", env = "A=1" })
fails_with("exec: env: A: a string was expected (or false, to take it away), and not a table", exec,
  { "cat", env = { A = {} } })
fails_with("exec: env: \"A=\" cannot be a variable's name", exec, { "cat", env = { ["A="] = "1" } })
fails("a table of words, or a string for the shell expected, got nil", exec, nil)

-- much of it, both ways at once
local big = ("0123456789abcdef"):rep(1 << 18)
r = exec { "tee", "/dev/stderr", stdin = big }
assert(r.stdout == big and r.stderr == big)
equal(exec { "true", stdin = big }.status, 0) -- it does not want it

-- no end of its pipes that is the script's ever blocks: a command may open its own once more, and read there first
local theirs = [[
for stream in 0 1 2; do
  pipe=$(stat -L -c %d:%i /proc/$$/fd/$stream)
  stat -L -c "%d:%i %n" /proc/$PPID/fd/* 2> /dev/null | while read id name; do
    [ $id = $pipe ] && grep flags /proc/$PPID/fdinfo/${name##*/} | sed s/flags/$stream/
  done
done
true]]
local ends = 0
for stream, flags in exec(theirs, { stdin = big }).stdout:gmatch("(%d):%s*(%d+)") do
  flags = tonumber(flags, 8)
  if flags & 3 == (stream == "0" and 1 or 0) then -- else it is the command's, about to be closed
    ends = ends + 1
    assert(flags & 2048 ~= 0, stream) -- O_NONBLOCK
  end
end
equal(ends, 3)

-- it ends when its process does, whoever still has its pipes
local began = now()
r = exec("sleep 5 & echo $!")
assert(now() - began < 3 and r.status == 0)
exec { "kill", r.stdout:match("%d+") }

-- many at once, beside a task that ticks
local ticks, longest = check.ticking(function()
  local jobs = {}
  for i = 1, 30 do
    jobs[i] = function() return exec { "sh", "-c", "sleep 0.05; echo " .. i }.stdout end
  end
  for i, out in ipairs(gather(jobs)) do equal(out, i .. "\n") end
end)
assert(ticks >= 3, ticks)

-- cancelled in the middle, it is ended, with its group
local function processes_of(mark)
  local found = {}
  for _, name in ipairs(fs.list("/proc")) do
    if name:find("^%d+$") then
      local ok, line = pcall(fs.read, "/proc/" .. name .. "/cmdline")
      if ok and line:find(mark, 1, true) then found[#found + 1] = name end
    end
  end
  return #found
end

began = now()
fails_with(timed_out, timeout, 0.1, exec, { "sleep", "100.125" })
fails_with(timed_out, timeout, 0.1, exec, "sleep 100.125 & sleep 100.125; true")
-- who does not listen to SIGTERM has a second
fails_with(timed_out, timeout, 0.1, exec, "trap '' TERM; sleep 100.125; sleep 100.125")
assert(processes_of("100.125") > 0) -- which the script does not wait for
while processes_of("100.125") > 0 do sleep(0.01) end
assert(now() - began < 4)
for _ = 1, 30 do -- at any point of its life
  local task = spawn(exec, { "echo" })
  for _ = 1, math.random(0, 20) do sleep(0.0001) end
  task:cancel()
  pcall(await, task)
end

-- os.execute
assert(os.execute())
assert(select("#", os.execute("exit 0")) == 3)
local ok, how, number = os.execute("exit 0")
assert(ok == true and how == "exit" and number == 0)
ok, how, number = os.execute("exit 7")
assert(ok == nil and how == "exit" and number == 7)
ok, how, number = os.execute("kill -15 $$")
assert(ok == nil and how == "signal" and number == 15)
io.write("before\n")
os.execute("echo one; sleep 0.02; echo two; echo three >&2")
print("after")
fails_with(timed_out, timeout, 0.1, os.execute, "echo started; sleep 100.125")

-- io.popen
local h = io.popen("printf 'a\\nb 12 0x1f\\nrest\\nof it'; exit 4")
equal(h:read(), "a")
equal(h:read(2), "b ")
equal(h:read("n"), 12)
equal(h:read("n"), 31)
equal(h:read("L"), "\n")
equal(h:read("a"), "rest\nof it")
equal(h:read("a"), "")
equal(h:read("l"), nil)
ok, how, number = h:close()
assert(ok == nil and how == "exit" and number == 4)
fails_with("io.popen: printf 'a\\nb 12 0x1f\\nrest\\nof it'; exit 4: it is closed", h.read, h)
local lines = {}
for line in io.popen("seq 1 10000"):lines() do lines[#lines + 1] = line end
assert(#lines == 10000 and lines[10000] == "10000")
began = now()
h = io.popen("echo first; sleep 0.2; echo second >&2; echo second")
equal(h:read(), "first")
assert(now() - began < 0.15) -- as it comes
fails_with(timed_out, timeout, 0.01, h.read, h)
equal(h:read(), "second") -- the command goes on after a read that was cancelled
equal(h:close(), true)
h = io.popen("sleep 100.125")
fails_with(timed_out, timeout, 0.1, h.close, h) -- which ends it
fails("it is closed", h.close, h)
do -- unless a task reads: then it is ended when that one has what it wants
  exec("mkfifo more")
  h = io.popen("echo first; read x < more; echo $x; exec sleep 100.125")
  local reading = spawn(h.read, h, 9)
  yield()
  local closing = spawn(h.close, h)
  yield()
  closing:cancel()
  fails_with(cancelled, await, closing)
  exec("echo two > more")
  equal(await(reading), "first\ntwo")
end
do
  local left <close> = io.popen("sleep 100.125")
end
local function forget() io.popen("sleep 100.125") end
await(spawn(forget))
h = nil
collectgarbage()
collectgarbage()
began = now()
while processes_of("100.125") > 0 do sleep(0.01) end
assert(now() - began < 2)
h = io.popen("yes")
equal(h:read(), "y")
ok, how, number = h:close()
assert(ok == nil and (how == "signal" or number == 128 + 13)) -- by the shell
fails("only \"r\" can be had", io.popen, "cat", "w")
io.popen("sleep 100.125") -- the end of the script is its end, too

-- what is printed
io.write("a", 1, 2.5, "\n")
assert(io.stdout:write("x"):write("y\n") == io.stdout)
io.stderr:write("to stderr\n")
equal(io.read("l"), nil)
equal(io.open, nil)
spawn(os.execute, "sleep 100.125") -- never awaited
sleep(0.05)
