#!/usr/bin/python3
"""The stress programs of wksp, fd_alloc and groove, plain and under `valtrace run`.

A recorded run ends like the plain one, its traces are intact and complete, and what they say about
the programs' heaps is what the programs count themselves; a leak planted by a flag is reported with
its site. STRESS_SCALE (default 1) multiplies the work; what it cost is printed, never judged.
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from valtest import BUILD, Tap, VALTRACE  # noqa: E402

SCALE = int(os.environ.get("STRESS_SCALE", "1"))
LEAK = 37
PAGES = ["--page-sz", "normal"]
TWO_TILES = ["--tile-cpus", "f2"]

# Programs that count what they do in a heap of the given kind.
COUNTING = [
    ("test_wksp_tpool", "wksp", PAGES + TWO_TILES + ["--page-cnt", "4096", "--iter-max", str(3 * SCALE)]),
    ("test_groove_data", "groove", PAGES + TWO_TILES + ["--volume-cnt", "2", "--sz-max", "100000",
                                                        "--alloc-cnt", str(20000 * SCALE)]),
]
# Programs that check themselves; they fork, kill and reset. (name, environment, only at full length)
CHECKING = [
    ("test_fd_alloc", {"ALLOC_STRESS": str(10000 * SCALE)}, False),
    ("test_groove_stress", {}, False),
    ("test_wksp_model", {}, True),
    ("test_wksp_ckpt", {}, True),
    ("test_wksp_kill", {}, True),
]


def run(argv, env=None):
    """(status, output, seconds)"""
    start = time.monotonic()
    done = subprocess.run(argv, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                          errors="replace")
    return done.returncode, done.stdout + done.stderr, time.monotonic() - start


def recorded(folder, argv, env=None):
    """The same under valtrace, and the paths of the traces."""
    result = run([VALTRACE, "run", "-q", "-o", os.path.join(folder, "%p.vtr"), "--"] + argv, env)
    return result, sorted(glob.glob(os.path.join(folder, "*.vtr")))


def report(view, *paths):
    out = subprocess.run([VALTRACE, "report", view, "--json", "--limit", "100000", *paths],
                         capture_output=True, check=True)
    return json.loads(out.stdout)


def summary(output):
    """The program's own counters: its line "summary: allocations N bytes N …"."""
    line = re.search(r"summary: (.*)", output)
    return {name: int(number) for name, number in re.findall(r"([a-z ]+?) (\d+) ?", line.group(1))}


def check_status(tap, name, plain, traced):
    for how, (status, output, _) in (("plain", plain), ("recorded", traced)):
        wrong = [line for line in output.splitlines() if line.startswith(("not ok", "#", "ERR"))]
        tap.ok(status == 0, f"{name}: passes {how}", [f"status {status}"] + (wrong or output.splitlines())[-8:])


def check_traces(tap, name, traces):
    if not tap.ok(bool(traces), f"{name}: recorded"):
        return
    status, output, _ = run([VALTRACE, "check", *traces])
    tap.ok(status == 0, f"{name}: {len(traces)} traces check clean", output.splitlines()[-5:])


def check_counting(tap, name, kind, options, leak):
    argv = [os.path.join(BUILD, "bin", name), "--log-path", "", *options]
    if leak:
        argv += ["--plant-leak", str(leak)]
    with tempfile.TemporaryDirectory() as folder:
        plain, (traced, traces) = run(argv), recorded(folder, argv)
        title = f"{name}{' with a planted leak' if leak else ''}"
        check_status(tap, title, plain, traced)
        tap.equal(traced[1].rstrip().endswith("pass"), True, f"{title}: ends with pass")
        check_traces(tap, title, traces)
        result = report("leaks", *traces)
        heaps = [h for t in result["traces"] for h in t["heaps"] if h["kind"] == kind]
        mine, got = summary(traced[1]), {}
        for key, field in (("allocations", "allocations"), ("live", "live_blocks"),
                           ("live bytes", "live_bytes")):
            got[key] = sum(h[field] for h in heaps)
        tap.equal(got, {key: mine[key] for key in got}, f"{title}: heaps are as the program counts them")
        libc = [h for t in result["traces"] for h in t["heaps"] if h["kind"] == "libc"]
        totals = result["totals"]
        tap.equal(totals["allocations"], mine["allocations"] + libc[0]["allocations"],
                  f"{title}: so are the totals")
        tap.equal((result["completeness"]["complete"], result["completeness"]["unmatched_frees"],
                   result["completeness"]["missed_frees"]), (True, 0, 0),
                  f"{title}: complete, each free has its allocation")
        sites = [s for s in result["sites"] if any(f["function"] == "plant_leak" for f in s["stack"])]
        tap.equal((sum(s["leaked_blocks"] for s in sites), sum(s["leaked_bytes"] for s in sites)),
                  (leak, leak * 1000), f"{title}: {leak} blocks by the site that lost them")
        print(f"# {title}: {mine['allocations']} allocations, plain {plain[2]:.2f} s, recorded {traced[2]:.2f} s, "
              f"{sum(map(os.path.getsize, traces))} bytes")


def check_checking(tap, name, env):
    argv = [os.path.join(BUILD, "bin", name)]
    with tempfile.TemporaryDirectory() as folder:
        plain, (traced, traces) = run(argv, env), recorded(folder, argv, env)
        check_status(tap, name, plain, traced)
        check_traces(tap, name, traces)
        print(f"# {name}: plain {plain[2]:.2f} s, recorded {traced[2]:.2f} s")


def main():
    tap = Tap()
    for name, kind, options in COUNTING:
        for leak in (0, LEAK):
            check_counting(tap, name, kind, options, leak)
    for name, env, long in CHECKING:
        if not long or SCALE > 1:
            check_checking(tap, name, env)
    tap.done()


main()
