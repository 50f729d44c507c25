#!/bin/sh
# As totals.t, in more ways to allocate, to fork and to end threads.
exec tests/sampling/totals.t long
