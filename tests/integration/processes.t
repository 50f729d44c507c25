#!/usr/bin/python3
"""Processes made and ended in every way: each image has its own complete trace, with its end."""
import os
import sys

sys.path.insert(0, "tests/lib")
from valtest import Tap, check, program  # noqa: E402

STORM = 300 if os.environ.get("VALTEST_LONG") else 50
ENDS = {"exit": ("exit", 3), "_exit": ("exit", 4), "quick_exit": ("exit", 5), "abort": ("signal", 6),
        "segv": ("signal", 11), "kill": ("signal", 9), "term": ("signal", 15), "raw": ("exit", 6),
        "double-free": ("signal", 6), "stack-overflow": ("signal", 11)}


def ended(how):
    """Without a collector nobody can see a fatal signal or a raw exit_group; then nothing is claimed."""
    def extra(run):
        ends = [p[1:3] for p in run.main_trace().process if p[1] in ("exit", "signal", "killed")]
        unseen = run.mode == "bare" and (ENDS[how][0] == "signal" or how == "raw")
        allowed = [[], [ENDS[how]]] if unseen else [[ENDS[how]]]
        return [] if ends in allowed else [f"end recorded as {ends}, want {ENDS[how]}"]
    return extra


def main():
    tap = Tap()
    for way in ("fork", "vfork", "spawn", "clone-vm", "raw", "system", "daemon", "exec", "fork-threads"):
        check(tap, way, program("forks", way))
    check(tap, "exec kills threads that allocate", program("forks", "exec-thread"), slack=3)
    check(tap, "environment", program("forks", "env"))
    check(tap, "fork storm beside allocating threads", program("forks", "fork-storm", STORM), modes=["bare"],
          counts=False)
    check(tap, "fork storm, collected", program("forks", "fork-storm", STORM), modes=["run"], counts=False)
    check(tap, "env -i", ["env", "-i", "PATH=/usr/bin:/bin", *program("forks", "fork")],
          counts=False)
    for how in ENDS:
        check(tap, f"ends by {how}", program("ends", how), extra=ended(how),
              unmatched=how == "double-free")
    tap.done()


main()
