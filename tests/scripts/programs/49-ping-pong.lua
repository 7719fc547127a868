-- time: 0
local ping, pong = queue(1), queue(1)

local function player(name, from, to, turns)
  for _ = 1, turns do
    local ball = from:get()
    print(name .. " " .. ball)
    to:put(ball + 1)
  end
end

local players = {spawn(player, "ping", ping, pong, 4), spawn(player, "pong", pong, ping, 4)}
ping:put(1)
gather(players)
print("the ball is at " .. ping:get())
