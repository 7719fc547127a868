-- time: 0.3
local function slow_hello()
  print("Saying hello")
  sleep(0.3)
  print("done")
end

local function at_once()
  print("I never wait")
end

local hello = spawn(slow_hello)
at_once()
await(hello)
