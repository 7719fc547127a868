-- options: --memory 8388608
-- fs: what is too large for the script is refused before it does harm.
local check = require "check"

local block = ("x"):rep(1 << 20)
fs.write("big", "")
for _ = 1, 9 do fs.append("big", block) end
check.fails_with("fs.read: big: more than the script's memory limit of 8.0 MiB has room for", fs.read, "big")
check.fails_with("fs.lines: big: more than the script's memory limit of 8.0 MiB has room for", function()
  for _ in fs.lines("big") do end
end)
local lines = fs.lines("big", "a")
check.fails("memory limit", lines)
check.fails_with("fs.lines: big: it is closed", lines)
check.fails("not enough memory", function()
  local all = {}
  for piece in fs.lines("big", 1 << 18) do all[#all + 1] = piece end
end)

-- together they have no more room than one
fs.write("half", block .. block .. block)
local results, failed = gather { errors = true, table.unpack((function()
  local all = {}
  for i = 1, 20 do
    all[i] = function() return #fs.read("half") end
  end
  return all
end)()) }
local refused = 0
for i = 1, 20 do
  if failed[i] then
    refused = refused + 1
    local why = tostring(results[i])
    assert(why:find("memory"), why)
  else
    assert(results[i] == 3 << 20)
  end
end

-- and all of it is given back
collectgarbage()
for _ = 1, 20 do
  assert(#fs.read("half") == 3 << 20)
  collectgarbage()
end
