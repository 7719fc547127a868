-- time: 1.2
-- real
-- needs: http
-- server
local url = args[1]

local start = now()
for i = 1, 5 do
  local response = http.get(url .. "/" .. i)
  print(response.status, response.body)
end
print(now() - start >= 0.999 and "one after another" or "too early")

local tasks = {}
for i = 1, 5 do tasks[i] = spawn(http.get, url .. "/" .. i) end
start = now()
for _, response in ipairs(gather(tasks)) do print(response.status, response.body) end
print(now() - start < 0.5 and "all at once" or "too late")
