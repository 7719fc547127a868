-- time: 0.18
local attempts = 0

local function unreliable()
  attempts = attempts + 1
  print("attempt " .. attempts)
  if attempts == 1 then sleep(1) end
  sleep(0.01)
  if attempts < 4 then error("attempt " .. attempts .. " failed", 0) end
  return "answer"
end

local function retry(times, f)
  local pause = 0.02
  for try = 1, times do
    local ok, result = pcall(timeout, 0.05, f)
    if ok then return result end
    if result == cancelled then error(cancelled) end
    print("no: " .. tostring(result))
    sleep(pause)
    pause = pause * 2 > 0.04 and 0.04 or pause * 2
  end
  error("gave up", 0)
end

print(retry(5, unreliable))
print(pcall(retry, 0, unreliable))
