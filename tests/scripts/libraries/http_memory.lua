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
