-- options: --memory 200000000
-- Closing: what was asked is answered, what comes later is not; and what a script leaves open is closed with it.
local function fails(expected, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "it did not fail: " .. expected)
  assert(tostring(err):find(expected, 1, true), tostring(err))
end

local begun, go_on = 0, event()
local server = serve{function()
  begun = begun + 1
  go_on:wait()
  return "answered"
end}
local url = "http://127.0.0.1:" .. server.port

-- an idle connection, and half a request, do not keep it open
local idle = tcp.connect("127.0.0.1", server.port)
local half = tcp.connect("127.0.0.1", server.port)
half:write("GET / HTTP/1.1\r\nHos")

local clients = {}
for i = 1, 20 do clients[i] = spawn(http.get, url) end
while begun < 20 do sleep(0.005) end
server:close()
server:close()
sleep(0.02)
fails("Failed to connect", http.get, url)
fails("timed out", timeout, 0.02, server.wait, server)
local waiter = spawn(server.wait, server)
go_on:set()
for i = 1, 20 do
  local answer = await(clients[i])
  assert(answer.status == 200 and answer.body == "answered")
end
await(waiter)
server:wait()
assert(idle:read() == nil)
assert(half:read() == nil)

-- its port is free then
local second = serve{port = server.port, function() return "second" end}
assert(http.get(url).body == "second")

-- a handler that closes its own server is answered
local third
third = serve{function()
  third:close()
  return "closing"
end}
assert(http.get("http://127.0.0.1:" .. third.port).body == "closing")
third:wait()

-- a server lives without a variable that holds it
local port = serve{function() return "held" end}.port
for _ = 1, 3 do collectgarbage() end
assert(http.get("http://127.0.0.1:" .. port).body == "held")

-- a client that has gone does not harm
local late = serve{function()
  sleep(0.05)
  return ("x"):rep(1000000)
end}
for _ = 1, 20 do
  local c = tcp.connect("127.0.0.1", late.port)
  c:write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
  c:close()
end
fails("timed out", timeout, 0.02, http.get, "http://127.0.0.1:" .. late.port)
sleep(0.1)
assert(#http.get("http://127.0.0.1:" .. late.port).body == 1000000)
late:close()
late:wait()

-- a client that does not read is left in time, also if its handler waited and nothing else comes
local big = ("x"):rep(20 << 20)
local patient = serve{timeout = 1, function()
  sleep(0.01)
  return big
end}
local deaf = tcp.connect("127.0.0.1", patient.port)
deaf:write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
while not deaf:read(1) do end
patient:close()
timeout(20, patient.wait, patient)
deaf:close()

-- the script ends while servers are open, and handlers and clients wait
local stuck = serve{function() sleep(100) end}
for _ = 1, 10 do spawn(http.get, "http://127.0.0.1:" .. stuck.port) end
sleep(0.05)
print "ok"
