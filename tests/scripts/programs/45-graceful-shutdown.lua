-- time: 0.16
local stop, requests = event(), queue()

local function server()
  local handled = 0
  while not (stop:is_set() and requests:empty()) do
    local ok, request = pcall(timeout, 0.02, requests.get, requests)
    if ok then
      print("handling " .. request)
      sleep(0.03)
      handled = handled + 1
      requests:task_done()
    elseif request ~= timed_out then
      error(request)
    end
  end
  print("no more requests")
  return handled
end

local serving = spawn(server)
for i = 1, 4 do requests:put("request " .. i) end
sleep(0.01)
print("stop")
stop:set()
requests:join()
print(await(serving) .. " were handled")
sleep(0.04)
