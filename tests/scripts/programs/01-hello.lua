-- time: 0.2
local function fun()
  print("first line")
  sleep(0.2)
  print("second line")
end

fun()
print("hello world!!")
