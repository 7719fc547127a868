-- time: 0.05
local listeners = {}

local function listen(name, count)
  local inbox = queue()
  listeners[#listeners + 1] = inbox
  for _ = 1, count do
    print(name .. " hears: " .. inbox:get())
  end
  print(name .. " goes home")
end

local function announce(text)
  for _, inbox in ipairs(listeners) do inbox:put(text) end
  sleep(0.01)
end

scope(function(room)
  room:spawn(listen, "Ann", 3)
  room:spawn(listen, "Ben", 2)
  yield()
  for i, text in ipairs{"welcome", "the talk begins", "questions?"} do announce(i .. ": " .. text) end
end)
sleep(0.02)
print("the room is empty")
