for {set i 0} {$i < 3000} {incr i} {dict incr counts word[expr {$i * 7 % 300}]}
puts "[dict size $counts] words"
puts [string length [exec sort --version]]
exit 2
