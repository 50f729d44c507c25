#!/usr/bin/python3
"""Libraries that are patched while they come and go, beside threads that allocate, map and fork: nothing hangs or
crashes, and what the libraries gave is recorded. Long."""
import collections
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
import valtest  # noqa: E402
from valtest import PROGRAMS, Tap, program, vtr  # noqa: E402

RUNS = 8


def run(folder):
    path = os.path.join(folder, "t.vtr")
    argv = program("storm", *(os.path.join(PROGRAMS, f"lib{name}.so") for name in ("symbolic", "hidden")))
    done = subprocess.run([valtest.VALTRACE, "run", "-q", "--no-symbols", "--min-events", "100", "-o", path, "--", *argv],
                          capture_output=True, timeout=valtest.HANG_S)
    trace = vtr.Trace(path)
    patched = collections.Counter(os.path.basename(p[4]) for p in trace.patched if p[1] & 1)
    return done, trace, patched


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="valtest-storm-") as folder:
        for i in range(RUNS):
            done, trace, patched = run(folder)
            tap.ok(done.returncode == 0 and done.stderr.count(b"\n") == 1 and trace.complete and
                   min(patched["libsymbolic.so"], patched["libhidden.so"]) >= 80,
                   f"run {i}: 40 times two functions of each library", [done, patched])
            model = vtr.Model(trace)
            tap.ok(model.overwritten == 0 and model.unmatched_frees == 0 and model.allocations >= int(done.stderr),
                   f"run {i}: what they say they gave", [model.overwritten, model.unmatched_frees, model.allocations, done.stderr])
    tap.done()


if __name__ == "__main__":
    main()
