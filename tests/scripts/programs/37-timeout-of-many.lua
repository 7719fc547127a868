-- time: 0.04
local function step(name, seconds)
  local ok, problem = pcall(sleep, seconds)
  print(name, ok and "finished" or tostring(problem))
  if not ok then error(problem) end
  return name
end

local ok, problem = pcall(timeout, 0.03, gather, {
  function() return step("quick", 0.02) end,
  function() return step("slow", 0.5) end,
  function() return step("slower", 0.9) end,
})
print(ok, problem)
sleep(0.01)
print(timeout(0.03, step, "in time", 0))
