#!/usr/bin/python3
"""Traces of every released format version read as they did on the day they were recorded, by both readers."""
import glob
import json
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from valtest import VALTRACE, Tap, vtr  # noqa: E402

KINDS = {vtr.ALLOC: "alloc", vtr.FREE: "free", vtr.INTENT: "realloc_intent", vtr.DONE: "realloc",
         vtr.HEAP_ALLOC: "heap_alloc", vtr.HEAP_FREE: "heap_free", vtr.HEAP_FREE_INTERIOR: "heap_free_interior"}


def old_fields(now, then):
    """The lines of today's dump with the fields that they had then: fields may be added, never change."""
    return [{key: value for key, value in json.loads(line).items() if key in json.loads(before)}
            for line, before in zip(now.splitlines(), then.splitlines(), strict=True)]


def main():
    tap = Tap()
    for path in sorted(glob.glob("tests/golden/*.vtr")):
        with open(path[:-3] + "json", "rb") as file:
            expected = file.read()
        done = subprocess.run([VALTRACE, "dump", "--json", path], capture_output=True, check=False)
        tap.equal((done.returncode, old_fields(done.stdout, expected), done.stderr), (0, [json.loads(line) for line in expected.splitlines()], b""),
                  f"{path}: dump is the same")
        check = subprocess.run([VALTRACE, "check", path], capture_output=True, check=False)
        tap.equal((check.returncode, check.stderr), (0, b""), f"{path}: check")
        lines = [json.loads(line) for line in expected.splitlines()]
        want = sorted((e["thread"], e["kind"], e["address"], e.get("size", 0)) for e in lines
                      if e["kind"] in KINDS.values())
        got = sorted((e.tid, KINDS[e.kind], e.address, e.size) for e in vtr.Trace(path).events())
        tap.equal(got, want, f"{path}: the independent reader sees the same")
    tap.done()


main()
