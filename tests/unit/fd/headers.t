#!/bin/sh
# Every fd header compiles alone, as C17 and as C++17, with the strict flags users have; so does the
# umbrella in any order with the libc headers a user may add, and a program that uses every macro.
set -u
cd "$(dirname "$0")/../../.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
defs="-D_XOPEN_SOURCE=700 -DFD_HAS_HOSTED=1 -DFD_HAS_THREADS=1 -DFD_HAS_ATOMIC=1 -DFD_HAS_INT128=1
      -DFD_HAS_DOUBLE=1 -DFD_HAS_ALLOCA=1 -DFD_HAS_X86=1 -DFD_HAS_LZ4=1"
strict="-Wall -Wextra -Wpedantic -Wconversion -Wstrict-aliasing=2 -Wimplicit-fallthrough
        -Wformat-signedness -Werror -fwrapv -O1 -fsyntax-only"
count=0 failed=0
check() { # NAME COMMAND...
  name=$1
  shift
  count=$((count + 1))
  if "$@" 2>"$tmp/err"; then
    echo "ok $count - $name"
  else
    echo "not ok $count - $name"
    sed 's/^/# /' "$tmp/err" | head -20
    failed=1
  fi
}
for header in $(find include/fd -name '*.h' | sort); do
  printf '#include "%s"\nint unused;\n' "$PWD/$header" >"$tmp/one.c"
  cp "$tmp/one.c" "$tmp/one.cc"
  # shellcheck disable=SC2086
  check "$header as C" gcc -std=c17 $strict $defs "$tmp/one.c"
  # shellcheck disable=SC2086
  check "$header as C++" g++ -std=c++17 $strict $defs "$tmp/one.cc"
done
printf '#include <stdio.h>\n#include "%s"\n#include <ctype.h>\n#include <errno.h>\n#include <fcntl.h>\n' \
  "$PWD/include/fd/util/fd_util.h" >"$tmp/mix.c"
# shellcheck disable=SC2086
check "with libc headers around" gcc -std=c17 $strict $defs "$tmp/mix.c"
# shellcheck disable=SC2086
check "without threads, atomics, int128" gcc -std=c17 $strict -D_XOPEN_SOURCE=700 -DFD_HAS_DOUBLE=1 "$tmp/mix.c"
if [ "${BUILD:-build}" = build ]; then # a sanitized library links with its sanitizer only
  src=tests/unit/fd/strict/macros.c lib="build/lib/libfd.a -llz4 -pthread -lm"
  run=${strict%-fsyntax-only}
  # shellcheck disable=SC2086
  check "all macros in C" gcc -std=c17 $run $defs -Iinclude $src $lib -o "$tmp/c"
  # shellcheck disable=SC2086
  check "all macros in C++" g++ -std=c++17 -x c++ $run $defs -Iinclude $src -x none $lib -o "$tmp/cxx"
  check "they work in C" sh -c "$tmp/c --log-path '' >/dev/null 2>&1"
  check "they work in C++" sh -c "$tmp/cxx --log-path '' >/dev/null 2>&1"
fi
echo "1..$count"
exit $failed
