#!/bin/sh
# test_groove_data as a user calls it, scaled down: one and several tiles, one volume, a named region.
bin=${BUILD:-build}/bin
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0
failed=0

check() { # NAME ARGS...
  name=$1
  shift
  n=$((n + 1))
  if "$bin/test_groove_data" --log-path '' "$@" >"$dir/out" 2>&1 && grep -q 'pass$' "$dir/out"; then
    echo "ok $n - $name"
  else
    echo "not ok $n - $name"
    tail -3 "$dir/out" | sed 's/^/# /'
    failed=1
  fi
}

check "one tile, one volume" --volume-cnt 1 --alloc-cnt 20000
check "four tiles" --tile-cpus f4 --alloc-cnt 10000
check "small objects, normal pages" --page-sz normal --sz-max 4500 --alloc-cnt 100000 --tile-cpus f2
"$bin/fd_shmem_ctl" --log-path '' --shmem-path "$dir" new groove 262144 normal 0 0600 >/dev/null 2>&1
check "a named region" --shmem-path "$dir" --name groove --alloc-cnt 50000
n=$((n + 1))
"$bin/test_groove_data" --log-path '' --name nosuch >/dev/null 2>&1 && failed=1 && printf 'not '
echo "ok $n - a region that is not there is an error"
echo "1..$n"
exit $failed
