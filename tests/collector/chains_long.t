#!/bin/sh
# chains.t with a thousand chains.
VALTEST_LONG=1 exec tests/collector/chains.t
