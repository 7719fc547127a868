-- A script's own globals stay what they are, whatever is used besides, and in whatever order.
event, shield, fs, exec = 1, 2, 3, 4
local lock = mutex()
assert(lock:with(function() return "held" end) == "held")
assert(timeout(5, function() return "in time" end) == "in time")
assert(os.time() > 0 and io.popen)
assert(event == 1 and shield == 2 and fs == 3 and exec == 4)
local names = 0
for _ in pairs(_G) do names = names + 1 end -- opens all
assert(names > 40)
assert(event == 1 and shield == 2 and fs == 3 and exec == 4)
assert(http and json and tcp and serve and semaphore and string.rep)
assert(select(2, pcall(function() return spawn(sleep, 0).status end)):find('a task has no field "status": await it', 1, true))
