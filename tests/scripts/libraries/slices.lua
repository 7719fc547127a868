-- options: --cpu 0.5
-- status: 1
-- The end of a slice that comes while a thread of Lua's is in a call, and ends behind it, is the next thread's: the limit holds.
local addr
do
  local c = coroutine.create(block)
  addr = tostring(c)
  coroutine.resume(c, 0.009)
end
collectgarbage()
for i = 1, 200 do
  local c = coroutine.create(function() while true do end end)
  if tostring(c) == addr then coroutine.resume(c) end
end
while true do coroutine.wrap(block)(0.01) end
