-- time: 0.08
local tokens = semaphore(2)

local refill = spawn(function()
  while true do
    sleep(0.04)
    print("refill")
    tokens:release()
    tokens:release()
  end
end)

local function request(number)
  tokens:acquire()
  print("request " .. number)
end

local requests = {}
for i = 1, 6 do requests[i] = spawn(request, i) end
gather(requests)
refill:cancel()
