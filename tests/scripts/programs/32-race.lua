-- time: 0.05
local function mirror(name, seconds)
  sleep(seconds)
  return "from " .. name
end

local tasks = {spawn(mirror, "Vienna", 0.09), spawn(mirror, "Oslo", 0.05), spawn(mirror, "Porto", 0.07)}
local done, pending = wait(tasks, "first")
print(#done, #pending, done[1]:result())
for _, task in ipairs(pending) do task:cancel() end
wait(pending)
for _, task in ipairs(tasks) do print(task.name, task:cancelled()) end
