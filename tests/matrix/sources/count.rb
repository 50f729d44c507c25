counts = Hash.new(0)
3000.times { |i| counts["word#{i * 7 % 300}"] += 1 }
threads = (1..3).map { |n| Thread.new { "x" * n * 10_000 } }
puts "#{counts.size} words #{threads.sum { |t| t.value.size }} #{`echo child`}"
