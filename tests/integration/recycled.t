#!/usr/bin/python3
"""A thread is an identity of its own: many that had the same number in the kernel, one after the other,
are counted, named and chosen one by one; in every kind of trace."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import SHIM, VALTRACE, Tap, program, vtr  # noqa: E402

CNT = 700
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"]


def valtrace(*args, **options):
    return subprocess.run([VALTRACE, *args], capture_output=True, text=True, **options)


def report(*args):
    return json.loads(valtrace("report", *args, "--json", check=True).stdout)


def reuses_numbers():
    """Is a namespace to be had in which numbers can be set, and do all threads get the same one?"""
    out = subprocess.run(NAMESPACE + program("recycled", "3"), capture_output=True, text=True).stdout.split()
    return len(out) == 2 and out[1] == "3"


def all_alike(*command):
    """Runs the program until all its threads had one number, which another process may get in between."""
    return any(subprocess.run(NAMESPACE + [*command, *program("recycled", str(CNT))], capture_output=True, text=True,
                              check=True).stdout.split()[1] == str(CNT) for _ in range(10))


def allocations_of(i):
    return i % 7 + 1


def expected_threads():
    return [(i + 1, f"w{i}" if i % 5 == 0 else "", allocations_of(i), 1 if i % 3 == 0 else 0)
            for i in range(CNT)]


def check_trace(tap, name, path, tid):
    views = report("threads", "--limit", "100000", path)
    same = [t for t in views["threads"] if t["tid"] == tid]
    tap.equal([(t["nth"], t["name"], t["allocations"], t["leaked_blocks"]) for t in same],
              expected_threads(), f"{name}: each thread has its own totals and name")
    tap.equal(views["traces"][0]["threads"], CNT + 1, f"{name}: threads of the process")
    for chosen, i in ((str(tid), 0), (f"{tid}.2", 1), (f"{tid}.{CNT}", CNT - 1), ("w10", 10)):
        got = report("summary", "--thread", chosen, path)["totals"]["allocations"]
        tap.equal(got, allocations_of(i), f"{name}: --thread {chosen} chooses one")
    tap.equal(valtrace("report", "--thread", f"{tid}.{CNT + 1}", path).returncode, 2,
              f"{name}: --thread of one too many")
    lines = map(json.loads, valtrace("dump", "--json", path, check=True).stdout.splitlines())
    tap.equal(len({(d["thread"], d.get("nth", 1)) for d in lines if d["kind"] == "alloc" and d["thread"] == tid}), CNT,
              f"{name}: dump tells them apart")
    trace = vtr.Trace(path)
    numbers = {e.number for e in trace.events() if e.tid == tid}
    tap.ok(len(numbers) == CNT and 0 not in numbers, f"{name}: so does the independent reader", [len(numbers)])
    profile = json.loads(valtrace("export", "--format", "firefox", path, check=True).stdout)
    tids = [t["tid"] for t in profile["threads"]]
    tap.equal((len(tids), len(set(tids))), (CNT + 1, CNT + 1), f"{name}: a track each in a Firefox profile")


def main():
    tap = Tap()
    if not reuses_numbers():
        tap.skip("recycled thread numbers", "no namespace in which numbers can be set (needs root)")
        return tap.done()
    with tempfile.TemporaryDirectory(prefix="valtrace-recycled-") as folder:
        packed, raw, later = (os.path.join(folder, n) for n in ("packed.vtr", "raw.vtr", "later.vtr"))
        alike = all_alike(VALTRACE, "run", "-q", "-o", packed, "--") and all_alike("env", f"LD_PRELOAD={SHIM}", f"VALTRACE_OUTPUT={raw}")
        valtrace("pack", raw, "-o", later, check=True)
        tap.ok(alike, "all threads had one number")
        for name, path in (("run", packed), ("bare", raw), ("bare and packed", later)):
            trace = vtr.Trace(path)
            tid = max(e.tid for e in trace.events())
            check_trace(tap, name, path, tid)
    return tap.done()


main()
