-- time: 0.3
local slow
local ok, problem = pcall(timeout, 0.3, function()
  slow = current()
  sleep(0.5)
end)
if not ok and problem == timed_out then
  print("Timed out!")
  print(slow:cancelled())
end
