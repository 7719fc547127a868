-- real
-- needs: sql
-- folder
-- time: any
local db = sql.open("numbers.db")
db:run("CREATE TABLE number (n INTEGER)")
db:run("INSERT INTO number WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 2000) SELECT n FROM up")

local ticks, longest = 0, 0
local ticker = spawn(function()
  local last = now()
  while true do
    sleep(0.01)
    longest = math.max(longest, now() - last)
    last = now()
    ticks = ticks + 1
  end
end)

local start = now()
local rows = db:query("SELECT COUNT(*) AS pairs FROM number a, number b WHERE (a.n * b.n) % 7 = ?", 3)
local seconds = now() - start
ticker:cancel()
print(rows[1].pairs)
print(ticks >= seconds / 0.02 - 2 and "the printing never stops" or "it ticked " .. ticks .. " times in " .. seconds)
db:close()
