-- time: 0
-- Cancelling a gather cancels what its first member waits for before its second member.
local gate = event()

local function worker(name)
  local ok, why = pcall(gate.wait, gate)
  print(name, why == cancelled)
  error(why, 0)
end

local first, second = spawn(worker, "first"), spawn(worker, "second")
local function follower() return await(second) end
local all = spawn(function() gather{follower, first, second} end)
for _ = 1, 3 do yield() end
all:cancel()
wait{all}
print(all:cancelled(), first:cancelled(), second:cancelled())
