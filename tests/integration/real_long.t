#!/bin/sh
# real.t with the programs that take longer.
VALTEST_LONG=1 exec tests/integration/real.t
