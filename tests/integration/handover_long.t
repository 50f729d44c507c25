#!/bin/sh
# Fifty runs of each way with half a million rounds for each of two threads.
exec tests/integration/handover.t 50 500000
