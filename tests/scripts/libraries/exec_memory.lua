-- options: --memory 8388608
-- exec: output that the script has no room for ends the command.
local check = require "check"
check.fails_with("exec: its output: more than the script's memory limit of 8.0 MiB has room for", exec, "yes")
check.fails_with("exec: its output: more than the script's memory limit of 8.0 MiB has room for", exec, "yes >&2")
check.fails_with("io.popen: yes: more than the script's memory limit of 8.0 MiB has room for", function()
  io.popen("yes"):read("a")
end)
-- what is read piece by piece needs none
local bytes = 0
for piece in io.popen("head -c 50000000 /dev/zero"):lines(65536) do bytes = bytes + #piece end
check.equal(bytes, 50000000)
check.equal(#exec("head -c 3000000 /dev/zero").stdout, 3000000)
