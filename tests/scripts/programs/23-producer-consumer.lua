-- time: 0.12
local line = queue(2)

local function produce()
  for i = 1, 5 do
    line:put(i)
    print("put " .. i, "queue holds " .. line:size())
  end
  line:put(nil or "end")
end

local function consume()
  while true do
    local item = line:get()
    if item == "end" then break end
    print("got " .. item)
    sleep(0.02)
  end
  print("consumer ends")
end

gather{produce, consume}
sleep(0.02)
