-- time: 0.09
local function barrier(parties)
  local waiting, gate = 0, event()
  return function()
    waiting = waiting + 1
    if waiting == parties then
      waiting = 0
      local open = gate
      gate = event()
      open:set()
    else
      gate:wait()
    end
  end
end

local meet = barrier(3)
local function hiker(name, seconds)
  for day = 1, 2 do
    sleep(seconds)
    print(name .. " is at the hut on day " .. day)
    meet()
    yield()
    print(name .. " goes on")
  end
end

gather{
  function() hiker("Ann", 0.015) end,
  function() hiker("Ben", 0.03) end,
  function() hiker("Cem", 0.045) end,
}
