-- Coroutines that cannot be resumed say so, as Lua's own do.
local dead = coroutine.create(function() end)
assert(coroutine.resume(dead))
local function cannot(expected, thread)
  local ended, message = coroutine.resume(thread)
  assert(ended == false and message == expected, message)
end
cannot("cannot resume dead coroutine", dead)
coroutine.wrap(function()
  cannot("cannot resume non-suspended coroutine", coroutine.running())
  local outer = coroutine.running()
  coroutine.wrap(function() cannot("cannot resume non-suspended coroutine", outer) end)()
end)()
cannot("cannot resume a coroutine in which a task waits", coroutine.running())
local waits = coroutine.create(sleep)
spawn(coroutine.resume, waits, 0.01)
yield()
cannot("cannot resume a coroutine in which a task waits", waits)
print "ok"
