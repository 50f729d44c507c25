#!/bin/sh
# Each header of the workspace compiles alone, from C17 with strict warnings and from C++17.
n=0
failed=0
defs="-D_XOPEN_SOURCE=700 -DFD_HAS_HOSTED=1 -DFD_HAS_THREADS=1 -DFD_HAS_ATOMIC=1 -DFD_HAS_INT128=1 -DFD_HAS_DOUBLE=1 -DFD_HAS_ALLOCA=1 -DFD_HAS_X86=1 -DFD_HAS_LZ4=1"
warn="-Wall -Wextra -Wpedantic -Wconversion -Wstrict-aliasing=2 -Wimplicit-fallthrough -Wformat-signedness -Werror"
for h in util/wksp/fd_wksp util/wksp/fd_wksp_private util/alloc/fd_alloc util/alloc/fd_alloc_cfg \
  util/fd_util groove/fd_groove util/valloc/fd_valloc util/valloc/fd_valloc_adapt; do
  for lang in "c -std=c17 -fwrapv" "c++ -std=c++17"; do
    n=$((n + 1))
    # the includer defines a file-static table in one case, so nothing unused is an error here
    if printf '#include "fd/%s.h"\nint main( void ) { return 0; }\n' "$h" |
      ${CC:-gcc} -x $lang -O2 $warn -Wno-unused $defs -Iinclude -fsyntax-only - 2>/tmp/fd_headers.$$; then
      echo "ok $n - $h.h as $lang"
    else
      echo "not ok $n - $h.h as $lang"
      sed 's/^/# /;20q' /tmp/fd_headers.$$
      failed=1
    fi
    rm -f /tmp/fd_headers.$$
  done
done
echo "1..$n"
exit $failed
