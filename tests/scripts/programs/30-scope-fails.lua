-- time: 0.03
local function child(name, seconds, fails)
  local ok, problem = pcall(sleep, seconds)
  if not ok then
    print(name .. " was cancelled")
    error(problem)
  end
  if fails then error(name .. " failed", 0) end
  print(name .. " is done")
end

local ok, problem = pcall(scope, function(s)
  s:spawn(child, "first", 0.01)
  s:spawn(child, "second", 0.02, true)
  s:spawn(child, "third", 0.03)
  local inner_ok, inner_problem = pcall(sleep, 1)
  print("the body", inner_ok, inner_problem)
  error(inner_problem)
end)
print(ok, problem)

-- A body that fails cancels its children, and its error comes out once they have ended.
print(pcall(scope, function(s)
  s:spawn(child, "fourth", 0.01)
  yield()
  error("the body failed", 0)
end))
sleep(0.01)
print("the program goes on")
