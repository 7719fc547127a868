-- time: 0.02
local function class(name) return setmetatable({}, {__index = {kind = name}, __tostring = function() return name end}) end
local not_found, refused = class("not found"), class("refused")

local function fetch(page)
  sleep(0.01)
  if page == "missing" then error(not_found) end
  if page == "private" then error(refused) end
  return "page " .. page
end

for _, page in ipairs{"home", "missing", "private"} do
  spawn(fetch, page).name = page
end

local function describe(page)
  local ok, result = pcall(await, spawn(fetch, page))
  if ok then return result end
  if result == not_found then return "404 " .. tostring(result) end
  return "403 " .. result.kind
end

print(describe("home"))
print(table.concat(gather{function() return describe("missing") end, function() return describe("private") end}, ", "))
