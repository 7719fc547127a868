-- time: 0
local ok, problem = pcall(run, function() print("never") end)
if not ok then print("error: " .. problem) end
