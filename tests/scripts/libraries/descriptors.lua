-- options: --descriptors 12
-- A script may hold so many descriptors, and commands run so many at a time.
local check = require "check"
local fails_with, fails, equal = check.fails_with, check.fails, check.equal
local full = ": the script holds too many descriptors: the limit is 12 at once"

-- f(...), as soon as there is room for it: what was closed is, aside
local function succeeds(f, ...)
  local results
  repeat
    results = table.pack(pcall(f, ...))
    sleep(0.001)
  until results[1]
  return table.unpack(results, 2, results.n)
end

-- files
fs.write("file", "one\ntwo\n")
local handles = {}
for i = 1, 12 do handles[i] = table.pack(fs.lines("file"))[4] end
fails_with("fs.lines" .. full, fs.lines, "file")
fails_with("io.popen" .. full, io.popen, "true")
fails_with("tcp.listen" .. full, tcp.listen, 0)
fails_with("tcp.connect" .. full, tcp.connect, "127.0.0.1", 1)
fails_with("serve: 127.0.0.1:0" .. full, serve, { print })
equal(exec { "cat", "file" }.stdout, fs.read("file")) -- what is closed before it returns needs none
do
  local first <close> = handles[1]
end
assert(fs.lines("file"))
handles = nil -- what nobody has any more is found
for _ = 1, 3 do
  for _ = 1, 12 do assert(fs.lines("file")) end
end
for _ = 1, 20 do fails("No such file", fs.lines, "none") end
for _ = 1, 20 do -- nor is one lost where a task is cancelled
  local task = spawn(fs.lines, "file")
  yield()
  task:cancel()
  pcall(await, task)
end

-- commands with a handle
collectgarbage()
local two = { succeeds(io.popen, "echo 1; exec sleep 100"), succeeds(io.popen, "echo 2; exec sleep 100") }
fails_with("io.popen" .. full, io.popen, "true")
equal(two[1]:read() + two[2]:read(), 3)
two = nil
for _ = 1, 5 do succeeds(io.popen, "true"):close() end

-- connections
local listener = succeeds(tcp.listen, 0)
local ends = {}
for i = 1, 10, 2 do
  ends[i] = succeeds(tcp.connect, "127.0.0.1", listener.port)
  ends[i + 1] = listener:accept()
end
ends[11] = tcp.connect("127.0.0.1", listener.port)
fails_with("tcp.accept" .. full, listener.accept, listener)
fails_with("tcp.connect" .. full, tcp.connect, "127.0.0.1", listener.port)
local served = event()
spawn(listener.serve, listener, function(c)
  c:write("hello\n")
  served:set()
end)
yield()
ends[1]:close() -- what serves waits until there is room
equal(ends[11]:read_line(), "hello")
served:wait()
listener:close()
for _, connection in pairs(ends) do connection:close() end
for _ = 1, 20 do fails("Connection refused", tcp.connect, "127.0.0.1", listener.port) end

-- servers, and their clients
local server = serve { function() return "hello" end }
for _ = 1, 20 do
  local client <close> = tcp.connect("127.0.0.1", server.port)
  client:write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
  equal(client:read_line(), "HTTP/1.1 200 OK")
  while client:read() do end
end
local clients = {}
local function answered() -- once there is room for both ends
  local client = tcp.connect("127.0.0.1", server.port)
  client:write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  local ok, line = pcall(client.read_line, client)
  if ok and line == "HTTP/1.1 200 OK" then return client end
  client:close()
  error("not answered")
end
for i = 1, 4 do clients[i] = succeeds(answered) end
fails_with("tcp.connect" .. full, tcp.connect, "127.0.0.1", server.port)
clients[1]:close()
local late = succeeds(tcp.connect, "127.0.0.1", server.port)
late:close()
for i = 2, 4 do clients[i]:close() end
server:close()
server:wait()
for i = 1, 12 do clients[i] = succeeds(fs.lines, "file") end

-- commands that are waited for: the others stand in line
exec("mkfifo go; mkdir started")
clients, late = nil, nil
local tasks, pending = {}, nil
for i = 1, 300 do tasks[i] = spawn(exec, "echo > started/$$; read x < go") end
local function started() return #fs.list("started") end
while started() < 256 do sleep(0.001) end
for _ = 1, 30 do succeeds(io.popen, "true"):close() end
equal(started(), 256)
tasks[299]:cancel() -- perhaps one that stands in line
repeat -- who has opened the pipe by now reads a line from it, or its end
  succeeds(io.popen, "echo <>go >&0"):close()
  _, pending = wait(tasks, "all", 0.01)
until #pending == 0
assert(started() >= 299)
