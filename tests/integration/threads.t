#!/usr/bin/python3
"""Threads: exits with work left, thousands of short ones and at once, tiny stacks; memory stays bounded.
VALTEST_LONG: 20,000 at once."""
import os
import sys

sys.path.insert(0, "tests/lib")
from valtest import Tap, check, program  # noqa: E402

LONG = os.environ.get("VALTEST_LONG")
SHIM_MAX = 8 << 20
PER_THREAD = 256 << 10


def bounded(threads):
    def extra(run):
        used = run.main_trace().counters.get("shim_bytes")
        if used is None:
            return ["the trace does not say how much memory the shim mapped"]
        return [f"shim mapped {used} bytes"] if used > SHIM_MAX + threads * PER_THREAD else []
    return extra


def main():
    tap = Tap()
    check(tap, "TLS destructors that allocate and free", program("threads", "destructors"))
    check(tap, "3,000 short threads", program("threads", "short"), extra=bounded(1))
    check(tap, "freed by another thread", program("threads", "cross"))
    check(tap, "16 KiB stacks", program("threads", "small-stack"))
    check(tap, "smallest signal stack", program("threads", "sigaltstack"))
    check(tap, "eight threads at once", program("threads", "storm", 2000 if LONG else 600), extra=bounded(8))
    check(tap, "main ends before its threads", program("threads", "detached"))
    # more than once there were segments in the ring; a file of the program's own knows no number
    for mode, many in (("run", 5_000), ("bare", 500)) if not LONG else (("run", 20_000), ("bare", 20_000)):
        check(tap, f"{many} threads that live at once", program("threads", "many", many), modes=[mode])
    tap.done()


main()
