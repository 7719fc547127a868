-- time: 0.3
-- real
-- (What a blocked thread does to other jobs is the service's affair, and tested there.)
local ticks = 0
local ticker = spawn(function()
  while true do
    sleep(0.01)
    ticks = ticks + 1
  end
end)

yield()
block(0.3)
print("ticks meanwhile: " .. ticks)
ticker:cancel()
print(select(2, pcall(await, ticker)) == cancelled)
