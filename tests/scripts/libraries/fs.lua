-- fs: files and directories. It runs in an empty directory.
local check = require "check"
local fails_with, fails, equal = check.fails_with, check.fails, check.equal

-- there and back
fs.write("a", "hello\n")
equal(fs.read("a"), "hello\n")
fs.append("a", "world")
equal(fs.read("a"), "hello\nworld")
fs.write("a", "")
equal(fs.read("a"), "")
local binary = {}
for i = 0, 255 do binary[#binary + 1] = string.char(i) end
binary = table.concat(binary):rep(1000)
fs.write("binary", binary)
equal(fs.read("binary"), binary)
fs.append("new", "x")
equal(fs.read("new"), "x")
assert(#fs.read("/proc/self/status") > 100) -- says it has no bytes

-- what there is
fs.mkdir("d")
fs.mkdir("p/q/r", { parents = true })
fs.mkdir("p/q/r", { parents = true })
fs.write("d/z", "1")
fs.write("d/a", "12")
fs.write("d/.m", "")
equal(table.concat(fs.list("d"), " "), ".m a z")
equal(#fs.list("p/q/r"), 0)
for _, count in ipairs { 1, 2, 3, 1000, 1025 } do
  local folder, names = "many" .. count, {}
  fs.mkdir(folder)
  for i = 1, count do names[i] = ("%x"):format(i * 7919 % 100003) end
  for i = 1, count do fs.write(folder .. "/" .. names[i], "") end
  table.sort(names)
  equal(table.concat(fs.list(folder), " "), table.concat(names, " "))
end
local about = fs.stat("d/a")
assert(about.type == "file" and about.size == 2 and about.mode & 0x180 == 0x180)
assert(math.abs(about.modified - os.time()) < 60 and math.type(about.uid) == "integer" and about.gid)
equal(fs.stat("d").type, "directory")
equal(fs.stat("/dev/null").type, "device")
assert(fs.exists("d/a") and fs.exists("d") and not fs.exists("d/b") and not fs.exists("d/a/x"))
fs.rename("d/a", "d/b")
assert(not fs.exists("d/a") and fs.read("d/b") == "12")
fs.remove("d/b")
assert(not fs.exists("d/b"))
fs.remove("p/q/r")
assert(not fs.exists("p/q/r"))

-- what goes wrong
fails_with("fs.read: nowhere: No such file or directory", fs.read, "nowhere")
fails_with("fs.read: d: is a directory", fs.read, "d")
fails_with("fs.write: d: is a directory", fs.write, "d", "x")
fails_with("fs.write: no/way: No such file or directory", fs.write, "no/way", "x")
fails_with("fs.append: a/b: Not a directory", fs.append, "a/b", "x")
fails_with("fs.list: a: Not a directory", fs.list, "a")
fails_with("fs.list: nowhere: No such file or directory", fs.list, "nowhere")
fails_with("fs.stat: nowhere: No such file or directory", fs.stat, "nowhere")
fails_with("fs.mkdir: d: File exists", fs.mkdir, "d")
fails_with("fs.mkdir: a: File exists", fs.mkdir, "a", { parents = true })
fails_with("fs.mkdir: x/y: No such file or directory", fs.mkdir, "x/y")
fails_with("fs.mkdir: : No such file or directory", fs.mkdir, "", { parents = true })
fails_with("fs.mkdir: parent: there is no such option (there are: parents)", fs.mkdir, "x", { parent = true })
fails_with("fs.mkdir: parents: true or false was expected, and not a number", fs.mkdir, "x", { parents = 1 })
fails_with("fs.remove: d: Directory not empty", fs.remove, "d")
fails_with("fs.remove: nowhere: No such file or directory", fs.remove, "nowhere")
fails_with("fs.rename: nowhere: No such file or directory", fs.rename, "nowhere", "there")
fails_with("fs.lines: nowhere: No such file or directory", fs.lines, "nowhere")
fails_with("fs.lines: d: is a directory", fs.lines, "d")
fails_with("fs.read: /dev/zero: is a device, and not a file", fs.read, "/dev/zero")
fails_with("fs.write: /dev/full: is a device, and not a file", fs.write, "/dev/full", "x")
fails("bad argument #1 to 'read' (string expected, got no value)", function() fs.read() end)
fails("bad argument #2 to 'write' (string expected, got nil)", function() fs.write("a", nil) end)
fails("the string has a zero byte in it", fs.read, "a\0b")
fails("a format is", fs.lines, "a", "x")

-- lines
local function lines_of(text, format)
  fs.write("lines", text)
  local lines = {}
  for line in fs.lines("lines", format) do lines[#lines + 1] = line end
  return lines
end
assert(check.same(lines_of("", "l"), {}))
assert(check.same(lines_of("one"), { "one" }))
assert(check.same(lines_of("one\ntwo\n"), { "one", "two" }))
assert(check.same(lines_of("\n\none\r\n\0\n", "L"), { "\n", "\n", "one\r\n", "\0\n" }))
assert(check.same(lines_of("abcdefg", 3), { "abc", "def", "g" }))
assert(check.same(lines_of(" 12 0x10\n-1.5e3,", "n"), { 12, 16, -1500.0 }))
local long = { ("x"):rep(300000), "", ("y"):rep(65536), ("z"):rep(65535), "end" }
assert(check.same(lines_of(table.concat(long, "\n")), long))
local many = {}
for i = 1, 100000 do many[i] = "line " .. i end
assert(check.same(lines_of(table.concat(many, "\n") .. "\n"), many))
-- much that is looked through, in pieces
for _, n in ipairs { 65535, 65536, 65537, 200000 } do
  fs.write("wide", ("x"):rep(n) .. "\n" .. (" "):rep(n) .. "42" .. ("\n"):rep(n) .. "-7")
  local read = fs.lines("wide")
  equal(read(), ("x"):rep(n))
  for number in fs.lines("wide", "n") do error(number) end -- there is none at its beginning
  fs.write("wide", (" "):rep(n) .. "42" .. ("\n"):rep(n) .. "-7")
  local numbers = {}
  for number in fs.lines("wide", "n") do numbers[#numbers + 1] = number end
  equal(table.concat(numbers, " "), "42 -7")
end
local next_line, _, _, closer = fs.lines("lines")
equal(next_line(), "line 1")
do local _ <close> = closer end
fails_with("fs.lines: lines: it is closed", next_line)
for line in io.lines("lines") do
  if line == "line 3" then break end
end

-- several tasks read from one file: each line goes to one of them, in order
local shared, seen = fs.lines("lines"), 0
local tasks = {}
for i = 1, 4 do
  tasks[i] = spawn(function()
    local last = 0
    for line in shared do
      local number = tonumber(line:sub(6))
      assert(number > last)
      last, seen = number, seen + 1
      if number % 7 == 0 then sleep(0) end
    end
  end)
end
gather(tasks)
equal(seen, 100000)

-- many at once, while another task ticks
local big = ("0123456789abcdef"):rep(1 << 16)
local ticks = check.ticking(function()
  local jobs = {}
  for i = 1, 50 do
    jobs[i] = function()
      fs.write("f" .. i, big)
      assert(fs.read("f" .. i) == big)
      fs.remove("f" .. i)
    end
  end
  gather(jobs)
end)
assert(ticks >= 3, ticks)

-- cancelled in the middle
for _ = 1, 20 do
  local task = spawn(fs.read, "binary")
  sleep(0)
  task:cancel()
  check.fails_with(cancelled, await, task)
end
local reading = fs.lines("lines")
local task = spawn(reading)
sleep(0)
task:cancel()
check.fails_with(cancelled, await, task)
assert(reading():find("^line %d+$")) -- it goes on
check.fails_with(timed_out, timeout, 0, fs.read, "binary")
