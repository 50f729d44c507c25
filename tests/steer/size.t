#!/usr/bin/python3
"""run --max-size: a trace stays below its size, has an end, and says from when on nothing is recorded."""
import os
import shutil
import sys

sys.path[:0] = ["tests/lib", "tests/steer"]
from steer import Steered, ctl, report, valtrace  # noqa: E402
from valtest import Tap  # noqa: E402

LIMIT = 1 << 20


def main():
    tap = Tap()
    s = Steered("--max-size", str(LIMIT))
    events, rounds = 0, 0
    while "full" not in s.ctl("status") and rounds < 100:
        s.tell("x 50000")
        rounds += 1
    tap.ok(rounds < 100, "it is full after a while")
    out = ctl(s.pid, "start")
    tap.ok(out[0] == 1 and "as large as it may be" in out[2], "and cannot be resumed", [out])
    s.tell("x 50000", "l 5")
    tap.equal(s.end(), 0, "the program goes on")
    size = os.path.getsize(s.path)
    tap.ok(LIMIT // 2 < size <= LIMIT, "the file is smaller than its limit, and not much", [size])
    got = report(s.path)
    have = got["completeness"]
    events = got["totals"]["allocations"]
    tap.ok(50000 < events <= 50000 * rounds, "what came before is there", [events])
    tap.equal(([(n["why"], n["to_ns"]) for n in have["not_recorded"]], have["complete"], have["ended"], have["torn_tail_bytes"]),
              ([("size", None)], False, "exit", 0), "the trace says why it ends early, and has an end")
    tap.equal((have["unsure_blocks"], have["unmatched_frees"]), (got["totals"]["leaked_blocks"], 0), "nothing wrong is said of what lived then")
    tap.ok("--max-size" in valtrace("check", s.path, status=3), "check tells")
    shutil.rmtree(s.folder)
    tap.done()


main()
