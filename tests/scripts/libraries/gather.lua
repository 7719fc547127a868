-- Lists that are not what they say, and what is left of a gather that failed half way.

local check = require "check"
local fails = check.fails

local function claims(count, list)
  return setmetatable(list or {}, {__len = function() return count end})
end

local functions = {}
for i = 1, 100 do functions[i] = function() end end
fails("its length is negative", gather, claims(-1, functions))
fails("its length is negative", gather, claims(math.mininteger, functions))
fails("too many tasks", gather, claims(math.maxinteger, functions))
fails("entry 1 is a nil", gather, claims(1))
fails("there are no tasks to wait for", wait, claims(-1))
fails("too many tasks", wait, claims(1 << 24))

local asked = 0
local changes = setmetatable({}, {
  __len = function() return 3 end,
  __index = function()
    asked = asked + 1
    if asked > 4 then error("half way") end
    return spawn(sleep, 0.001)
  end,
})
fails("half way", gather, changes)
yield()
pcall(string.rep, "x", 1 << 40) -- the collector runs while no finalizer may
collectgarbage()
sleep(0.005)
collectgarbage()

-- an error that may lose what it has
local weak, values = setmetatable({}, {__mode = "v"}), {}
collectgarbage("generational")
for i = 1, 8 do
  values[i] = {}
  weak[i .. ("k"):rep(60)] = values[i]
end
values = nil
local failed = spawn(error, weak)
pcall(await, failed)
assert(not pcall(scope, function(s) s:spawn(error, weak) end))
