-- time: 0.2
-- fails: API failed!
-- finding: still ran: task-4
local function call(number, seconds)
  print("Calling API " .. number)
  sleep(seconds)
  if number == 2 then error("API failed!", 0) end
  print("Received from API " .. number)
  return "Result " .. number
end

local tasks = {}
for i, delay in ipairs{0.1, 0.2, 0.3} do tasks[i] = spawn(call, i, delay) end
gather(tasks)
print("never")
