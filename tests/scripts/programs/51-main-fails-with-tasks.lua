-- time: 0.07
-- fails: the program failed
-- finding: still ran: task-2
-- finding: still ran: task-3
local function finally(f) return setmetatable({}, {__close = f}) end

local function service(name, seconds)
  local _ <close> = finally(function()
    sleep(seconds)
    print(name .. " stopped")
  end)
  print(name .. " starts")
  event():wait()
end

spawn(service, "database", 0.04)
spawn(service, "server", 0.02)
sleep(0.03)
error("the program failed", 0)
