-- What the tests of the libraries share.
local check = {}

-- f(...) raises an error that contains `expected`.
function check.fails(expected, f, ...)
  local ok, why = pcall(f, ...)
  assert(not ok, "no error, and one was expected: " .. expected)
  assert(tostring(why):find(expected, 1, true), ("expected %q in %q"):format(expected, tostring(why)))
end

-- f(...) raises exactly this error.
function check.fails_with(expected, f, ...)
  local ok, why = pcall(f, ...)
  assert(not ok, "no error, and one was expected: " .. tostring(expected))
  assert(why == expected, ("expected %q, got %q"):format(tostring(expected), tostring(why)))
end

function check.equal(got, expected)
  assert(got == expected, ("expected %q, got %q"):format(tostring(expected), tostring(got)))
end

-- Equal all the way down, integers and floats apart.
function check.same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and math.type(a) == math.type(b)
  end
  for k, v in pairs(a) do if not check.same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end

-- Runs f(...) beside a task that ticks each millisecond; the ticks went on all the while.
function check.ticking(f, ...)
  local ticks, longest, last, done = 0, 0, now(), false
  local ticker = spawn(function()
    while not done do
      sleep(0.001)
      ticks, longest, last = ticks + 1, math.max(longest, now() - last), now()
    end
  end)
  local results = table.pack(f(...))
  done = true
  await(ticker)
  return ticks, longest, table.unpack(results, 1, results.n)
end

return check
