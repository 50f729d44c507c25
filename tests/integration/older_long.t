#!/usr/bin/python3
"""The tests of recording once more as on older systems: without the system calls that newer kernels have (MADV_WIPEONFORK
is kernels.t's: the oracle needs it for raw forks), and without _dl_find_object. Tests of snapshots are not among the
former, because none is taken under a filter."""
import os
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from valtest import PROGRAMS, Tap  # noqa: E402

FEATURES = ("populate", "close_range", "pidfd", "clone3", "memfd", "getrandom", "renameat2")
KERNEL = [f"tests/integration/{t}.t" for t in ("oracle", "processes", "first", "threads", "names", "loader", "recycled", "kill", "real")]
LOADER = [*KERNEL, *(f"tests/integration/{t}.t" for t in ("apis", "agree", "confined", "foreign", "outputs")),
          *(f"build/own-objects/bin/{t}" for t in ("test_unwind", "test_unwind_hostile", "test_unwind_unload")),
          "tests/unit/trace/unwind_programs.t", "tests/snapshot/planted.t"]


def passed(tap, name, argv, build=None):
    env = {k: v for k, v in os.environ.items() if k != "VALTEST_LONG"} | ({"BUILD": build} if build else {})
    done = subprocess.run(argv, capture_output=True, text=True, env=env)
    tap.ok(done.returncode == 0, name, done.stdout.splitlines()[-60:])


def main():
    tap = Tap()
    without = [os.path.join(PROGRAMS, "without"), ",".join(FEATURES)]
    passed(tap, "no system call that is newer than Linux 3.10", [*without, "tests/run", *KERNEL])
    made = subprocess.run(["make", "OWN_OBJECTS=1", "tests"], capture_output=True, text=True)
    tap.ok(made.returncode == 0, "a build that does without _dl_find_object", made.stderr.splitlines()[-10:])
    passed(tap, "no _dl_find_object", ["tests/run", *LOADER], "build/own-objects")
    tap.done()


main()
