-- time: 0.6
local function show(text, seconds)
  sleep(seconds)
  print(text)
end

show("First", 0.2)
show("Second", 0.2)
show("Third", 0.2)
