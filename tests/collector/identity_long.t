#!/bin/sh
# Two hundred thousand interleavings.
exec "${BUILD:-build}/bin/test_identity" 200000
