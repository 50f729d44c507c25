#!/usr/bin/env python3
"""tracemalloc and valtrace on one program: the live bytes and blocks of each line of it are the same."""
import collections
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.getcwd(), "tests", "frames"))
from frames import HERE, ON, Run, Tap, interpreters, is_known, valtest  # noqa: E402

PROGRAM = os.path.join(HERE, "grow.py")
tap = Tap()


def recorded(trace):
    """Live bytes and blocks by line of the program, of what Python's allocator gave."""
    out = subprocess.run([valtest.VALTRACE, "report", "leaks", "--heap", "python", "--limit", "100000", "--json", trace],
                         stdout=subprocess.PIPE, check=True).stdout
    lines = collections.defaultdict(lambda: [0, 0])
    for site in json.loads(out)["sites"]:
        inner = site["stack"][0]
        if inner["file"] == PROGRAM:
            lines[inner["line"]][0] += site["leaked_bytes"]
            lines[inner["line"]][1] += site["leaked_blocks"]
    return lines


for python, found in interpreters():
    if not is_known(found):
        continue
    run = Run([python, PROGRAM], "run", env=ON)
    told = [tuple(map(int, line.split())) for line in run.stdout.decode().split("\n") if line]
    mine = recorded(run.trace_path)
    wrong = [(line, size, count, mine[line]) for line, size, count in told
             if size > 10000 and [size, count] != mine[line]]
    tap.ok(len(told) >= 6 and not wrong, f"{python}: live bytes and blocks of each line as tracemalloc has them", wrong)
tap.done()
