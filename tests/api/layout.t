#!/bin/sh
# Sources written for the published tree compile from where they are published to live, with the flags
# such sources use, under gcc and clang, as C17, gnu17 and (the headers) C++17: every header by the
# relative include of a file in each module folder, the umbrella before and after the libc headers, the
# whole name list, the sample programs, and targets with fewer capabilities.
set -u
cd "$(dirname "$0")/../.." || exit 1
repo=$PWD
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
defs="-D_XOPEN_SOURCE=700 -DFD_HAS_HOSTED=1 -DFD_HAS_THREADS=1 -DFD_HAS_ATOMIC=1 -DFD_HAS_INT128=1
      -DFD_HAS_DOUBLE=1 -DFD_HAS_ALLOCA=1 -DFD_HAS_X86=1 -DFD_HAS_LZ4=1"
strict="-fwrapv -Wall -Wextra -Wpedantic -Wconversion -Wdouble-promotion -Wcast-qual -Wunused-parameter
        -Wstrict-aliasing=2 -Wimplicit-fallthrough -Wformat-signedness -Wundef -Werror"
count=0 failed=0
check() { # NAME COMMAND...
  name=$1
  shift
  count=$((count + 1))
  if "$@" >"$tmp/out" 2>&1; then
    echo "ok $count - $name"
  else
    echo "not ok $count - $name"
    sed 's/^/# /' "$tmp/out" | head -20
    failed=1
  fi
}

# The published tree, with the headers where they live and sources beside them.
mkdir -p "$tmp/src"
cp -r include/fd/. "$tmp/src/"
if [ -d include/valtrace ]; then cp -r include/valtrace "$tmp/"; fi
cd "$tmp/src" || exit 1
libc='#include <errno.h>
#include <unistd.h>
#include <fcntl.h>
#include <stdio.h>
#include <ctype.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/stat.h>
#include <math.h>'
for header in $(find . -name '*.h' | sort); do
  dir=$(dirname "$header")
  source=$dir/zz_$(basename "$header" .h)
  if [ "$dir" = ./groove ]; then umbrella=../util/fd_util.h; elif [ "$dir" = ./util ]; then umbrella=fd_util.h; else umbrella=../fd_util.h; fi
  { # alone, twice, then with everything around it
    echo "#include \"$(basename "$header")\""
    echo "#include \"$(basename "$header")\""
    echo "$libc"
    echo "#include \"$umbrella\""
    echo "int zz_unused; FD_STATIC_ASSERT( sizeof(ulong)==8UL, zz );"
  } >"$source.c"
  cp "$source.c" "$source.cc"
done
{
  echo "$libc"
  echo '#include "fd_util.h"'
  echo 'int zz_unused;'
} >util/zz_after.c
sources=$(find . -name 'zz_*.c' | sort)
each() { # COMPILER... : every source by itself
  for source in $sources; do "$@" "${source%.c}$ext" || return 1; done
}
# clang does not know every flag by name
flags() { case $1 in clang*) echo "$strict -Wno-unknown-warning-option" ;; *) echo "$strict" ;; esac }
have_clang=$(command -v clang) || echo "# no clang"
for cc in gcc ${have_clang:+clang}; do
  ext=.c
  # shellcheck disable=SC2086
  check "relative includes, $cc -std=c17" each $cc -std=c17 $(flags $cc) $defs -fsyntax-only
  # shellcheck disable=SC2086
  check "relative includes, $cc -std=gnu17 -O0 with SIMD" \
    each $cc -std=gnu17 -march=native $(flags $cc) $defs -DFD_HAS_SSE=1 -DFD_HAS_AVX=1 -fsyntax-only
  # shellcheck disable=SC2086
  check "no threads, no atomics, no int128, $cc" \
    each $cc -std=c17 $(flags $cc) -D_XOPEN_SOURCE=700 -DFD_HAS_HOSTED=1 -DFD_HAS_DOUBLE=1 -fsyntax-only
  # shellcheck disable=SC2086
  check "pure and const functions declared so, $cc" each $cc -std=c17 $(flags $cc) $defs \
    '-DFD_FN_PURE=__attribute__((pure))' '-DFD_FN_CONST=__attribute__((const))' -O1 -S -o /dev/null
  # shellcheck disable=SC2086
  check "developer checks on and assumed, $cc" sh -c "
    $cc -std=c17 $(echo $(flags $cc) $defs) -DFD_DCHECK_STYLE=1 -fsyntax-only util/zz_after.c &&
    $cc -std=c17 $(echo $(flags $cc) $defs) -DFD_DCHECK_STYLE=-1 -fsyntax-only util/zz_after.c"
done
sources=$(find . -name 'zz_*.c' ! -name zz_after.c | sort)
for cxx in g++ ${have_clang:+clang++}; do
  ext=.cc
  # shellcheck disable=SC2086
  check "relative includes, $cxx -std=c++17" each $cxx -std=c++17 $(flags $cxx) $defs -fsyntax-only
done

# The paths of the interface, one by one.
for path in util/fd_util.h util/fd_util_base.h util/bits/fd_bits.h util/rng/fd_rng.h util/cstr/fd_cstr.h \
  util/env/fd_env.h util/io/fd_io.h util/log/fd_log.h util/checkpt/fd_checkpt.h util/shmem/fd_shmem.h \
  util/tile/fd_tile.h util/tpool/fd_tpool.h util/wksp/fd_wksp.h util/wksp/fd_wksp_private.h \
  util/alloc/fd_alloc.h util/alloc/fd_alloc_cfg.h util/math/fd_sqrt.h util/sanitize/fd_asan.h \
  util/valloc/fd_valloc.h groove/fd_groove.h groove/fd_groove_base.h groove/fd_groove_volume.h \
  groove/fd_groove_data.h; do
  check "$path" test -f "$path"
done

cd "$repo" || exit 1
if [ -n "$have_clang" ]; then
  macros=tests/unit/fd/strict/macros.c
  # shellcheck disable=SC2086
  check "all macros, clang" clang -std=c17 $(flags clang) -Wno-cast-qual $defs -Iinclude -fsyntax-only $macros
  # shellcheck disable=SC2086
  check "all macros, clang++" clang++ -std=c++17 -x c++ $(flags clang) $defs -Iinclude -fsyntax-only $macros
fi
names=tests/api/test_api_names.c
wrote="-std=c17 -Wno-pedantic"
# shellcheck disable=SC2086
check "all names, strict C" gcc -std=c17 $strict $wrote $defs -Iinclude -fsyntax-only $names
# shellcheck disable=SC2086
check "all names, C++" g++ -std=c++17 -x c++ -Wall -Wextra -Werror $defs -Iinclude -fsyntax-only $names
if [ -n "$have_clang" ]; then
  # shellcheck disable=SC2086
  check "all names, clang" clang -std=c17 $(flags clang) $wrote $defs -Iinclude -fsyntax-only $names
fi

# The samples beside the headers of the module they are about.
for sample in tests/api/sample_*.c; do
  sed -n 's/^#include "\(.*\)".*/\1/p' "$sample" | while read -r header; do
    dir=$(sed -n 's|^/\* place: \(.*\) \*/|\1|p' "$sample")
    [ -f "$tmp/src/$dir/$header" ] || echo "$sample: $dir/$header" >>"$tmp/missing"
  done
  dir=$(sed -n 's|^/\* place: \(.*\) \*/|\1|p' "$sample")
  cp "$sample" "$tmp/src/$dir/"
  at=$tmp/src/$dir/$(basename "$sample")
  for cc in gcc ${have_clang:+clang}; do
    for std in c17 gnu17; do
      # shellcheck disable=SC2086
      check "$(basename "$sample") in $dir, $cc -std=$std" $cc -std=$std -O2 $(flags $cc) $defs -c "$at" -o "$tmp/o.o"
    done
  done
done
check "samples include what is there" test ! -s "$tmp/missing"
echo "1..$count"
exit $failed
