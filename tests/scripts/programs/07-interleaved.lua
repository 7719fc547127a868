-- time: 1
local function count(words, first)
  sleep(first)
  for _, word in ipairs(words) do
    print(word)
    sleep(0.3)
  end
end

gather{
  function() count({1, 2, 3}, 0) end,
  function() count({"one", "two", "three"}, 0.1) end,
}
