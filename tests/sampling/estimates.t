#!/usr/bin/python3
"""Estimates by site are unbiased and their standard errors are true, in ten runs of fixed seeds (estimates_long.t: 200)."""
import sys

sys.path[:0] = ["tests/lib", "tests/sampling"]
from estimates import judge  # noqa: E402
from valtest import Tap  # noqa: E402

tap = Tap()
judge(tap, 10, 400, 4.5, 0.5, (0.25, 2.3))  # simulated for site_large: none of 6,000 right estimates fails
tap.done()
