#!/bin/sh
# environment.t with every way to start a program.
VALTEST_LONG=1 exec tests/integration/environment.t
