-- options: --cpu 0.3
-- status: 1
-- Blocking is time on a core, too.
while true do pcall(block, 3600) end
