-- time: 0.3
local function call(number, seconds)
  print("Calling API " .. number)
  sleep(seconds)
  if number == 2 then error("API failed!", 0) end
  print("Received from API " .. number)
  return "Result " .. number
end

local tasks = {errors = true}
for i, delay in ipairs{0.1, 0.2, 0.3} do tasks[i] = spawn(call, i, delay) end
local results, failed = gather(tasks)
for i = 1, results.n do
  print((failed[i] and "Error: " or "") .. results[i])
end
