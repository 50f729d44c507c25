#!/usr/bin/python3
"""Planted leaks and temporary allocations are reported exactly: nothing missed, nothing invented."""
import collections
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from valtest import MODES, PROGRAMS, Run, Tap, VALTRACE, program, vtr  # noqa: E402

PLANTED = re.compile(r"PLANTED (leak|temporary) (\w+) (\d+)(?: (\d+))?")


def truth():
    leaks, temporary = {}, {}
    with open("tests/programs/planted.c", encoding="utf-8") as file:
        for kind, name, blocks, sz in PLANTED.findall(file.read()):
            if kind == "leak":
                leaks[name] = (int(blocks), int(sz))
            else:
                temporary[name] = int(blocks)
    return leaks, temporary


def report(view, path):
    out = subprocess.run([VALTRACE, "report", view, "--json", "--limit", "100000", path], capture_output=True)
    if out.returncode:
        raise RuntimeError(f"valtrace report {view}: status {out.returncode} {out.stderr!r}")
    return json.loads(out.stdout)


def planted_function(site):
    return next((f["function"] for f in site["stack"] if (f["function"] or "").startswith("plant_")), None)


def by_function(sites, *fields):
    found = collections.defaultdict(lambda: [0] * len(fields))
    for site in sites:
        name = planted_function(site)
        if name and any(site[field] for field in fields):
            found[name] = [a + site[field] for a, field in zip(found[name], fields)]
    return found


def check_report(tap, mode, path):
    leaks, temporary = truth()
    got = report("leaks", path)
    found = by_function(got["sites"], "leaked_blocks", "leaked_bytes")
    tap.equal({k: tuple(v) for k, v in found.items()}, leaks, f"leaks [{mode}]")
    found = by_function(report("temporary", path)["sites"], "temporary")
    tap.equal({k: v[0] for k, v in found.items()}, temporary, f"temporary [{mode}]")
    model = vtr.Model(vtr.Trace(path)).totals()
    totals = {k: v for k, v in got["totals"].items() if k in model}
    tap.equal(totals, {k: v for k, v in model.items() if k in totals}, f"totals agree with the model [{mode}]")
    tap.equal(sum(s["leaked_bytes"] for s in got["sites"]), model["leaked_bytes"], f"sites add up [{mode}]")
    tap.ok(got["completeness"]["complete"], f"complete [{mode}]", [got["completeness"]])


def check_sites(tap, mode, path):
    """Every site of the report, as a list of addresses, against the model's."""
    trace = vtr.Trace(path)
    want = collections.Counter()
    for ref, (blocks, sz) in vtr.Model(trace).leaks().items():
        want[blocks, sz] += 1
    got = collections.Counter((s["leaked_blocks"], s["leaked_bytes"])
                              for s in report("leaks", path)["sites"] if s["leaked_blocks"])
    tap.equal(sum(k[0] * n for k, n in got.items()), sum(k[0] * n for k, n in want.items()),
              f"leaked blocks of all sites [{mode}]")


def main():
    tap = Tap()
    for mode in MODES:
        run = Run(program("planted", os.path.join(PROGRAMS, "libplanted.so")), mode)
        tap.equal((run.status, run.stdout), (0, b"planted\n"), f"runs [{mode}]")
        try:
            path = run.main_trace().path
            check_report(tap, mode, path)
            check_sites(tap, mode, path)
            if mode == "bare":
                packed = os.path.join(run.folder, "packed.vtr")
                subprocess.run([VALTRACE, "pack", path, "-o", packed], check=True)
                check_report(tap, "packed", packed)
        except (RuntimeError, KeyError, IndexError, OSError, subprocess.CalledProcessError) as error:
            tap.ok(False, f"report [{mode}]", [repr(error)])
        run.remove()
    tap.done()


main()
