-- time: 0.2
local function task(number, seconds)
  print("Task " .. number .. " started")
  sleep(seconds)
  print("Task " .. number .. " completed")
  return "Result " .. number
end

local results = gather{spawn(task, 1, 0.2), spawn(task, 2, 0.1)}
print(table.concat(results, ", "))
