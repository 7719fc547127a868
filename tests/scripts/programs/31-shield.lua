-- time: 0.05
local function precious()
  sleep(0.04)
  print("precious work is done")
  return "result"
end

local inner = spawn(precious)
local waiter = spawn(function() return shield(inner) end)
sleep(0.01)
waiter:cancel()
print(pcall(await, waiter))
print(inner:done(), inner:cancelled())
print(await(inner))
-- Without the shield, the cancellation goes through.
local open = spawn(precious)
waiter = spawn(function() return await(open) end)
sleep(0.01)
waiter:cancel()
print(pcall(await, waiter))
print(open:done(), open:cancelled())
