-- time: 0.1
local balance, guard = 100, mutex()

local function withdraw(name, amount)
  guard:with(function()
    local seen = balance
    print(name .. " sees " .. seen)
    sleep(0.02) -- without the mutex both would see 100
    if seen >= amount then
      balance = seen - amount
      print(name .. " took " .. amount)
    else
      print(name .. " cannot take " .. amount)
    end
  end)
end

gather{
  function() withdraw("Ann", 60) end,
  function() withdraw("Ben", 60) end,
  function() withdraw("Cem", 40) end,
}
-- A mutex is given back when what it guards fails, or is cancelled.
print(pcall(guard.with, guard, error, "it failed"))
local holder = spawn(guard.with, guard, sleep, 1)
sleep(0.02)
print(guard:locked())
holder:cancel()
sleep(0.02)
print(guard:locked(), balance)
