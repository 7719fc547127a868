-- time: 0.27
local raw, squared = queue(1), queue(1)

local function numbers()
  for i = 1, 5 do
    raw:put(i)
    print("made " .. i)
  end
  raw:put(false)
end

local function square()
  for n in function() return raw:get() or nil end do
    sleep(0.02)
    squared:put(n * n)
    print("squared " .. n)
  end
  squared:put(false)
end

local function sum()
  local total = 0
  for n in function() return squared:get() or nil end do
    sleep(0.05)
    total = total + n
    print("sum " .. total)
  end
  return total
end

local results = gather{numbers, square, sum}
print("in all " .. results[3])
