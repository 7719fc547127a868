-- What a script can get hold of, and must not do harm with.

local check = require "check"
local fails = check.fails

-- metatables that C sets are out of reach: with __gc in one, a script would have finalizers, which nothing can stop
assert(type(getmetatable(json.array {})) == "string" and type(getmetatable(json.decode("[]"))) == "string")
assert(type(getmetatable(spawn(print))) == "string" and type(getmetatable(mutex())) == "string")
fails("table expected", getmetatable(_G).__index, 0x41414141, "x")
fails("table expected", getmetatable(_G).__index, ("A"):rep(64), "x")

-- a finalized value, found again as a key
local function again(make)
  local weak = setmetatable({}, {__mode = "k"})
  make(weak)
  collectgarbage()
  return weak
end

fs.write("lines", "1\n2\n")
for handle in pairs(again(function(weak) weak[io.popen("true")] = true end)) do
  fails("userdata", function() handle:read() end)
end
for closer, step in pairs(again(function(weak)
  local step, _, _, closer = fs.lines("lines")
  weak[closer] = step
end)) do
  fails("it is closed", step)
  assert(closer)
end
for s in pairs(again(function(weak)
  coroutine.resume(coroutine.create(function()
    scope(function(s)
      weak[s] = true
      s = nil
      coroutine.yield()
    end)
  end))
end)) do
  pcall(function() s:spawn(sleep, 0.001) end)
end
collectgarbage()
sleep(0.005)

-- a scope whose body is a coroutine's outlives the task that began it
local body
local function begin()
  body = coroutine.create(function()
    return pcall(scope, function(s)
      s:spawn(function() sleep(0.005) error("late", 0) end)
      coroutine.yield()
      return "went on"
    end)
  end)
  coroutine.resume(body)
end
await(spawn(begin))
for _ = 1, 3 do spawn(print) yield() collectgarbage() end
sleep(0.01)
local _, ok, why = coroutine.resume(body)
assert(ok == false and why == "late", tostring(why))

await(spawn(begin)) -- and is awaited by another
for _ = 1, 3 do yield() collectgarbage() end
_, ok, why = coroutine.resume(body)
assert(ok == false and why == "late", tostring(why))

-- one that nothing goes on with
await(spawn(begin))
body = nil
for _ = 1, 3 do yield() collectgarbage() end
sleep(0.01)
collectgarbage()

-- a gather that failed half way, and whose finalizer finds no stack
local task, asked = spawn(sleep, 0.02), 0
local list = setmetatable({}, {
  __len = function() return 2 end,
  __index = function()
    asked = asked + 1
    if asked == 4 then error("half way") end
    return task
  end,
})
local function down(depth)
  if depth > 0 then return pcall(down, depth - 1) end
  asked = 0
  pcall(gather, list)
  collectgarbage()
end
for depth = 150, 199 do down(depth) end
collectgarbage()
for i = 1, 1000 do string.rep(string.char(i % 256), 200) end
await(task)

-- a weak table may lose what is being written
fails("weak", json.encode, setmetatable({a = {}}, {__mode = "v"}))
