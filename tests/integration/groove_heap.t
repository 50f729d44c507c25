#!/bin/sh
# test_groove_data under the shim: a heap of its own, whose totals are the program's own counts.
bin=${BUILD:-build}/bin
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0
failed=0

ok() { # STATUS NAME
  n=$((n + 1))
  if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}

"$bin/valtrace" run -o "$dir/t.vtr" -- "$bin/test_groove_data" --log-path '' --tile-cpus f2 \
  --alloc-cnt 20000 >"$dir/out" 2>&1
ok $? "test_groove_data under valtrace run"
"$bin/valtrace" check "$dir/t.vtr" >/dev/null 2>&1
ok $? "the trace is intact"
own=$(sed -n 's/.* \([0-9]*\) objects allocated$/\1/p' "$dir/out")
"$bin/valtrace" report heaps "$dir/t.vtr" >"$dir/heaps" 2>&1
set -- $(grep 'groove *$' "$dir/heaps" | tr -d ,)
[ -n "$own" ] && [ "$2" = "$own" ]
ok $? "as many allocations of the groove heap as the program counted ($own)"
[ "$3" = "$own" ] && [ "$4" = 0 ]
ok $? "all freed, nothing leaked"
[ $failed -eq 0 ] || sed 's/^/# /' "$dir/heaps"
echo "1..$n"
exit $failed
