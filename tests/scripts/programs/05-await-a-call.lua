-- time: 0.2
local function greet()
  print("Start")
  sleep(0.2)
  print("End")
end

print(1)
greet()
print(2)
