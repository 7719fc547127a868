-- options: --memory 16777216
-- What does not fit into the script's memory is an error that says so, and no more than that.
local listener = tcp.listen(0, function(c)
  while c:read_line() ~= "" do end
  local block = ("b"):rep(1 << 16)
  c:write("HTTP/1.0 200 OK\r\n\r\n")
  for _ = 1, 640 do c:write(block) end -- 40 MiB
end)
local url = "http://127.0.0.1:" .. listener.port .. "/"
for _ = 1, 3 do
  local ok, err = pcall(http.get, url)
  assert(not ok and err:find("http.get: " .. url .. ": the answer is larger than ", 1, true), err)
end
local ok, err = pcall(http.get, url, {max_bytes = 1 << 30})
assert(not ok and err == "http.get: " .. url .. ": the answer is larger than the script's memory allows", err)
-- in pieces it fits
local bytes = 0
for piece in http.get(url, {stream = true}):chunks() do bytes = bytes + #piece end
assert(bytes == 640 << 16)

-- bodies of requests count: several at once, of which each would fit
local body, arrived = ("b"):rep(5 << 20), 0
local go = event()
local busy = tcp.listen(0, function(c)
  for line in function() return c:read_line() end do
    if line == "" then break end
  end
  arrived = arrived + 1
  go:wait()
  for _ = 1, #body >> 16 do c:read_exactly(1 << 16) end
  c:write("HTTP/1.0 200 OK\r\n\r\nok")
end)
local busy_url = "http://127.0.0.1:" .. busy.port
local first = {}
for i = 1, 3 do first[i] = spawn(http.post, busy_url, body) end
yield()
for _ = 1, 3 do
  ok, err = pcall(http.post, busy_url, body)
  assert(not ok and err == "http.post: " .. busy_url .. ": the requests under way are larger than the script's memory allows", err)
end
go:set()
for _, r in ipairs(gather(first)) do assert(r.body == "ok") end
assert(arrived == 3 and http.post(busy_url, body).body == "ok")

-- what came for a request that was cancelled is given back soon, whenever Lua collects
local sent = event()
local slow = tcp.listen(0, function(c)
  while c:read_line() ~= "" do end
  local block = ("b"):rep(1 << 16)
  c:write("HTTP/1.0 200 OK\r\n\r\n")
  for _ = 1, 160 do c:write(block) end -- 10 MiB
  sent:set()
  c:read() -- until the client has gone
end)
for _ = 1, 4 do
  sent:clear()
  local task = spawn(http.get, "http://127.0.0.1:" .. slow.port)
  sent:wait()
  task:cancel()
  local ok, err = pcall(await, task)
  assert(not ok and err == cancelled, tostring(err))
end

-- a server's requests count, too
local server = serve{max_body = 1 << 30, function(request) return tostring(#request.body) end}
local there = "http://127.0.0.1:" .. server.port
local client = tcp.connect("127.0.0.1", server.port)
client:write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n\r\n")
pcall(function()
  local block = ("b"):rep(1 << 16)
  for _ = 1, 640 do client:write(block) end
end)
client:close()
assert(http.post(there, "small").body == "5")
print "ok"
