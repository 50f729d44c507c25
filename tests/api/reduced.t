#!/bin/sh
# A target without threads, atomics, 128-bit integers, LZ4 and x86: the library compiles without a
# warning and works in one thread.
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
flags="-std=gnu17 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -D_XOPEN_SOURCE=700 -I. -Iinclude
       -DFD_HAS_HOSTED=1 -DFD_HAS_DOUBLE=1"
count=0 failed=0
check() { # NAME COMMAND...
  name=$1
  shift
  count=$((count + 1))
  if "$@" >"$tmp/out" 2>&1; then
    echo "ok $count - $name"
  else
    echo "not ok $count - $name"
    grep -v '^ok' "$tmp/out" | sed 's/^/# /' | tail -15
    failed=1
  fi
}
compile() {
  for module in util tile tpool shmem checkpt wksp alloc groove valloc; do
    mkdir -p "$tmp/$module"
    for source in core/$module/*.c; do
      # shellcheck disable=SC2086
      gcc $flags -c "$source" -o "$tmp/$module/$(basename "$source" .c).o" || return 1
    done
  done
}
check "the library compiles" compile
for test in wksp wksp_errors shmem checkpt alloc groove; do
  # shellcheck disable=SC2086
  check "test_api_$test compiles" gcc $flags tests/api/test_api_$test.c "$tmp"/*/*.o -pthread -lm -o "$tmp/$test.exe"
  check "test_api_$test passes" "$tmp/$test.exe"
done
echo "1..$count"
exit $failed
