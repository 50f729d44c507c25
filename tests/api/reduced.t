#!/bin/sh
# A target without threads, atomics, 128-bit integers, LZ4 and x86: the library compiles without a
# warning and works in one thread.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/variant.sh
flags="-std=gnu17 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -D_XOPEN_SOURCE=700 -I. -Iinclude
       -DFD_HAS_HOSTED=1 -DFD_HAS_DOUBLE=1"
check "the library compiles" compile_library
for test in wksp wksp_errors shmem checkpt alloc groove; do
  check "test_api_$test compiles" build tests/api/test_api_$test.c
  check "test_api_$test passes" "$tmp/test_api_$test"
done
finish
