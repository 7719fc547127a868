-- time: 0.05
local function probe(name, seconds, problem)
  sleep(seconds)
  if problem then error(problem, 0) end
  return name
end

local tasks = {
  spawn(probe, "a", 0.01),
  spawn(probe, "b", 0.02, "b is down"),
  spawn(probe, "c", 0.05),
}
local function report(done, pending)
  for _, task in ipairs(done) do print(task.name, "ended", pcall(task.result, task)) end
  for _, task in ipairs(pending) do print(task.name, "runs") end
end

report(wait(tasks, "first"))
report(wait(tasks, "error"))
report(wait(tasks, "all", 0.01))
report(wait(tasks))
