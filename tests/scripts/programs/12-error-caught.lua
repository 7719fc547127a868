-- time: 0.1
local function broken()
  sleep(0.1)
  error("Something went wrong", 0)
end

local ok, problem = pcall(broken)
if not ok then print("Error caught: " .. problem) end
