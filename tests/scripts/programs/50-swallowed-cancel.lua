-- time: 0.07
-- (A cancellation is an edge: once caught, the task goes on, and waits again.)
local function stubborn()
  for try = 1, 3 do
    local ok, problem = pcall(sleep, 0.03)
    print("stubborn", try, ok and "slept" or problem)
  end
  return "ended by itself"
end

local task = spawn(stubborn)
sleep(0.01)
print(task:cancel())
print(task:cancel())
yield()
yield()
print(await(task), task:cancelled())
sleep(0)
local own = spawn(function()
  current():cancel()
  print("still runs")
  yield()
  print("never")
end)
print(pcall(await, own))
