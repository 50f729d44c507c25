#!/bin/sh
# loader.t with 100,000 frames of recursion.
VALTEST_LONG=1 exec tests/integration/loader.t
