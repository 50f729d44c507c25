#!/usr/bin/python3
"""A trace that is followed while it grows gives exactly what one gives that is read as a whole (test_follow.c)."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, "tests/top")
from watched import Watched  # noqa: E402
from valtest import BUILD  # noqa: E402

ROUNDS = 8


def record(path, first, each, pause=-1):
    """In round `pause` (from 0) nothing is recorded."""
    watched = Watched(path)
    for number, command in enumerate([first] + [each] * ROUNDS):
        if number == pause:
            watched.ctl("stop")
        watched.say(command)
        if number == pause:
            watched.ctl("start")
        watched.ctl("status")  # writes what there is, and the collector's word that it is all
    watched.end()


folder = tempfile.mkdtemp(prefix="valtest-")
busy, late = os.path.join(folder, "busy.vtr"), os.path.join(folder, "late.vtr")
record(busy, "100 64", "=2000", 4)
record(late, "=1000", "100 64")
sys.stdout.flush()
status = os.spawnv(os.P_WAIT, os.path.join(BUILD, "bin", "test_follow"), ["test_follow", busy, late])
shutil.rmtree(folder)
sys.exit(status)
