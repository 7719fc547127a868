-- time: 0.2
local function task1()
  print("Task 1 started")
  sleep(0.2)
  print("Task 1 completed")
end

local function task2()
  print("Task 2 started")
  sleep(0.1)
  print("Task 2 completed")
end

gather{task1, task2}
