-- time: 0.06
local gun = event()

local function runner(lane, seconds)
  print("lane " .. lane .. " is ready")
  gun:wait()
  sleep(seconds)
  print("lane " .. lane .. " arrives")
end

local runners = {spawn(runner, 1, 0.04), spawn(runner, 2, 0.02), spawn(runner, 3, 0.03)}
sleep(0.02)
print("bang", gun:is_set())
gun:set()
gather(runners)
gun:wait() -- is set still, and does not wait
gun:clear()
print(gun:is_set())
