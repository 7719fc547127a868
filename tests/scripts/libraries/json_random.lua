-- json: random values come back as they went; texts with random damage are refused or read, and never more than that.
local seed = tonumber(args[1]) or os.time()
print("seed " .. seed)
math.randomseed(seed)
local random = math.random

local alphabet = { "a", "z", "0", " ", "\0", "\n", '"', "\\", "/", "\x7f", "é", "€", "😀", "\u{ffff}", "\u{10ffff}" }

local function text()
  local t = {}
  for i = 1, random(0, 12) do t[i] = alphabet[random(#alphabet)] end
  return table.concat(t)
end

local scalars = {
  function() return random(-1000, 1000) end,
  function() return random(0) end,
  function() return (random() - 0.5) * 10 ^ random(-300, 300) end,
  function() return string.unpack("<i8", string.pack("<i8", random(0))) end,
  text,
  function() return random(2) == 1 end,
  function() return json.null end,
}

local function value(depth)
  local kind = depth > 0 and random(10) or 10
  if kind > 4 then return scalars[random(#scalars)]() end
  local t = {}
  if kind > 2 then
    for i = 1, random(0, 6) do t[i] = value(depth - 1) end
    return json.array(t)
  end
  for _ = 1, random(0, 6) do t[text()] = value(depth - 1) end
  return t
end

local same = require("check").same

local function mutate(s)
  local kind, at = random(4), random(#s)
  if kind == 1 then return s:sub(1, at - 1) .. string.char(random(0, 255)) .. s:sub(at + 1) end
  if kind == 2 then return s:sub(1, at - 1) .. s:sub(at + random(5)) end
  if kind == 3 then return s:sub(1, at) .. s:sub(random(#s)) end
  return s:sub(1, at)
end

local read, refused = 0, 0
for round = 1, tonumber(args[2]) or 3000 do
  local v = value(5)
  local s = json.encode(v, round % 3 == 0 and { indent = random(0, 3) } or nil)
  local back = json.decode(s)
  assert(same(v, back), "changed on the way: " .. s)
  assert(json.encode(back) == json.encode(v))
  local damaged = s
  for _ = 1, random(3) do
    if #damaged > 0 then damaged = mutate(damaged) end
  end
  local ok, got = pcall(json.decode, damaged)
  if ok then
    read = read + 1
    assert(same(json.decode(json.encode(got)), got), "changed on the way: " .. damaged)
  else
    refused = refused + 1
    assert(got:find("^json%.decode: line %d+, column %d+: "), got)
  end
end
assert(read > 0 and refused > 0)
