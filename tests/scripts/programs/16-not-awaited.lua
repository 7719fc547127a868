-- time: 0.1
-- finding: still ran: task-2
local function background()
  print("in the background")
  sleep(0.2)
  print("never")
end

spawn(background)
sleep(0.1)
