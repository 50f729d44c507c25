local counts, words = {}, 0
for i = 0, 29999 do
  local word = "word" .. i * 7 % 300
  if not counts[word] then words = words + 1 end
  counts[word] = (counts[word] or 0) + 1
end
print(words .. " words " .. #string.rep("x", 100000))
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
print(co(), co(), co())
