-- The functions of the string library against Lua's own (the global `lua`), on random patterns, subjects and arguments:
-- the same results, and the same errors.
math.randomseed(...)
local random, format = math.random, lua.format
local CASES = 15000

local ITEMS = {
  "a", "b", "c", "1", ".", "%a", "%d", "%w", "%s", "%u", "%p", "%A", "%S", "%g", "%x", "%l", "%c", "%z", "%Z", "%W", "%.",
  "%b()", "%bab", "%bxx", "%b", "%f[%a]", "%f[^%w]", "%f[\0]", "%f", "[abc]", "[^ab]", "[a-c]", "[%a_]", "[]]", "[^]]",
  "[]-a]", "[a-]", "[%]", "[a-%a]", "[a-%%]", "[+-%]x]", "[^%s%d]", "[", "]", "(", "(", ")", ")", "()", "%1", "%2", "%0",
  "%9", "^", "$", "%%", "%", "-", "*", "+", "?", "\0", "\xe9", "(a*)", "(.-)", "a*", "b+", "a?", ".-", ".*", "%w+", "%(",
}
local CHARACTERS = {"a", "a", "a", "b", "b", "c", "1", "(", ")", " ", "_", "x", "]", "-", "^", "%", "A", "\0", "\xe9", "[", "z"}
local TEXTS = {"x", "%0", "%1", "%2", "%%", "%", "ab", "%9", "%x", ""}
local VALUES = {nil, true, {}, type, 1, 1.5, "x", "10", -1, 0, math.mininteger, math.maxinteger, io.stdout, "%"}

local function made_of(parts, most)
  local text = {}
  for i = 1, random(0, most) do text[i] = parts[random(#parts)] end
  return table.concat(text)
end

local function shown(list)
  local texts = {}
  for i = 1, list.n do texts[i] = format("%q", tostring(list[i])) end
  return table.concat(texts, ", ")
end

-- Lua's own functions do not know what they are called any more.
local function without_names(message)
  return (lua.gsub(lua.gsub(message, "to '[%w.?]+'", "to it"), "'[%w.?]+'$", "it"))
end

local function compare(name, one, other, ...)
  local expected, seen = table.pack(pcall(one, ...)), table.pack(pcall(other, ...))
  if not expected[1] and not seen[1] then
    expected[2], seen[2] = without_names(expected[2]), without_names(seen[2])
  end
  local same = expected.n == seen.n
  for i = 1, expected.n do
    same = same and math.type(expected[i]) == math.type(seen[i]) and expected[i] == seen[i]
  end
  if not same then
    error(format("%s(%s)\n  Lua's: %s\n  ours:  %s", name, shown(table.pack(...)), shown(expected), shown(seen)), 0)
  end
  return expected[1]
end

local function gathered(gmatch)
  return function(...)
    local all = {}
    for a, b, c in gmatch(...) do all[#all + 1] = format("%s|%s|%s", a, b, c) end
    return table.concat(all, ",")
  end
end

local with_default = setmetatable({a = "X", b = false, [1] = "one"}, {
  __index = function(_, key)
    if key == "c" then return 7 elseif key == "ab" then return {} end
  end,
})

local function replace(a, b)
  if a == "b" then return nil elseif b == "a" then return 12 elseif a == " " then return true end
  return tostring(a) .. tostring(b)
end

local function replacement()
  local which = random(4)
  return which == 1 and replace or which == 2 and with_default or which == 3 and made_of(TEXTS, 4) or random(100)
end

local succeeded = 0
for _ = 1, CASES do
  local subject, pattern = made_of(CHARACTERS, 16), made_of(ITEMS, 6)
  local start = random(4) == 1 and random(-20, 20) or nil
  if compare("find", lua.find, string.find, subject, pattern, start, random(8) == 1) then succeeded = succeeded + 1 end
  compare("match", lua.match, string.match, subject, pattern, start)
  compare("gmatch", gathered(lua.gmatch), gathered(string.gmatch), subject, pattern, start)
  compare("gsub", lua.gsub, string.gsub, subject, pattern, replacement(), random(3) == 1 and random(-1, 5) or nil)
  compare("rep", lua.rep, string.rep, subject, random(-2, 40), random(2) == 1 and made_of(CHARACTERS, 4) or nil)
end
assert(succeeded > CASES / 2 and succeeded < CASES, "the patterns say nothing")

local function is_huge(name, arguments)
  return name == "rep" and type(tonumber(arguments[2])) == "number" and tonumber(arguments[2]) > 100
end

for _ = 1, CASES do
  local count, arguments = random(0, 5), {}
  for i = 1, count do arguments[i] = VALUES[random(14)] end
  for _, name in ipairs {"find", "match", "gsub", "rep"} do
    if not is_huge(name, arguments) then
      compare(name, lua[name], string[name], table.unpack(arguments, 1, count))
    end
  end
  compare("gmatch", gathered(lua.gmatch), gathered(string.gmatch), table.unpack(arguments, 1, count))
end
