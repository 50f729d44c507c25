#!/bin/sh
# shim.t with every call and every error.
VALTEST_LONG=1 exec tests/fault/shim.t
