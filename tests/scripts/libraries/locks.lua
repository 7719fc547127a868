-- A mutex, a semaphore and an event each take their own for self.

local check = require "check"
local fails = check.fails

fails("semaphore expected, got mutex", semaphore(1).acquire, mutex())
fails("semaphore expected, got event", semaphore(1).release, event())
fails("mutex expected, got semaphore", mutex().unlock, semaphore(1))
fails("mutex expected, got event", mutex().with, event(), print)
fails("event expected, got mutex", event().wait, mutex())
fails("event expected, got no value", event().set)
fails("mutex expected, got number", mutex().locked, 1)

assert(select("#", sleep(0)) == 0 and select("#", sleep(0.001)) == 0)
assert(sleep(0, "woken") == "woken" and sleep(0.001, "woken") == "woken")
assert(select("#", sleep(0, nil)) == 1)
