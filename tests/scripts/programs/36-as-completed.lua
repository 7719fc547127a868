-- time: 0.06
-- (asyncio.as_completed is a queue and a task each.)
local function as_completed(tasks)
  local ended = queue()
  for _, task in ipairs(tasks) do
    spawn(function()
      wait{task}
      ended:put(task)
    end)
  end
  local left = #tasks
  return function()
    if left == 0 then return nil end
    left = left - 1
    return ended:get()
  end
end

local function measure(place, seconds)
  sleep(seconds)
  return place
end

for task in as_completed{spawn(measure, "attic", 0.06), spawn(measure, "cellar", 0.02), spawn(measure, "hall", 0.04)} do
  print(task:result())
end
