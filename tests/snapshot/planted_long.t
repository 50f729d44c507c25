#!/bin/sh
# planted.t with every compiler, level, allocator and end.
VALTEST_LONG=1 exec tests/snapshot/planted.t
