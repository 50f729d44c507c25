#!/usr/bin/env python3
"""Python frames of the system's interpreter: what it says itself of its stack against what is recorded, and the blocks
of pymalloc against malloc's."""
import collections
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.getcwd(), "tests", "frames"))
from frames import ON, Run, SYSTEM, Tap, is_known, probe, version, vtr  # noqa: E402
from valtest import VALTRACE  # noqa: E402

ROUNDS = ("generators", "callbacks", "exceptions", "recursion", "compiled", "threads", "many")
WORK = "d = [{'a': i, 'b': str(i), 'c': [i] * 40} for i in range(40)]; e = [repr(x) for x in d]; del d[::2]"

tap = Tap()
found = os.path.exists(SYSTEM) and version(SYSTEM)
if not found or not is_known(found):
    tap.skip(SYSTEM, "not here, or of a version that is refused")
    tap.done()
probe(tap, SYSTEM, ROUNDS)


def totals(python, malloc):
    """Counts of a piece of work; the environment has the same variables, since Python copies it."""
    env = {"VALTRACE_NO_PYTHON": python, "PYTHONMALLOC": malloc, "PYTHONHASHSEED": "0"}
    trace = Run([SYSTEM, "-S", "-c", WORK], "bare", env=env).main_trace()
    kinds = collections.Counter(e.kind for events in trace.streams.values() for e in events)
    return trace, [kinds[k] for k in (vtr.ALLOC, vtr.FREE, vtr.INTENT, vtr.DONE)]


seen, got = totals("0", "")
_plain, want = totals("1", "malloc")
tap.ok(all(abs(g - w) <= 2 for g, w in zip(got, want)), "pymalloc: as many events of each kind as with PYTHONMALLOC=malloc",
       [f"got  {got}", f"want {want}"])  # the value of the variable is a block or two
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "t.vtr")
    subprocess.run([VALTRACE, "run", "-q", "-o", path, "--", SYSTEM, "-S", "-c", WORK], check=True)
    dumps = [subprocess.run([VALTRACE, "dump", *json, path], capture_output=True, check=True, text=True).stdout for json in ([], ["--json"])]
    packed = vtr.Trace(path)
    told = [e.address for e in packed.events() if e.api == 15]
cnt = len(told)
blocks = [json.loads(line)["address"] for line in dumps[1].split("\n") if '"heap_name":"python"' in line]
tap.ok(packed.required & vtr.POOLS and blocks == told, "addresses from pools: two readers read the same, and others are warned", [cnt, len(blocks)])
tap.ok(cnt > 1000 and dumps[0].count(" heap python ") == dumps[1].count('"heap_name":"python"') == cnt,
       "dump tells the interpreter's blocks from others", [cnt, dumps[0].count(" heap python "), dumps[0][:500]])
tap.ok(not seen.refusals and seen.codes and not _plain.codes, "--no-python: no frames", seen.refusals)
tap.done()
