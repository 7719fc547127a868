-- What random programs say, and to whom. (world.py is the same for asyncio.)
local start = now()
local known_tasks, known_scopes = {current()}, {}

-- What random programs raise and return; other strings are messages of heddle's own.
local function ours(text)
  return text:match("^boom %d$") or text == "bang" or text:match("^f%d$") or text:match("^%a%w*%.%d+$")
end

local function show(value)
  if value == cancelled then return "cancelled" end
  if value == timed_out then return "timed out" end
  local kind = type(value)
  if kind == "table" then
    if value.code then return "{" .. value.code .. "}" end
    if value.collected then return value.collected end
    local texts = {}
    for i = 1, value.n or #value do texts[i] = show(value[i]) end
    return "[" .. table.concat(texts, " ") .. "]"
  elseif kind == "userdata" then
    return value.name
  elseif kind == "string" and not ours(value) then
    return "refused"
  end
  return tostring(value)
end

function say(label, ...)
  local texts, last = {}, 0
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    texts[i] = show(value)
    if value ~= nil then last = i end
  end
  print(string.format("%d %s %s %s", math.floor((now() - start) * 1000 + 0.5), current().name, label,
    last == 0 and "nil" or table.concat(texts, " ", 1, last)))
end

function known(task) known_tasks[#known_tasks + 1] = task return task end
function known_at(i) return known_tasks[i % #known_tasks + 1] end
function know_scope(scope) known_scopes[#known_scopes + 1] = scope end
function scope_at(i) return known_scopes[i % math.max(#known_scopes, 1) + 1] end
function spawn_in(scope, f, ...) if scope then return known(scope:spawn(f, ...)) end end

function rescue(times)
  for _ = 1, times do
    sleep(0.025)
    for _, task in ipairs(table.move(known_tasks, 1, #known_tasks, 1, {})) do task:cancel() end
  end
end

function list(results) return results end
function both(done, pending) return done, pending end

function collected(results, failed)
  local texts = {}
  for i = 1, results.n do texts[i] = (failed[i] and "failed " or "") .. show(results[i]) end
  return {collected = "[" .. table.concat(texts, " ") .. "]"}
end

function in_coroutine(f, ...)
  local thread = coroutine.create(f)
  local values = table.pack(coroutine.resume(thread, ...))
  if not values[1] then error(values[2], 0) end
  return table.unpack(values, 2, values.n)
end

function in_metamethod(f, ...)
  local values = setmetatable({}, {__index = function(_, arguments)
    return table.pack(f(table.unpack(arguments, 1, arguments.n)))
  end})[table.pack(...)]
  return table.unpack(values, 1, values.n)
end

function finally(f) return setmetatable({}, {__close = function() f() end}) end

function lock_within(ms, m)
  timeout(ms / 1000, m.lock, m)
  sleep(0.001)
  m:unlock()
end

function acquire_within(ms, s)
  timeout(ms / 1000, s.acquire, s)
  sleep(0.001)
  s:release()
end

