#!/bin/sh
# The long forms: two million interleavings, test_groove_data with its defaults, and random stress.
bin=${BUILD:-build}/bin
n=0
failed=0

check() { # NAME COMMAND...
  name=$1
  shift
  n=$((n + 1))
  if out=$("$@" 2>&1); then echo "ok $n - $name"; else
    echo "not ok $n - $name"
    echo "$out" | tail -3 | sed 's/^/# /'
    failed=1
  fi
}

check "two million interleavings" "$bin/test_groove_interleave" 2000000
check "test_groove_data with its defaults" "$bin/test_groove_data" --log-path ''
check "test_groove_data with four tiles" "$bin/test_groove_data" --log-path '' --tile-cpus f4
seed=$(date +%s)
for i in 1 2 3 4 5 6 7 8 9 10; do
  check "stress with seed $((seed + i))" "$bin/test_groove_stress" $((seed + i))
done
echo "1..$n"
exit $failed
