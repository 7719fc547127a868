-- What is not a request, or too much of one, or too slow, ends its own connection and nothing else.
local fails = require "check".fails
local asked = 0
local server = serve{timeout = 1, max_body = 1000, connections = 50, function(request)
  asked = asked + 1
  return request.method .. " " .. request.path .. " " .. #request.body
end}

local function send(text)
  local c <close> = tcp.connect("127.0.0.1", server.port)
  pcall(c.write, c, text) -- it may close before it has read all of it
  local answer = ""
  while true do
    local ok, piece = pcall(c.read, c)
    if not ok or not piece then return answer end
    answer = answer .. piece
  end
end

local function status(text)
  return tonumber(send(text):match("^HTTP/1%.[01] (%d+)"))
end

local function check(expected, text)
  local got = status(text)
  assert(got == expected, ("%q: %s, and not %s"):format(text:sub(1, 60), got, expected))
end

check(200, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
check(200, "GET / HTTP/1.0\r\n\r\n")
check(400, "GET / HTTP/1.1\r\n\r\n") -- without a host
local before = asked

-- All at once: what ends in the middle of a head is noticed when its time is over.
local function refused(texts)
  local tasks = {}
  for i, text in ipairs(texts) do tasks[i] = spawn(status, text) end
  local got = gather(tasks)
  for i = 1, #texts do
    assert(not got[i] or got[i] >= 400, ("%q: %s"):format(texts[i]:sub(1, 60), got[i]))
  end
end

-- garbage
local garbage = {"", "\r\n\r\n\r\n", "GET", "GET /", "\0\0\0\0", ("\255"):rep(1000), "GET / HTTP/1.1\r\nHost",
                 "GET / HTTP/1.1\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "GET / FTP/1.1\r\nHost: x\r\n\r\n",
                 "GET / HTTP/9.9\r\nHost: x\r\n\r\n", "\22\3\1\0\200\1\0\0\196\3\3"}
for _ = 1, 200 do
  local bytes = {}
  for j = 1, math.random(1, 300) do bytes[j] = string.char(math.random(0, 255)) end
  garbage[#garbage + 1] = table.concat(bytes) .. "\r\n\r\n"
end
refused(garbage)
assert(asked == before, "garbage got as far as the handler")

-- too much
check(431, "GET / HTTP/1.1\r\nHost: x\r\n" .. ("X: " .. ("y"):rep(100) .. "\r\n"):rep(1000) .. "\r\n")
assert(({[414] = true, [431] = true})[status("GET /" .. ("z"):rep(100000) .. " HTTP/1.1\r\nHost: x\r\n\r\n")])
check(413, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" .. ("b"):rep(1001))
check(413, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
check(413, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" .. ("64\r\n" .. ("c"):rep(100) .. "\r\n"):rep(11) .. "0\r\n\r\n")
assert(not status("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" .. ("FFFF\r\n" .. ("c"):rep(65535) .. "\r\n"):rep(40)))
assert(asked == before)

-- bodies in good and bad form
check(200, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
check(200, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
before = asked
refused{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nshort"}
-- where a body ends must not be open to different readings: else a part of it is taken for a request
for _, length in ipairs{"Content-Length: 5\r\nContent-Length: 0", "Content-Length: 0\r\nContent-Length: 5", "Content-Length : 5",
                        "Content-Length: +5", "Content-Length: 5, 5", "Content-Length: 5\r\nTransfer-Encoding: chunked",
                        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: xchunked",
                        "Transfer-Encoding : chunked", "X: y\r\n Content-Length: 5"} do
  local answer = send("POST / HTTP/1.1\r\nHost: x\r\n" .. length .. "\r\n\r\n0\r\n\r\nGET /within HTTP/1.1\r\nHost: x\r\n\r\n")
  assert(answer:find("^HTTP/1.1 400 ") and not answer:find("200 OK", 1, true), length .. ": " .. answer)
end
-- and what is a path
refused{"GET /a%00b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"}
assert(asked == before)
check(200, "GET /?a=%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

-- several requests at once on one connection
local answer = send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
local _, count = answer:gsub("HTTP/1%.1 200", "")
assert(count == 3 and answer:find("GET /3 0", 1, true), answer)

-- too slow: half a head, half a body, or nothing at all
local start = now()
local slow = gather{
  function() return send("GET / HTTP/1.1\r\nHos") end,
  function() return send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf") end,
  function() return send("") end,
}
for i = 1, 3 do assert(not slow[i]:find("200 OK", 1, true)) end
assert(now() - start >= 0.9 and now() - start < 10, now() - start)

-- too many connections: the next is served when one has gone
local held = {}
local full = serve{timeout = 3600, connections = 50, function(request) return request.path end}
for i = 1, 50 do
  held[i] = tcp.connect("127.0.0.1", full.port)
  held[i]:write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
  held[i]:read()
end
local waiting = tcp.connect("127.0.0.1", full.port)
waiting:write("GET /waited HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
fails("timed out", timeout, 0.05, waiting.read, waiting)
held[1]:close()
assert(waiting:read():find("/waited", 1, true))
print "ok"
