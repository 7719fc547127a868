-- time: 0.02
local function work()
  sleep(0.02)
  return "fruit", 3
end

local task = spawn(work)
task.name = "picker"
print(current().name, task.name, task:done(), task:cancelled())
print((pcall(task.result, task)))
print(await(task))
print(task:done(), task:cancelled(), task:result())
print(task:error())

local broken = spawn(error, {code = 7})
wait{broken}
print(broken:error().code, select(2, pcall(broken.result, broken)) == broken:error())

local never = spawn(print, "never")
print(never:cancel(), never:done())
yield()
print(never:done(), never:cancelled(), select(2, pcall(never.error, never)))
