-- time: 0.3
local function work(number, seconds)
  sleep(seconds)
  return "Task " .. number .. " done"
end

local tasks, results = {spawn(work, 1, 0.3), spawn(work, 2, 0.1), spawn(work, 3, 0.2)}, {}
for _, task in ipairs(tasks) do results[#results + 1] = await(task) end
print(table.concat(results, ", "))
