-- time: 0.03
local tree = {
  name = "root", cost = 1,
  {name = "left", cost = 2, {name = "left leaf", cost = 3}},
  {name = "right", cost = 4, {name = "right leaf 1", cost = 5}, {name = "right leaf 2", cost = 6}},
}

local function walk(node)
  print("visit " .. node.name)
  sleep(0.01)
  local children = {}
  for i, child in ipairs(node) do children[i] = spawn(walk, child) end
  local total = node.cost
  for _, sum in ipairs(gather(children)) do total = total + sum end
  print(node.name .. " costs " .. total)
  return total
end

print(walk(tree))
