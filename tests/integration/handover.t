#!/usr/bin/python3
"""Blocks that pass between threads: not one is reported as live or as freed twice.

The program counts its own blocks. `handover.t N ROUNDS` runs each way N times with so many rounds for
each thread; without arguments it is quick.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import SHIM, VALTRACE, Tap, program  # noqa: E402

WAYS = ("slots", "mutex", "rings", "queue", "realloc")
SIZES = ["--min-size", "300", "--max-size", "999"]  # of the program's own blocks, and of no others


def record(mode, argv, path):
    """Standard output of the program."""
    if mode == "run":
        argv = [VALTRACE, "run", "-q", "--no-symbols", "-o", path, "--"] + argv
        env = {}
    else:
        env = {"LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": path}
    return subprocess.run(argv, env={**os.environ, **env}, capture_output=True, check=True).stdout


def problems(mode, way, threads, rounds, path):
    made, left = map(int, record(mode, program("handover", way, str(threads), str(rounds)), path).split())
    got = {}
    for key, sizes in (("all", []), ("own", SIZES)):
        got[key] = json.loads(subprocess.run(
            [VALTRACE, "report", "summary", "--json", "--limit", "1", *sizes, path],
            capture_output=True, check=True).stdout)
    totals, state = got["own"]["totals"], got["all"]["completeness"]
    expected = {"made": made, "left": left, "unmatched": 0, "complete": True}
    found = {"made": totals["allocations"], "left": totals["leaked_blocks"],
             "unmatched": state["unmatched_frees"], "complete": state["complete"]}
    return [] if expected == found else [f"expected {expected}", f"found    {found}"]


def main():
    tap = Tap()
    runs, rounds = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (1, 40_000)
    with tempfile.TemporaryDirectory(prefix="valtrace-handover-") as folder:
        path = os.path.join(folder, "t.vtr")
        for way in WAYS:
            for mode, threads in (("run", 2), ("bare", 2), ("run", 5)):
                bad = []
                for i in range(runs):
                    bad += problems(mode, way, threads, rounds * 2 // threads, path)
                    os.unlink(path)
                tap.ok(not bad, f"{way}, {threads} threads, {mode}, {runs} times", bad[:20])
    tap.done()


main()
