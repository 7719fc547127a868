-- A script has half of its loop's connections: what it asks for beyond that waits for its turn.
local check = require "check"
local TURNS = 128

local at_once, most, release = 0, 0, event()
local listener = tcp.listen({port = 0, backlog = 1000}, function(c)
  local line, length = c:read_line(), 0
  if not line then return end
  for header in function() return c:read_line() end do
    length = tonumber(header:match("^Content%-Length: (%d+)")) or length
    if header == "" then break end
  end
  if length > 0 then c:read_exactly(length) end
  at_once = at_once + 1
  most = math.max(most, at_once)
  if line:find("held", 1, true) then
    c:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
    c:read()
  else
    release:wait()
    c:write("HTTP/1.0 200 OK\r\n\r\nok")
  end
  at_once = at_once - 1
end)
local url = "http://127.0.0.1:" .. listener.port .. "/"

-- many: all are answered, so many at a time
local many = {}
for i = 1, 300 do many[i] = spawn(http.get, url) end
spawn(function()
  while at_once < TURNS do yield() end
  release:set()
end)
for _, r in ipairs(gather(many)) do check.equal(r.body, "ok") end
check.equal(most, TURNS)

-- streams that nobody reads hold theirs, and an error names that
local held = {}
for i = 1, TURNS do held[i] = http.get(url .. "held", {stream = true, timeout = 0}) end
check.fails("no answer within 0.05 seconds: the script has 128 requests under way, which is the most it may have", http.get, url,
            {timeout = 0.05})
check.fails_with(timed_out, timeout, 0.05, http.get, url)
local waiting = spawn(http.get, url)
yield()
assert(not waiting:done())
held[1]:close()
check.equal(await(waiting).body, "ok")

-- a response that is dropped, and one that has ended, hold none
held = nil
check.equal(http.get(url).body, "ok")
for _ = 1, 2 * TURNS do
  local r = http.get(url, {stream = true})
  for _ in r:chunks() do end
end

-- what is cancelled, in line or under way, holds none
release:clear()
for _ = 1, 3 do
  local tasks = {}
  for i = 1, 2 * TURNS do tasks[i] = spawn(http.get, url) end
  sleep(0.01)
  for _, task in ipairs(tasks) do task:cancel() end
  wait(tasks)
end
release:set()
check.equal(http.get(url).body, "ok")

-- the script's table may change while its request waits
local options = {url = url, body = ("body"):rep(1000), method = ("x"):rep(10), ca = ("c"):rep(100)}
release:clear()
for i = 1, TURNS do many[i] = spawn(http.get, url) end
local late = spawn(http.request, options)
yield()
options.url, options.body, options.method, options.ca = nil, nil, nil, nil
collectgarbage()
collectgarbage()
release:set()
check.equal(await(late).body, "ok")
-- some are left to the script's end
release:clear()
for _ = 1, 2 * TURNS do spawn(http.get, url) end
yield()
print "ok"
