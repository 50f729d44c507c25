#!/usr/bin/python3
"""Older kernels: recording is exact where a system call is missing that the newest have. `without` takes them all
away, from the collector too. A fork that passes libc by is noticed without MADV_WIPEONFORK where it comes by syscall()."""
import os
import sys

sys.path.insert(0, "tests/lib")
import valtest  # noqa: E402
from valtest import PROGRAMS, Run, Tap, check, program  # noqa: E402

FEATURES = ("populate", "close_range", "pidfd", "clone3", "wipeonfork", "memfd", "getrandom", "renameat2")
WAYS = ("fork", "vfork", "spawn", "system", "daemon", "exec")
WITHOUT = [os.path.join(PROGRAMS, "without")]


def main():
    tap = Tap()
    around = [*WITHOUT, ",".join(FEATURES)]
    valtest.AROUND[:] = around
    for way in WAYS:
        check(tap, f"{way}, nothing newer than Linux 3.10", program("forks", way))
    check(tap, "threads, the same", program("threads", "destructors"))
    run = Run(program("forks", "raw"), "run")
    exes = [os.path.basename(t.exe) for t in run.traces()]
    tap.equal((run.status, exes), (0, ["forks", "forks"]), "raw fork by syscall(): a trace of its own")
    run.remove()
    tap.done()


main()
