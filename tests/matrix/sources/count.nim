import std/[strutils, tables]

var counts = initTable[string, int]()
for i in 0 ..< 3000:
  counts.mgetOrPut("word" & $(i * 7 mod 300), 0) += 1
echo counts.len, " words ", repeat('x', 20).len
