-- time: 0.06
local flights, fetches = {}, 0

local function fetch(key)
  fetches = fetches + 1
  print("fetching " .. key)
  sleep(0.03)
  if key == "moon" then error("no such key: " .. key, 0) end
  return key:upper()
end

local function lookup(key)
  local flight = flights[key]
  if not flight then
    flight = spawn(fetch, key)
    flights[key] = flight
  end
  return shield(flight)
end

local results, failed = gather{
  function() return lookup("sun") end,
  function() return lookup("moon") end,
  function() return lookup("sun") end,
  function() return lookup("moon") end,
  errors = true,
}
for i = 1, results.n do print(i, failed[i] or false, results[i]) end
print(lookup("sun"), fetches)
-- One who waits is cancelled; the other still gets what was asked for.
local hasty, patient = spawn(lookup, "star"), spawn(lookup, "star")
sleep(0.01)
hasty:cancel()
print(await(patient), hasty:cancelled())
