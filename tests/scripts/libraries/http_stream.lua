-- Answers piece by piece, from a server that writes as it is told.
local function fails(expected, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "it did not fail: " .. expected)
  assert(tostring(err):find(expected, 1, true), tostring(err))
end

local handler
local listener = tcp.listen(0, function(c)
  for line in function() return c:read_line() end do
    if line == "" then return handler(c) end
  end
end)
local url = "http://127.0.0.1:" .. listener.port .. "/"
local HEAD = "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"

local function chunk(c, text)
  c:write(("%x\r\n%s\r\n"):format(#text, text))
end

-- the head comes first, then each piece as it is written
local steps = queue()
handler = function(c)
  c:write(HEAD)
  for text in function() return steps:get() end do
    chunk(c, text)
    if text == "" then return end
  end
end
local r = http.get(url, {stream = true})
assert(r.status == 200 and r.headers["X-a"] == "b" and r.body == nil)
local one = spawn(r.read, r)
sleep(0.02)
assert(not one:done())
steps:put("first")
assert(await(one) == "first")
steps:put("se\0ond")
assert(r:read() == "se\0ond")
-- a read that is given up takes nothing along
fails("timed out", timeout, 0.02, r.read, r)
steps:put("third")
assert(r:read() == "third")
steps:put("")
assert(r:read() == nil)
assert(r:read() == nil)
r:close()
fails("the response is closed", r.read, r)

-- all of a large one, in pieces
local data = {}
for i = 1, 200 do data[i] = string.char(i):rep(10007) end
handler = function(c)
  c:write(HEAD)
  for _, text in ipairs(data) do chunk(c, text) end
  chunk(c, "")
end
local parts = {}
r = http.request{url = url, stream = true}
for piece in r:chunks() do parts[#parts + 1] = piece end
assert(#parts > 5 and table.concat(parts) == table.concat(data))
assert(#http.get(url).body == 200 * 10007)

-- nobody reads: the server cannot go on writing
local written, ended = 0, event()
local block = ("b"):rep(1 << 20)
handler = function(c)
  c:write(HEAD)
  while written < 200 do
    if not pcall(chunk, c, block) then break end
    written = written + 1
  end
  ended:set()
end
r = http.get(url, {stream = true})
assert(#r:read() > 0)
local before
repeat
  before = written
  sleep(0.2)
until written == before
assert(written < 100, "it wrote " .. written .. " MiB that nobody read")
-- and learns at once that it is closed
r:close()
timeout(5, ended.wait, ended)
assert(written < 200)

-- so it does of what is dropped, and of what is cancelled
for _, leave in ipairs{
  function()
    r = nil
    collectgarbage()
    collectgarbage()
  end,
  function() r:close() end,
} do
  written, ended = 0, event()
  r = http.get(url, {stream = true})
  leave()
  timeout(5, ended.wait, ended)
  assert(written < 200)
end
local began
handler = function(c) -- never a head
  began:set()
  assert(c:read() == nil)
  ended:set()
end
for _, stream in ipairs{true, false} do
  began, ended = event(), event()
  local t = spawn(http.get, url, {stream = stream})
  began:wait()
  t:cancel()
  fails("cancelled", await, t)
  timeout(5, ended.wait, ended)
end

-- time: for the head, and for each piece
began, ended = event(), event()
fails("no answer within 0.1 seconds", http.get, url, {stream = true, timeout = 0.1})
handler = function(c)
  c:write(HEAD)
  for _ = 1, 3 do
    chunk(c, "x")
    sleep(0.4)
  end
  sleep(100)
end
r = http.get(url, {stream = true, timeout = 1})
for _ = 1, 3 do assert(r:read() == "x") end
fails("no answer within 1 seconds", r.read, r)

-- it ends too early, or is larger than allowed
handler = function(c)
  c:write(HEAD)
  chunk(c, "some")
end
r = http.get(url, {stream = true})
assert(r:read() == "some")
for _ = 1, 3 do fails("http.get: " .. url .. ": ", r.read, r) end -- it never looks like a whole one
handler = function(c)
  c:write("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nfirst")
  sleep(0.02)
  c:write("second")
end
r = http.get(url, {stream = true, max_bytes = 10})
assert(r:read() == "first")
fails("the answer is larger than 10 bytes", r.read, r)

-- two tasks may read: each piece goes to one of them
handler = function(c)
  c:write(HEAD)
  for i = 1, 20 do
    chunk(c, tostring(i % 10))
    if i % 5 == 0 then sleep(0.005) end
  end
  chunk(c, "")
end
r = http.get(url, {stream = true})
local got = 0
local function reader() for piece in r:chunks() do got = got + #piece end end
gather{reader, reader}
assert(got == 20)

-- no body at all
handler = function(c) c:write("HTTP/1.1 204 None\r\n\r\n") end
r = http.get(url, {stream = true})
assert(r.status == 204 and r:read() == nil)
-- left open at the end
handler = function(c) c:write(HEAD) sleep(100) end
for _ = 1, 5 do spawn(http.get, url) end
Left = http.get(url, {stream = true})
sleep(0.02)
print "ok"
