-- time: 0.3
local function fetch(what, seconds)
  print("Fetching " .. what)
  sleep(seconds)
  print("Got " .. what)
  return what .. " data"
end

local weather = spawn(fetch, "weather", 0.2)
local news = spawn(fetch, "news", 0.3)
local rates = spawn(fetch, "rates", 0.1)
print(await(weather) .. ", " .. await(news) .. ", " .. await(rates))
