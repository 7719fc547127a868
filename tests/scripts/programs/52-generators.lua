-- time: 0.18
-- (Waits pass through a script's own coroutines, as through asyncio's async generators.)
local function countdown(from)
  return coroutine.wrap(function()
    for i = from, 1, -1 do
      sleep(0.03)
      coroutine.yield(i)
    end
  end)
end

local function watch(name, from)
  for i in countdown(from) do print(name .. " " .. i) end
  print(name .. " lifts off")
end

gather{
  function() watch("alpha", 3) end,
  function() sleep(0.015) watch("beta", 2) end,
}
local sum = 0
for i in countdown(3) do sum = sum + i end
print(sum)
