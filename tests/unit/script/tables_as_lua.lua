-- The functions of the table library against Lua's own (the global `lua`), on random tables and arguments, with and without
-- metatables: the same results, errors and contents, and the same reads and writes in the same order.
math.randomseed(...)
local random, format = math.random, string.format
local CASES = 15000

local ELEMENTS = {"a", "b", 1, 2.5, -3, "10", true}
local INDICES = {nil, 0, 1, 2, 3, 4, 6, 9, -1, -2, math.maxinteger, math.mininteger, math.maxinteger - 1, "2", 1.5, {}, "x"}

local function shown(list)
  local texts = {}
  for i = 1, list.n do texts[i] = format("%q", tostring(list[i])) end
  return table.concat(texts, ", ")
end

-- A table of random elements, often with holes; or one that stands for it, writes down what is done to it, and claims any length.
local function made(elements, kind, claimed)
  local content, log = {}, {}
  for i = 1, #elements do content[i] = elements[i] or nil end
  if kind == "plain" then return content, content, log end

  return setmetatable({}, {
    __index = function(_, key) log[#log + 1] = "get " .. tostring(key) return content[key] end,
    __newindex = function(_, key, value)
      log[#log + 1] = "set " .. tostring(key)
      content[key] = value
    end,
    __len = kind == "claims" and function() return claimed end or function() return #elements end,
  }), content, log
end

local function contents(content)
  local texts = {}
  for key, value in pairs(content) do texts[#texts + 1] = tostring(key) .. "=" .. tostring(value) end
  lua.sort(texts)
  return lua.concat(texts, ",")
end

-- Lua's own functions do not know what they are called any more; and before Lua 5.4.5, table.remove blames the wrong argument.
local function without_names(message)
  return (message:gsub("#1 to '[%w.?]+' %(position out", "#2 to it (position out"):gsub("to '[%w.?]+'", "to it"):gsub("'[%w.?]+'$", "it"))
end

-- Each argument is an index into INDICES, "new" for a value, or "table" for a second table.
local function run(library, name, elements, kind, claimed, arguments)
  local table_, content, log = made(elements, kind, claimed)
  local second, second_content, second_log = made({"x", "y"}, kind, claimed)
  local given = {n = arguments.n}
  for i = 1, arguments.n do
    given[i] = arguments[i]
    if given[i] == "table" then given[i] = second end
  end
  local results = lua.pack(pcall(library[name], table_, lua.unpack(given, 1, given.n)))
  if not results[1] then results[2] = without_names(results[2]) end
  for i = 1, results.n do
    if results[i] == table_ then results[i] = "the table" elseif results[i] == second then results[i] = "the second" end
  end
  return format("%s: %s; %s; %s; %s; %s", name, shown(results), contents(content), contents(second_content),
    lua.concat(log, ","), lua.concat(second_log, ","))
end

-- Does the call end soon in Lua's own library? Ranges are short, or fail at once.
local function is_long(name, elements, kind, claimed, arguments)
  local length = kind == "claims" and claimed or #elements
  local function number(i, default)
    local value = arguments[i]
    return math.tointeger(tonumber(value)) or default
  end
  local function spans(from, to) return from < to and (to - from > 30 or to - from < 0) end
  if name == "insert" then
    return arguments.n > 1 and spans(number(1, length), length)
  elseif name == "remove" then
    return spans(number(1, length), length)
  elseif name == "concat" then
    return false
  elseif name == "unpack" then
    return spans(number(1, 1), number(2, length))
  end
  return spans(number(1, 1), number(2, 1))
end

local SHAPES = {
  insert = {{"index", "new"}, {"new"}, {}, {"index", "new", "new"}},
  remove = {{"index"}, {}, {"index", "index"}},
  concat = {{}, {"new"}, {"new", "index"}, {"new", "index", "index"}, {"index", "index"}},
  unpack = {{}, {"index"}, {"index", "index"}},
  move = {{"index", "index", "index"}, {"index", "index", "index", "table"}, {"index", "index"},
          {"index", "index", "index", "new"}},
}
local NAMES = {"insert", "remove", "concat", "unpack", "move"}
local KINDS = {"plain", "plain", "proxy", "claims"}
local compared = 0
for _ = 1, CASES do
  local name, kind = NAMES[random(#NAMES)], KINDS[random(#KINDS)]
  local elements = {}
  for i = 1, random(0, 8) do elements[i] = random(9) > 1 and ELEMENTS[random(#ELEMENTS)] or false end
  local shape = SHAPES[name][random(#SHAPES[name])]
  local arguments = {n = #shape}
  for i, what in ipairs(shape) do
    local index = INDICES[random(17)]
    arguments[i] = what == "new" and ELEMENTS[random(#ELEMENTS)] or what == "table" and "table" or index
  end
  local claimed = random(-3, 20)
  if not is_long(name, elements, kind, claimed, arguments) then
    local expected = run(lua, name, elements, kind, claimed, arguments)
    local seen = run(table, name, elements, kind, claimed, arguments)
    if expected ~= seen then
      error(format("%s %s of %d (%s)\n  Lua's: %s\n  ours:  %s", kind, name, #elements, shown(arguments), expected, seen), 0)
    end
    compared = compared + 1
  end
end
assert(compared > CASES / 2)

-- What is no table.
for _, name in ipairs {"insert", "remove", "concat", "unpack", "move", "sort"} do
  for _, value in ipairs {false, 1, "text", print, io.stdout} do
    local one, other = lua.pack(pcall(lua[name], value, 1, 2, 3)), lua.pack(pcall(table[name], value, 1, 2, 3))
    assert(one[1] == other[1], name)
    if not one[1] then assert(without_names(one[2]) == without_names(other[2]), one[2] .. " / " .. other[2]) end
  end
end
