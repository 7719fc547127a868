-- time: 0.12
local seats = semaphore(2)

local function guest(name)
  seats:with(function()
    print(name .. " sits down")
    sleep(0.04)
    print(name .. " leaves")
  end)
end

local guests = {}
for i = 1, 6 do guests[i] = spawn(guest, "guest " .. i) end
gather(guests)
print(seats:locked())
