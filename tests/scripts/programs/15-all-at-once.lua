-- time: 0.2
local function show(text, seconds)
  sleep(seconds)
  print(text)
end

local tasks = {spawn(show, "First", 0.2), spawn(show, "Second", 0.2), spawn(show, "Third", 0.2)}
for _, task in ipairs(tasks) do await(task) end
