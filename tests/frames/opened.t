#!/usr/bin/env python3
"""An interpreter that a program opens with dlopen is recorded like one that it was started with."""
import os
import sys

sys.path.insert(0, os.path.join(os.getcwd(), "tests", "frames"))
import opening  # noqa: E402
from frames import Tap  # noqa: E402

tap = Tap()
for path in opening.libraries()[:1]:
    opening.check(tap, path, 2, "run", count=False)
    opening.check_apart(tap, path)
if not opening.libraries():
    tap.skip("an interpreter that is opened", "no libpython is here")
tap.done()
