-- Lua passes over finalizers that it has no stack for, as deep in a recursion: what they would have let go of goes at the
-- script's end.
fs.write("lines", ("line\n"):rep(100000))

local server = serve{function() return "served" end}

local function forget()
  io.popen("sleep 100.5")
  fs.lines("lines")()
  local db = sql.open("a.db")
  db:query("SELECT 1")
  pcall(db.query, db, "SELECT ?", print) -- an errand that never started
  tcp.listen(0)
  tcp.connect("127.0.0.1", server.port)
  http.get("http://127.0.0.1:" .. server.port, {stream = true})
end

local function collect_below(depth)
  if depth > 0 then
    pcall(collect_below, depth - 1)
  else
    collectgarbage()
  end
end

for depth = 170, 200 do
  await(spawn(forget))
  collect_below(depth)
end
