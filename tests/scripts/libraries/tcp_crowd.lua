-- options: --tasks 8
-- Where there is no room for one more task a connection is closed, and those that come later are served.
local held = event()
local listener = tcp.listen(0, function(c)
  c:write("served")
  held:wait()
end)
local clients, turned_away = {}, nil
for i = 1, 20 do
  clients[i] = tcp.connect("127.0.0.1", listener.port)
  if not clients[i]:read() then
    turned_away = i
    break
  end
end
assert(turned_away and turned_away > 3, turned_away)
held:set()
for i = 1, turned_away - 1 do assert(clients[i]:read() == nil) end
assert(tcp.connect("127.0.0.1", listener.port):read() == "served")
listener:close()
print "ok"
