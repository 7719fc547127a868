-- A hundred connections at once to an echo server of the script's own; lines, pieces, exact amounts.
-- the library does without these names
local spawn = spawn
_G.spawn, semaphore, setmetatable = nil, nil, nil
local listener = tcp.listen{port = 0}
assert(listener.port > 0)
assert(tostring(listener) == "listener at port " .. listener.port)

local server = spawn(function()
  listener:serve(function(connection)
    for line in function() return connection:read_line() end do
      connection:write(line .. "\n")
    end
  end)
end)

local function client(number)
  local c <close> = tcp.connect("127.0.0.1", listener.port, {timeout = 10})
  assert(c.peer == "127.0.0.1:" .. listener.port, c.peer)
  for i = 1, 20 do
    local text = ("%d/%d "):format(number, i) .. ("x"):rep(i * 37)
    c:write(text .. (i % 2 == 0 and "\r\n" or "\n"))
    local got = c:read_line()
    assert(got == text, got)
  end
  c:write("two\nlines\n")
  assert(c:read_exactly(4) == "two\n")
  assert(c:read_exactly(0) == "")
  assert(c:read_exactly(3) == "lin")
  assert(c:read_line() == "es")
  c:write("last, without a line break")
  c:shutdown()
  assert(c:read_line() == "last, without a line break")
  assert(c:read() == nil and c:read_line() == nil and c:read() == nil)
  return number
end

local tasks = {}
for i = 1, 100 do tasks[i] = spawn(client, i) end
local results = gather(tasks)
for i = 1, 100 do assert(results[i] == i) end

-- binary, and large enough to fill every buffer there is
local data = {}
for i = 0, 255 do data[#data + 1] = string.char(i) end
data = table.concat(data):rep(16 * 1024) -- 4 MiB
local big = tcp.listen(0, function(c)
  local left = #data
  while left > 0 do
    local piece = c:read()
    left = left - #piece
    c:write(piece)
  end
end)
local c = tcp.connect("localhost", big.port)
local writer = spawn(function() c:write(data) end)
local parts, got = {}, 0
while got < #data do
  local piece = c:read(100000)
  assert(#piece <= 100000)
  parts[#parts + 1], got = piece, got + #piece
end
await(writer)
assert(table.concat(parts) == data)
assert(c:read() == nil)
c:close()

-- the whole at once
local c2 = tcp.connect("127.0.0.1", big.port)
writer = spawn(function() c2:write(data) end)
assert(c2:read_exactly(#data) == data)
c2:close()
big:close()
listener:close()
await(server)

-- much at once, from a sender that is faster: the other tasks have their turns meanwhile
local fast = tcp.listen(0)
local sender = spawn(exec, {"bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/" .. fast.port .. "; (head -c 20000000 /dev/zero; echo) >&3; cat <&3 >/dev/null"})
local c3 = fast:accept()
local turns, much = 0, ("m"):rep(10000000)
local function count_turns() for _ = 1, math.huge do turns = turns + 1 yield() end end
for _, call in ipairs{function() return #c3:read_exactly(10000000) end, function() return #c3:read_line(10000000) end,
                      function() c3:write(much) return #much end} do
  local counter = spawn(count_turns)
  turns = 0
  assert(call() == 10000000)
  assert(turns > 3, turns)
  counter:cancel()
end
c3:close()
await(sender)
print "ok"
