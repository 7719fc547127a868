-- time: 0.13
local beat = event()

local function watchdog()
  while true do
    local ok, problem = pcall(timeout, 0.05, beat.wait, beat)
    if not ok then
      print("no heartbeat: " .. tostring(problem))
      return "barked"
    end
    print("heartbeat")
    beat:clear()
  end
end

local function heart()
  for i = 1, 3 do
    sleep(0.02)
    beat:set()
  end
  sleep(1)
end

local dog, patient = spawn(watchdog), spawn(heart)
print(await(dog))
patient:cancel()
sleep(0.02)
print(patient:cancelled())
