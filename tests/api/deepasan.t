#!/bin/sh
# The library with FD_HAS_DEEPASAN: what allocators do not hand out is guarded, and programs that do
# nothing wrong, also with several tiles, run as always.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/variant.sh
flags="-std=gnu17 -O1 -g -Wall -Wextra -Werror -fsanitize=address -D_GNU_SOURCE -D_XOPEN_SOURCE=700 -I. -Iinclude
       -DFD_HAS_HOSTED=1 -DFD_HAS_THREADS=1 -DFD_HAS_ATOMIC=1 -DFD_HAS_INT128=1 -DFD_HAS_DOUBLE=1 -DFD_HAS_ALLOCA=1
       -DFD_HAS_X86=1 -DFD_HAS_LZ4=1 -DFD_HAS_ASAN=1 -DFD_HAS_DEEPASAN=1
       -Iinclude/fd/util/wksp -Iinclude/fd/groove -llz4"
export FD_LOG_PATH=
check "the library compiles" compile_library
check "deepasan compiles" build tests/api/deepasan.c
check "bytes are guarded" "$tmp/deepasan"
for sample in sample_wksp_stress sample_checkpt sample_groove; do check "$sample compiles" build tests/api/$sample.c; done
check "wksp stress" "$tmp/sample_wksp_stress" --alloc-cnt 5000 --tile-cpus f3 --page-sz normal --page-cnt 2048 --sz-max 20000
check "checkpt" "$tmp/sample_checkpt" --iter-max 5 --tile-cpus f2 --page-sz normal --page-cnt 1024
check "groove" "$tmp/sample_groove" --alloc-cnt 3000 --tile-cpus f3
check "fd_alloc tests compile" build tests/wksp/test_fd_alloc.c
check "fd_alloc tests" "$tmp/test_fd_alloc"
finish
