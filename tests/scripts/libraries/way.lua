-- options: --memory 536870912
-- Functions in C that a script can make long let others run meanwhile, or end soon.
local check = require "check"

-- Begins a command, calls f(...), and looks: was it started before that had returned?
local function gives_way(f, ...)
  fs.exists(".") -- a slice begins
  local command = spawn(exec, "read -r line < /proc/$$/stat; echo \"$line\"")
  yield()
  f(...)
  local returned = now()
  local fields, ticks = await(command).stdout:match("%) (.*)"), nil
  local place = 3 -- the first one is the command's pid, then its name, which ends with the last ')'
  for field in fields:gmatch("%S+") do
    if place == 22 then ticks = tonumber(field) end
    place = place + 1
  end
  assert(ticks / 100 < returned - 0.02, returned - ticks / 100)
end

local many = {}
for i = 1, 4000000 do many[i] = true end
gives_way(pcall, fs.mkdir, "nowhere/at/all", many)

local entries = {}
for i = 1, 300000 do entries[i] = true end
check.fails_with("exec: arguments and environment are too large together", exec, { "true", env = entries })
check.fails_with("json.decode: line 1, column 1: a number of more than 4096 digits", json.decode, ("1"):rep(100000000))
check.fails_with("json.decode: line 30000001, column 1: unexpected 'x' (a value was expected)", json.decode,
  ("\n"):rep(30000000) .. "x")
