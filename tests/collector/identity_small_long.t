#!/bin/sh
# All interleavings of small scenes with up to three interruptions.
exec "${BUILD:-build}/bin/test_identity_small" 3
