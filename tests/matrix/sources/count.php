<?php
$counts = [];
for ($i = 0; $i < 30000; $i++) @$counts["word" . $i * 7 % 300]++;
$json = json_encode(array_fill(0, 500, $counts));
echo count($counts), " words ", strlen($json), " ", count(json_decode($json)), "\n";
exit(6);
