#!/usr/bin/env python3
"""Interpreters that a program opens with dlopen and closes, of all versions that are here, with their counts."""
import os
import sys

sys.path.insert(0, os.path.join(os.getcwd(), "tests", "frames"))
import opening  # noqa: E402
from frames import Tap  # noqa: E402

tap = Tap()
for path in opening.libraries():
    opening.check(tap, path, 12, "run", count=False)
    opening.check(tap, path, 2, "run", count=True)
    opening.check(tap, path, 2, "bare", count=True)
    opening.check_altered(tap, path)
tap.done()
