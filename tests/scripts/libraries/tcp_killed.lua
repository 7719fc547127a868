-- A script that ends while its tasks wait for sockets, accept, connect and write ends at once, and is cancelled cleanly.
local listener = tcp.listen(0)
spawn(listener.serve, listener, function() sleep(60) end)
local data = ("x"):rep(1024):rep(20 * 1024)
for _ = 1, 20 do
  local c = tcp.connect("127.0.0.1", listener.port)
  spawn(c.read, c)
  spawn(c.write, c, data)
end
spawn(tcp.connect, "192.0.2.1", 9) -- never answers
sleep(0.05)
print "ok"
