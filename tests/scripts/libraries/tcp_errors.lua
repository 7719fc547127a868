-- What can go wrong, and is told; what is cancelled loses nothing; what is closed wakes who waits for it.
local function fails(expected, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "it did not fail: " .. expected)
  assert(tostring(err):find(expected, 1, true), tostring(err))
end

local function pair()
  local listener <close> = tcp.listen(0)
  local a = tcp.connect("127.0.0.1", listener.port)
  return a, listener:accept()
end

-- arguments
fails("not a port", tcp.connect, "127.0.0.1", 0)
fails("zero byte", tcp.connect, "127.0.0.1\0x", 80)
fails("timeout", tcp.connect, "127.0.0.1", 80, {timeout = "soon"})
fails("no such option", tcp.connect, "127.0.0.1", 80, {timout = 3})
fails("no such option", tcp.listen, {prot = 80})
fails("tcp.listen: \"nowhere\" is not an address in numbers", tcp.listen, {address = "nowhere"})
fails("not within", tcp.listen, {port = 70000})

-- connecting
local free = tcp.listen(0)
local port = free.port
fails("tcp.listen: 127.0.0.1:" .. port .. ": Address already in use", tcp.listen, port)
free:close()
free:close()
assert(free:accept() == nil)
fails("tcp.connect: 127.0.0.1:" .. port .. ": Connection refused", tcp.connect, "127.0.0.1", port)
fails("tcp.connect: no.such.host.invalid:80: ", tcp.connect, "no.such.host.invalid", 80, {timeout = 20})
local again = tcp.listen(port) -- it is free at once
again:close()

-- a read that is cancelled takes nothing along
local a, b = pair()
fails("timed out", timeout, 0.02, function() return b:read_exactly(6) end)
a:write("abc")
fails("timed out", timeout, 0.02, function() return b:read_exactly(6) end)
a:write("def\nrest")
assert(b:read_exactly(6) == "abcdef")
assert(b:read_line() == "")
fails("timed out", timeout, 0.02, b.read_line, b)
a:write("\r\n")
assert(b:read_line() == "rest")
for _ = 1, 50 do -- cancelled and asked for anew, without a pause
  local t = spawn(b.read, b)
  yield()
  assert(t:cancel())
  assert(not pcall(await, t))
  local u = spawn(b.read, b)
  yield()
  a:write("x")
  assert(await(u) == "x")
end

-- one task a direction
local reader = spawn(b.read, b)
yield()
fails("tcp.read_line: " .. b.peer .. ": another task is at it already", b.read_line, b)
b:write("both directions at once")
assert(a:read() == "both directions at once")
a:write("y")
assert(await(reader) == "y")

-- lines and amounts have limits
a:write(("z"):rep(100) .. "\n")
fails("tcp.read_line: " .. b.peer .. ": the line is longer than 99 bytes", b.read_line, b, 99)
assert(b:read_line(100) == ("z"):rep(100))
a:write(("z"):rep(100) .. "\r\n")
assert(b:read_line(100) == ("z"):rep(100))
fails("not a number of bytes", b.read, b, 0)
fails("not a number of bytes", b.read_exactly, b, -1)
fails("not enough memory", b.read_exactly, b, 1 << 40)

-- the end
a:write("last")
a:shutdown()
fails("tcp.read_exactly: " .. b.peer .. ": it ended after 4 of 5 bytes", b.read_exactly, b, 5)
assert(b:read_line() == "last")
fails("tcp.write: " .. a.peer .. ": Broken pipe", a.write, a, "more")
b:write("the other way it goes on\n")
assert(a:read_line() == "the other way it goes on")

-- closing wakes who waits
local c, d = pair()
reader = spawn(d.read, d)
local writer = spawn(d.write, d, ("w"):rep(1024):rep(20 * 1024))
sleep(0.02)
assert(not reader:done() and not writer:done())
d:close()
fails("tcp.read: " .. d.peer .. ": it is closed", await, reader)
fails("tcp.write: " .. d.peer .. ": it is closed", await, writer)
fails("it is closed", d.read, d)
fails("it is closed", d.write, d, "x")
d:close()
c:close()

local listener = tcp.listen{port = 0}
local acceptor = spawn(listener.accept, listener)
yield()
fails("another task is at it already", listener.accept, listener)
listener:close()
assert(await(acceptor) == nil)
acceptor = nil

-- a handler's error is its task's; the server goes on
local shaky = tcp.listen(0)
local serving = spawn(shaky.serve, shaky, function(connection)
  if connection:read_line() == "bad" then error("it was bad") end
  connection:write("good\n")
end, 2)
for _ = 1, 3 do
  local x <close> = tcp.connect("127.0.0.1", shaky.port)
  x:write("bad\n")
  assert(x:read() == nil)
  local y <close> = tcp.connect("127.0.0.1", shaky.port)
  y:write("fine\n")
  assert(y:read_line() == "good")
end
-- no more than two at a time
local waiting = {}
for i = 1, 3 do waiting[i] = tcp.connect("127.0.0.1", shaky.port) end
waiting[3]:write("third\n")
fails("timed out", timeout, 0.05, waiting[3].read_line, waiting[3])
waiting[1]:close()
assert(waiting[3]:read_line() == "good")
shaky:close()
await(serving)

-- what was not closed is closed by the collector, and at the end
local e, f = pair()
f = nil
collectgarbage()
collectgarbage()
assert(e:read() == nil)
pair()
spawn(a.read, a)
print "ok"
