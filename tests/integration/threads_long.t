#!/bin/sh
# threads.t with 20,000 threads at once.
VALTEST_LONG=1 exec tests/integration/threads.t
