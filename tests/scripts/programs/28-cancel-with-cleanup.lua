-- time: 0.04
local function finally(f) return setmetatable({}, {__close = f}) end

local function transfer()
  local connection <close> = finally(function(_, problem)
    print("closing, because of: " .. tostring(problem))
    sleep(0.02)
    print("closed")
  end)
  print("open")
  sleep(1)
  print("never")
end

local task = spawn(transfer)
sleep(0.02)
print("cancel", task:cancel(), task:done())
print(pcall(await, task))
print(task:cancelled(), task:cancel())
