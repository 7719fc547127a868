-- Requests, against servers of the script's own: one of HTTP, and some of tcp that misbehave.
local function fails(expected, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "it did not fail: " .. expected)
  assert(tostring(err):find(expected, 1, true), tostring(err))
end

local server = serve{max_body = 1 << 24, function(r)
  if r.path == "/hops" then
    local left = tonumber(r.query.left)
    if left > 0 then return {status = 302, headers = {Location = "/hops?left=" .. left - 1, ["X-Hop"] = left}, body = "moved"} end
    return {headers = {["X-End"] = "yes"}, body = r.method .. " at the end"}
  elseif r.path == "/large" then
    return ("0123456789abcdef"):rep((tonumber(r.query.kib) or 1) * 64)
  elseif r.path == "/sleep" then
    sleep(tonumber(r.query.s))
    return "slept"
  end
  return {headers = {["X-Seen"] = r.headers[r.query.header or "host"]}, body = r.method .. " " .. r.body}
end}
local url = "http://127.0.0.1:" .. server.port

-- methods and headers
assert(http.get(url).body == "GET ")
assert(http.post(url, "a body").body == "POST a body")
assert(http.post(url, "").body == "POST ")
assert(http.request{url = url}.body == "GET ")
assert(http.request{url = url, body = "x"}.body == "POST x")
assert(http.request{url = url, method = "PATCH", body = "x"}.body == "PATCH x")
assert(http.get(url .. "?header=x-mine", {headers = {["X-Mine"] = "a: b"}}).headers["X-Seen"] == "a: b")
assert(http.get(url .. "?header=x-mine", {headers = {["X-Mine"] = {1, 2}}}).headers["x-seen"] == "1, 2")
assert(http.get(url .. "?header=user-agent", {headers = {["User-Agent"] = "me"}}).headers["x-seen"] == "me")
assert(http.post(url .. "?header=content-type", "x").headers["x-seen"] == nil)
local headers = http.get(url).headers
assert(headers["Content-Length"] == "4" and headers.none == nil and headers[1] == nil)

-- redirects
local r = http.get(url .. "/hops?left=3")
assert(r.status == 200 and r.body == "GET at the end" and r.headers["x-end"] == "yes" and not r.headers["x-hop"])
r = http.get(url .. "/hops?left=3", {follow = false})
assert(r.status == 302 and r.body == "moved" and r.headers.location == "/hops?left=2")
assert(http.get(url .. "/hops?left=3", {follow = 3}).status == 200)
fails("Maximum (2) redirects followed", http.get, url .. "/hops?left=3", {follow = 2})
fails("Maximum (10) redirects followed", http.get, url .. "/hops?left=11")
fails("Maximum (10) redirects followed", http.get, url .. "/hops?left=11", {follow = true})

-- what follows is asked as a browser does
local function told(r)
  return {status = tonumber(r.query.status), headers = {Location = r.query.to}, body = ("x"):rep(100000)}
end
local function seen(r)
  local h = r.headers
  return table.concat({r.method, r.body, h.authorization or "-", h.cookie or "-", h.host == "elsewhere" and "host" or "-", h["x-mine"] or "-"}, " ")
end
local function pages(r) return r.path == "/to" and told(r) or seen(r) end
local here, there = serve{pages}, serve{pages}
local here_url, there_url = "http://127.0.0.1:" .. here.port, "http://127.0.0.1:" .. there.port
local function follow(method, status, to, options)
  options = options or {}
  options.url = (options.url or here_url) .. "/to?status=" .. status .. "&to=" .. to
  options.method, options.body = method, method ~= "GET" and method ~= "HEAD" and "b" or nil
  return http.request(options).body
end
for expected, case in pairs{
  ["GET  - - - -"] = {{"GET", 301}, {"GET", 308}, {"POST", 301}, {"POST", 302}, {"POST", 303}, {"PUT", 303}, {"GET", 399}},
  ["POST b - - - -"] = {{"POST", 307}, {"POST", 308}, {"POST", 300}},
  ["PUT b - - - -"] = {{"PUT", 302}, {"PUT", 307}},
  [""] = {{"HEAD", 302}, {"HEAD", 303}},
} do
  for _, c in ipairs(case) do assert(follow(c[1], c[2], "/seen") == expected, c[1] .. c[2]) end
end
local mine = {Authorization = "A", Cookie = "c", Host = "elsewhere", ["X-Mine"] = "x"}
assert(follow("GET", 302, "/seen", {headers = mine}) == "GET  A c host x")
assert(follow("GET", 302, here_url:upper():gsub("HTTP", "http") .. "/seen", {headers = mine}) == "GET  A c host x")
assert(follow("GET", 302, there_url .. "/seen", {headers = mine}) == "GET  - - - x")
assert(follow("GET", 302, there_url .. "/to?status=302%26to=" .. here_url .. "/seen", {headers = mine}) == "GET  - - - x")
local known = here_url:gsub("//", "//me:pass@")
local basic = "GET  Basic bWU6cGFzcw== - - -"
assert(follow("GET", 302, "/seen", {url = known}) == basic)
assert(follow("GET", 302, here_url .. "/seen", {url = known}) == basic)
assert(follow("GET", 302, there_url .. "/seen", {url = known}) == "GET  - - - -")
assert(follow("GET", 302, known .. "/seen") == basic)
assert(follow("GET", 302, "/seen%20it") == "GET  - - - -")
fails("could not resolve host \"no.such.host.invalid\"", follow, "GET", 302, "http://no.such.host.invalid/", {timeout = 20})
fails("it redirects to ftp://127.0.0.1/, which is not http:// or https://", follow, "GET", 302, "ftp://127.0.0.1/")
fails("the URL that it redirects to is none", follow, "GET", 302, "http://[::1")
r = http.get(here_url .. "/to?status=302&to=/seen", {stream = true, max_bytes = 20})
assert(r.status == 200 and r:read() == "GET  - - - -" and r:read() == nil)
-- a look-up on the way ends with the wait
fails("timed out", timeout, 0, follow, "GET", 302, "http://no.such.host.invalid/")

-- sizes
assert(#http.get(url .. "/large?kib=5000").body == 5000 * 1024)
assert(#http.post(url, ("x"):rep(1 << 23)).body == (1 << 23) + 5)
fails("http.get: " .. url .. "/large?kib=2: the answer is larger than 2047 bytes", http.get, url .. "/large?kib=2", {max_bytes = 2047})
assert(#http.get(url .. "/large?kib=2", {max_bytes = 2048}).body == 2048)

-- time
local start = now()
fails("http.get: " .. url .. "/sleep?s=30: no answer within 0.1 seconds", http.get, url .. "/sleep?s=30", {timeout = 0.1})
fails("timed out", timeout, 0.1, http.get, url .. "/sleep?s=30")
local task = spawn(http.get, url .. "/sleep?s=30")
sleep(0.05)
assert(task:cancel())
fails("cancelled", await, task)
assert(now() - start < 5)
assert(http.get(url .. "/sleep?s=0.05", {timeout = 10}).body == "slept")

-- many at once
start = now()
local many = {}
for i = 1, 100 do many[i] = function() return http.get(url .. "/sleep?s=0.2").body end end
for _, body in ipairs(gather(many)) do assert(body == "slept") end
assert(now() - start < 5)

-- what is wrong is told
fails("http.get: ftp://x/: it is not http:// or https://", http.get, "ftp://x/")
fails("http.get: http://a b/: it is not a URL", http.get, "http://a b/")
fails("http.get: http://me:***@127.0.0.1:1/: Failed to connect", http.get, "http://me:secret@127.0.0.1:1/")
fails("http.get: http://no.such.host.invalid/: could not resolve host", http.get, "http://no.such.host.invalid/", {timeout = 20})
fails("zero byte", http.get, "http://x/\0y")
fails("headers: \"a b\" is not the name of a header", http.get, url, {headers = {["a b"] = "c"}})
fails("headers: x: its value has a line break", http.get, url, {headers = {x = "a\r\nb: c"}})
fails("headers: x: a string was expected, and not a boolean", http.get, url, {headers = {x = true}})
fails("headers: a table was expected", http.get, url, {headers = "x: y"})
for _, name in ipairs{"Content-Length", "content-length", "Transfer-Encoding", "TE", "Trailer", "Connection", "Upgrade", "Keep-Alive"} do
  fails("http.post: " .. url .. ": headers: " .. name .. " cannot be set: ", http.post, url, "GET /evil HTTP/1.1\r\n\r\n",
        {headers = {[name] = "0"}})
end
local values = {}
for i = 1, 1000 do values[i] = i end
local counter = tcp.listen(0, function(c)
  local count = 0
  for line in function() return c:read_line() end do
    if line == "" then break end
    if line:find("^X%-Mine: ") then count = count + 1 end
  end
  c:write("HTTP/1.0 200 OK\r\n\r\n" .. count)
end)
assert(http.get("http://127.0.0.1:" .. counter.port, {headers = {["X-Mine"] = values}}).body == "1000")
values[1001] = 1001
fails("http.get: " .. url .. ": headers: there are more than 1000", http.get, url, {headers = {["X-Mine"] = values}})
fails("headers: they have more than 256 KiB", http.get, url, {headers = {["X-Mine"] = ("x"):rep(1 << 18)}})
fails("no such option", http.get, url, {body = "x"})
fails("\"GET \" is not a method", http.request, {url = url, method = "GET "})
fails("\"CONNECT\" is not a method", http.request, {url = url, method = "CONNECT"})
fails("\"connect\" is not a method", http.request, {url = url, method = "connect"})
fails("HEAD takes no body", http.request, {url = url, method = "HEAD", body = "x"})
fails("url", http.request, {method = "GET"})
fails("not within", http.get, url, {follow = 51})
fails("timeout", http.get, url, {timeout = "1s"})
fails("http.get: ca: it has more than 256 KiB", http.get, "https://127.0.0.1:1", {ca = ("x"):rep((1 << 18) + 1)})
fails("Failed to connect", http.get, "https://127.0.0.1:1", {ca = ("x"):rep(1 << 18)})
fails("is not http://HOST:PORT", http.get, url, {proxy = "here"})
fails("Failed to connect to 127.0.0.1 port 1 ", http.get, url, {proxy = "http://127.0.0.1:1"})
fails("http.get: https://127.0.0.1:" .. server.port .. "/: ", http.get, "https://127.0.0.1:" .. server.port .. "/")

-- servers that misbehave
local say
local rude = tcp.listen(0, function(c)
  c:read()
  c:write(say)
end)
local bad = "http://127.0.0.1:" .. rude.port .. "/"
for text, expected in pairs{
  [""] = "Empty reply from server",
  ["garbage\r\n\r\n"] = "Received HTTP/0.9 when not allowed",
  ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"] = "transfer closed with 5 bytes remaining to read",
  ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz"] = "",
  ["HTTP/1.1 200 OK\r\n" .. ("X: " .. ("y"):rep(1000) .. "\r\n"):rep(400) .. "\r\n"] = "the headers of the answer are too large",
  ["HTTP/1.1 200 OK\r\n" .. ("a:\n"):rep(5001) .. "\r\n"] = "the headers of the answer are too large",
  ["HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"] = "file",
} do
  say = text
  fails(expected, http.get, bad, {timeout = 10})
end
say = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nA: \t b \r\na: c\r\nNo-Value:\r\nContent-Length: 2\r\n\r\nok"
r = http.get(bad)
assert(r.status == 200 and r.body == "ok" and r.headers.a == "b, c" and r.headers["no-value"] == "")
say = "HTTP/1.0 200 OK\r\n" .. ("a:\nb: c\nset-cookie: d, e\n"):rep(1600) .. "A: f\n\n"
r = http.get(bad)
assert(r.headers.a == (", "):rep(1600) .. "f" and r.headers.b == ("c, "):rep(1599) .. "c")
assert(#r.headers["set-cookie"] == 1600 and r.headers["set-cookie"][1600] == "d, e")
say = "HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 2\r\n\r\nok" -- to nowhere
r = http.get(bad)
assert(r.status == 302 and r.body == "ok")
say = "HTTP/1.1 000 None\r\nContent-Length: 2\r\n\r\nok"
for _, stream in ipairs{true, false} do fails("http.get: " .. bad .. ": ", http.get, bad, {stream = stream}) end
say = "HTTP/1.0 200 OK\r\n\r\nuntil the end"
assert(http.get(bad).body == "until the end")
print "ok"
