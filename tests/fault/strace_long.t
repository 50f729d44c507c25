#!/bin/sh
# strace.t with every call and every error, a point for each kind of call.
VALTEST_LONG=1 exec tests/fault/strace.t
