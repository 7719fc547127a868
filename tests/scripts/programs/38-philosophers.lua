-- time: 0.14
local forks = {}
for i = 1, 5 do forks[i] = mutex() end

local function philosopher(i)
  local first, second = math.min(i, i % 5 + 1), math.max(i, i % 5 + 1)
  for meal = 1, 2 do
    forks[first]:with(function()
      forks[second]:with(function()
        print("philosopher " .. i .. " eats meal " .. meal)
        sleep(0.02)
      end)
    end)
    yield()
  end
end

scope(function(table)
  for i = 1, 5 do table:spawn(philosopher, i) end
end)
print("all have eaten")
