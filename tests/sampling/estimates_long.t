#!/usr/bin/python3
"""Estimates by site are unbiased and their standard errors are true: 200 runs of fixed seeds."""
import sys

sys.path[:0] = ["tests/lib", "tests/sampling"]
from estimates import judge  # noqa: E402
from valtest import Tap  # noqa: E402

tap = Tap()
judge(tap, 200, 1000, 4, 0.9, (0.8, 1.25))
tap.done()
