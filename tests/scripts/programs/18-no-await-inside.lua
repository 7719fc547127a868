-- time: 0
local function work(name)
  print(name .. " begins")
  local sum = 0
  for i = 1, 1000 do sum = sum + i end
  print(name .. " ends with " .. sum)
end

local a, b = spawn(work, "A"), spawn(work, "B")
await(a)
await(b)
