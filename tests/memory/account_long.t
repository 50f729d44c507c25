#!/bin/sh
# The account of resident memory against the kernel's sum, on more real programs.
LONG=1 exec tests/memory/account.t
