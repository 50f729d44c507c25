#!/usr/bin/env python3
"""Sums hold however it was recorded: by a collector, without one, packed, as a sample, with pauses, with only the last events
kept. In each, every view and export has the sum of the report's sites, groups and tables add up to it, a comparison with itself
is nothing, one the other way round has the other sign, and a filter and its opposite choose all. With VALTEST_LONG of all modes."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path[:0] = ["tests/lib", "tests/steer"]
from blocks import PROGRAM, VALTRACE  # noqa: E402
from exported import READERS, run  # noqa: E402
from page_tree import Tree  # noqa: E402
from steer import Steered  # noqa: E402
from tap import COUNT, ok  # noqa: E402
from valtest import SHIM  # noqa: E402

LONG = bool(os.environ.get("VALTEST_LONG"))
SHORT = ("sample", "paused-sample")
SUMS = "allocations allocated_bytes frees temporary peak_bytes leaked_bytes leaked_blocks reallocs".split()
METRICS = {"leaked": "leaked_bytes", "peak": "peak_bytes", "allocated": "allocated_bytes", "count": "allocations", "temporary": "temporary"}
VIEWS = {"hot": "allocated_bytes", "leaks": "leaked_bytes", "peak": "peak_bytes", "temporary": "temporary", "reallocs": "reallocs"}
OTHERWISE = ("report", "diff", "check-budget", "html", "sqlite")  # these compare with totals, which of a sample were counted


def tell(*args):
    """The document; None: it refuses, as of older events only the sum is kept."""
    done = run(*args)
    kept = done.returncode == 2 and b"are kept" in done.stderr
    return None if kept else json.loads(done.stdout)


def sums_of(rows, figures=SUMS):
    return {figure: sum(row[figure] for row in rows if not row.get("nested")) for figure in figures}


def steered(path, *options, steps):
    program = Steered(*options)
    for step in steps:
        program.ctl(step) if step in ("stop", "start") else program.tell(step)
    program.end()
    shutil.move(program.path, path)
    os.rmdir(program.folder)


def record(folder):
    """By mode: its trace."""
    paths = {name: f"{folder}/{name}.vtr" for name in (("whole", "sample", "bare", "packed", "paused", "paused-sample", "kept") if LONG else SHORT)}
    subprocess.run(["gcc", "-O1", "-g", "-Iinclude", "-x", "c", "-o", f"{folder}/p", "-", "-lpthread"], input=PROGRAM.encode(), check=True)
    subprocess.run([VALTRACE, "run", "-q", "--sample", "4096", "-o", paths["sample"], "--", f"{folder}/p"], check=True)
    steps = ["a 200 4321", "f 10", "stop", "f 100", "a 40 4321", "r 20 4322", "start", "f 70", "a 300 300", "r 9 500", "stop", "f 50", "start", "a 7 99"]
    steered(paths["paused-sample"], "--sample", "1K", steps=steps)
    if not LONG:
        return paths
    subprocess.run([VALTRACE, "run", "-q", "-o", paths["whole"], "--", f"{folder}/p"], check=True)
    subprocess.run([f"{folder}/p"], env={**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": paths["bare"]}, check=True)
    run("pack", paths["bare"], "-o", paths["packed"])
    steered(paths["paused"], steps=steps)
    steered(paths["kept"], "--keep", "1M", "--no-snapshot", steps=["a 20 900"] + ["x 50000"] * 10)
    return paths


def check_exports(mode, trace, want):
    for name, reader in READERS.items():
        if name in OTHERWISE or (name == "heaptrack" and "sample" in mode):  # it rounds blocks, and has bytes from that
            continue
        if mode == "kept" and run("export", "--format", name, trace).returncode == 2 and name != "flame":
            continue
        got = reader(trace, [])
        ok({k: v for k, v in got.items() if k in want} == {k: want[k] for k in got if k in want} and got, f"{mode}: {name} has the report's sums", got, want)
    page = tell("html", "--json", trace)
    tree = page and Tree(page).sums()
    ok(tree is None or all(tree[k] == want[k] for k in tree if k in want), f"{mode}: so has the page", tree, want)


def check_groups(mode, trace, want):
    for by in ("function", "line", "module"):
        got = {figure: sums_of(tell("report", view, "--by", by, "--json", trace)["groups"], [figure])[figure] for view, figure in VIEWS.items()}
        ok(got == {figure: want[figure] for figure in got}, f"{mode}: groups by {by}", got, want)
    for view in ("sizes", "threads"):
        document = tell("report", view, "--json", trace)
        figures = ("allocations", "allocated_bytes", "temporary", "leaked_bytes", "leaked_blocks")
        got = document and {figure: sum(row[figure] for row in document[view]) for figure in figures}
        ok(got is None or got == {figure: want[figure] for figure in figures}, f"{mode}: {view}", got, want)
    heaps = tell("report", "heaps", "--json", trace)["traces"][0]["heaps"]
    ok(sums_of(heaps, ["allocations", "frees", "leaked_bytes"]) == {k: want[k] for k in ("allocations", "frees", "leaked_bytes")}, f"{mode}: heaps", heaps, want)


def check_filters(mode, trace, want):
    halves = ["--min-size", "100"], ["--max-size", "99"]
    parts = [tell("report", "hot", "--json", *options, trace) for options in halves]
    if None not in parts:
        sums = [sums_of(part["sites"], ["allocations", "allocated_bytes", "frees", "leaked_bytes", "temporary"]) for part in parts]
        ok(all(sums[0][k] + sums[1][k] == want[k] for k in sums[0]), f"{mode}: a filter and its opposite choose all", sums, want)


def check_pair(first, second, paths):
    for metric, figure in METRICS.items():
        there, back = (tell("diff", "--json", "--metric", metric, paths[a], paths[b]) for a, b in ((first, second), (second, first)))
        by_site = [sorted(sign * site["change"] for site in document["sites"]) for sign, document in ((1, there), (-1, back))]
        sides = [sum(site[f"{figure}_{side}"] for site in there["sites"]) for side in ("before", "after")] if figure in SUMS else [0, sum(by_site[0])]
        ok(by_site[0] == by_site[1] and sum(by_site[0]) == sides[1] - sides[0], f"{first} and {second}, {metric}: there and back", by_site, sides)
        same = tell("diff", "--json", "--metric", metric, paths[first], paths[first])
        ok(not any(site["change"] for site in same["sites"] + same["functions"]), f"{first}, {metric}: it does not differ from itself")


def main():
    with tempfile.TemporaryDirectory() as folder:
        paths = record(folder)
        for mode, trace in paths.items():
            want = sums_of(tell("report", "hot", "--json", trace)["sites"])
            check_exports(mode, trace, want)
            check_groups(mode, trace, want)
            check_filters(mode, trace, want)
        check_pair(*SHORT, paths)
        if LONG:
            kept = tell("report", "hot", "--json", paths["kept"])["completeness"]
            ok(kept["events_since_ns"] and tell("report", "sizes", "--json", paths["kept"]) is None, "kept: older events are a sum", kept)
            check_pair("whole", "paused", paths)
            check_pair("kept", "packed", paths)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
