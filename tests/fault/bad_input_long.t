#!/bin/sh
# bad_input.t with a thousand damaged traces of each kind.
VALTEST_LONG=1 exec tests/fault/bad_input.t
