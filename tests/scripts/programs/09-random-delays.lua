-- time: 0.3
-- random: 3
-- (The delays are arguments, so that both languages have the same random ones.)
local function call(number, seconds)
  print("Calling API " .. number)
  sleep(seconds)
  print("Received from API " .. number)
  return "Result " .. number
end

local delays = #args == 3 and args or {0.2, 0.3, 0.1}
local tasks = {}
for i, delay in ipairs(delays) do tasks[i] = spawn(call, i, tonumber(delay)) end
print(table.concat(gather(tasks), ", "))
