-- time: 0.22
local function every(seconds, f)
  while true do
    f()
    sleep(seconds)
  end
end

local ticks, tocks = 0, 0
local tick = spawn(every, 0.04, function() ticks = ticks + 1 print("tick " .. ticks) end)
sleep(0.02)
local tock = spawn(every, 0.08, function() tocks = tocks + 1 print("tock " .. tocks) end)
sleep(0.2)
tick:cancel()
tock:cancel()
gather{tick, tock, errors = true}
print(ticks, tocks)
