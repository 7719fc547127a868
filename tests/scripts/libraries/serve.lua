-- A server and its clients in one script.
local function fails(expected, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "it did not fail: " .. expected)
  assert(tostring(err):find(expected, 1, true), tostring(err))
end

local seen, met
local problem = {}
local bytes = {}
for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
bytes = table.concat(bytes):rep(1024) -- 256 KiB

local pages = {
  ["/"] = function() return "hello" end,
  ["/nothing"] = function() end,
  ["/created"] = function()
    return {status = 201, body = "made", headers = {["X-One"] = 1, ["Set-Cookie"] = {"a=1", "b=2"}, ["content-type"] = "text/x"}}
  end,
  ["/number"] = function() return {body = 42} end,
  ["/empty"] = function() return {} end,
  ["/echo"] = function(r) return {body = r.body, headers = {["Content-Type"] = r.headers["CONTENT-TYPE"]}} end,
  ["/slow"] = function() sleep(0.05) return "slow" end,
  ["/bytes"] = function() return bytes end,
  ["/fails"] = function() error("it failed") end,
  ["/fails late"] = function() sleep(0.01) error({message = "in a table"}) end,
  ["/wrong"] = function() return true end,
  ["/wrong status"] = function() return {status = 99} end,
  ["/wrong header"] = function() return {headers = {["a b"] = "c"}} end,
  ["/smuggled"] = function() return {headers = {a = "b\r\nc: d"}} end,
  ["/many headers"] = function()
    local values = {}
    for i = 1, 1001 do values[i] = "a" end
    return {headers = {c = values}}
  end,
  ["/wrong body"] = function() return {body = {}} end,
  ["/cancelled"] = function() error(cancelled) end,
  ["/closes"] = function()
    local _ <close> = setmetatable({}, {__close = function(_, problem) met = problem end})
    error(problem)
  end,
}

local server = serve{port = 0, max_body = 300000, function(request)
  seen = request
  local page = pages[request.path]
  return page and page(request) or not page and {status = 404, body = "no such page"} or nil
end}
assert(server.port > 0)
local url = "http://127.0.0.1:" .. server.port
fails("serve: 127.0.0.1:" .. server.port .. ": Address already in use", serve, {port = server.port, print})

local function get(path, options)
  return http.get(url .. path, options)
end

-- what the handler is given
local r = get("/", {headers = {["X-Twice"] = {"a", "b"}, ["X-Empty"] = ""}})
assert(r.status == 200 and r.body == "hello")
assert(r.headers["content-type"] == "text/plain; charset=utf-8")
assert(seen.method == "GET" and seen.path == "/" and seen.body == "" and next(seen.query) == nil)
assert(seen.headers["x-twice"] == "a, b" and seen.headers["X-TWICE"] == "a, b" and seen.headers["x-empty"] == "")
assert(seen.headers.host == "127.0.0.1:" .. server.port)
assert(seen.headers["user-agent"]:find("^heddle/"))
assert(seen.peer:find("^127%.0%.0%.1:%d+$"), seen.peer)
r = get("/a%20path%2Fx?a=1&b=%26+c&a=2&c&=d")
assert(r.status == 404 and r.body == "no such page")
assert(seen.path == "/a path/x" and seen.query.a == "1" and seen.query.b == "& c" and seen.query.c == "")
assert(http.request{url = url .. "/", method = "DELETE"}.status == 200 and seen.method == "DELETE")
r = http.request{url = url .. "/", method = "HEAD"}
assert(seen.method == "HEAD" and r.body == "" and r.headers["content-length"] == "5")

-- what it may return
assert(get("/nothing").status == 204)
r = get("/created")
assert(r.status == 201 and r.body == "made" and r.headers["x-one"] == "1" and r.headers["content-type"] == "text/x")
assert(#r.headers["set-cookie"] == 2 and r.headers["Set-Cookie"][2] == "b=2")
assert(get("/number").body == "42")
r = get("/empty")
assert(r.status == 200 and r.body == "" and r.headers["content-type"] == nil)
assert(get("/slow").body == "slow")
assert(get("/bytes").body == bytes)

-- bodies, also binary ones
r = http.post(url .. "/echo", bytes, {headers = {["Content-Type"] = "application/x"}})
assert(r.body == bytes and r.headers["content-type"] == "application/x" and seen.method == "POST")
r = http.request{url = url .. "/echo", method = "PUT", body = "\0\r\n\0", headers = {["Content-Type"] = "a/b"}}
assert(r.body == "\0\r\n\0" and seen.method == "PUT")
r = http.post(url .. "/echo", "", {headers = {["Content-Type"] = "a/b"}})
assert(r.status == 200 and r.body == "")
assert(http.post(url .. "/echo", ("x"):rep(300001)).status == 413)
-- what is far too large is not read: its sender gets the answer, or cannot send
local ok, far = pcall(http.post, url .. "/echo", ("x"):rep(4000000))
assert(ok and far.status == 413 or not ok and tostring(far):find("Send failure", 1, true), tostring(far))
assert(http.post(url .. "/echo", ("x"):rep(300000), {headers = {["Content-Type"] = "a/b"}}).status == 200)

-- a handler that fails is answered for, and the server goes on
assert(get("/closes").status == 500 and met == problem) -- the error itself
for _, path in ipairs{"/fails", "/fails%20late", "/wrong", "/wrong%20status", "/wrong%20header", "/smuggled", "/wrong%20body"} do
  r = get(path)
  assert(r.status == 500 and not r.headers.c, path)
end
assert(get("/cancelled").status == 503)
assert(get("/").body == "hello")

-- many at once: each in a task of its own
local tasks, start = {}, now()
for i = 1, 200 do
  tasks[i] = spawn(function()
    local body = ("%d "):format(i):rep(i)
    assert(http.post(url .. "/echo", body, {headers = {["Content-Type"] = "a/b"}}).body == body)
    assert(get("/slow").body == "slow")
    return i
  end)
end
local results = gather(tasks)
for i = 1, 200 do assert(results[i] == i) end
assert(now() - start < 5, "they were served one after the other")

-- a handler may ask its own server
pages["/inner"] = function() return get("/slow").body .. " inside" end
assert(get("/inner").body == "slow inside")

-- arguments
fails("a function that answers requests was expected", serve, {port = 0})
fails("no such option", serve, {prot = 1, print})
fails("not within", serve, {port = 65536, print})
fails("not an address in numbers", serve, {address = "nowhere", print})

-- its address
local six = serve{address = "::1", function(request) return request.peer end}
local ok, answer = pcall(http.get, "http://[::1]:" .. six.port)
assert(ok and answer.body:find("^%[::1%]:%d+$"), tostring(answer))
six:close()
six:wait()
print "ok"
