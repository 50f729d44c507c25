#!/usr/bin/python3
"""Blocks of annotated heaps: what each scenario of test_heaps leaves live, heap by heap and in the
totals, recorded with and without a collector, in one process and over several."""
import collections
import glob
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import BUILD, MODES, SHIM, Tap, VALTRACE, vtr  # noqa: E402

PROGRAM = os.path.join(BUILD, "bin", "test_heaps")


def record(folder, mode, scenario):
    """Runs a scenario with a collector ("run") or without ("bare"); the path of its trace."""
    path = os.path.join(folder, f"{mode}.{scenario}.vtr")
    command = [PROGRAM, scenario, "--log-path", "", "--shmem-path", folder]
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # of blocks lost on purpose
    if mode == "run":
        command = [VALTRACE, "run", "-q", "-o", path, "--"] + command
    else:
        env.update(LD_PRELOAD=SHIM, VALTRACE_OUTPUT=path)
    done = subprocess.run(command, env=env, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{command}: status {done.returncode} {done.stderr!r}")
    return path


def report(view, *paths):
    out = subprocess.run([VALTRACE, "report", view, "--json", "--limit", "100000", *paths],
                         capture_output=True)
    if out.returncode:
        raise RuntimeError(f"valtrace report {view}: status {out.returncode} {out.stderr!r}")
    return json.loads(out.stdout)


def heaps(result):
    """(name, live blocks, live bytes, allocations, frees, nested) of each heap but libc's."""
    return sorted((h["name"], h["live_blocks"], h["live_bytes"], h["allocations"], h["frees"], h["nested"])
                  for trace in result["traces"] for h in trace["heaps"] if h["kind"] != "libc")


def libc(result, field):
    return sum(h[field] for trace in result["traces"] for h in trace["heaps"] if h["kind"] == "libc")


def lost_by(result, function):
    """Leaked blocks of sites that have the function in their stack."""
    return sum(site["leaked_blocks"] for site in result["sites"]
               if any(frame["function"] == function for frame in site["stack"]))


# scenario: heaps, unmatched frees
EXPECTED = {
    "plain": ([("plain", 3, 3000, 13, 10, False)], 0),
    "interior": ([("interior", 0, 0, 6, 6, False)], 0),
    "wrong": ([("wrong", 0, 0, 1, 1, False)], 1),
    "reset": ([("reset", 5, 320, 250, 245, False)], 0),
    "tag_free": ([("tag_free", 100, 6400, 200, 100, False)], 0),
    "restore": ([("restore", 1, 100, 5, 4, False)], 0),
    "delete": ([("delete", 0, 0, 5, 5, False), ("delete", 1, 100, 1, 0, False)], 0),
    "left": ([("left", 0, 0, 3, 3, False)], 0),
    "groove": ([("groove", 4, 4000, 24, 20, False)], 0),
    "renewed": ([("renewed", 3, 30, 5, 2, False)], 0),
    "often": ([("often", 1, 8, 2000, 1999, False)], 0),
    "in_malloc": ([("groove", 4, 4000, 4, 0, True), ("in_malloc", 3, 3000, 3, 0, True)], 0),
    "custom": ([("my pool", 2, 200, 8, 6, False), ("part", 1, 10, 1, 0, True)], 1),
}


def check_alone(tap, folder, mode, scenario):
    want, unmatched = EXPECTED[scenario]
    result = report("leaks", record(folder, mode, scenario))
    got = heaps(result)
    tap.equal(got, want, f"{mode} {scenario}: blocks of its heaps")
    totals = result["totals"]
    tap.equal(totals["leaked_bytes"] - libc(result, "live_bytes"),
              sum(heap[2] for heap in want if not heap[5]), f"{mode} {scenario}: leaked in all")
    tap.equal(totals["allocations"] - libc(result, "allocations"),
              sum(heap[3] for heap in want if not heap[5]), f"{mode} {scenario}: allocations in all")
    tap.equal(result["completeness"]["unmatched_frees"], unmatched, f"{mode} {scenario}: unmatched frees")
    tap.equal(result["completeness"]["missed_frees"], 0, f"{mode} {scenario}: no block taken for gone")
    if scenario in ("plain", "reset", "restore"):
        tap.equal(lost_by(result, "take_and_lose"), want[0][1], f"{mode} {scenario}: by site")


def check_nested(tap, folder, mode):
    result = report("leaks", record(folder, mode, "nested"))
    got = {heap[0]: heap for heap in heaps(result)}
    outer = got.pop("nested")
    inner = sorted(heap[1:] for heap in got.values())
    tap.equal(inner, [(0, 0, 1005, 1005, True), (5, 165, 1005, 1000, True)],
              f"{mode} nested: one alloc went with its tag, the other one lost 5 blocks")
    totals = result["totals"]
    tap.equal(totals["leaked_bytes"] - libc(result, "live_bytes"), outer[2],
              f"{mode} nested: only the wksp's own blocks are in the total")
    tap.equal(lost_by(result, "nested_lose") >= 5, True, f"{mode} nested: the lost ones by site")

    trace = vtr.Trace(os.path.join(folder, f"{mode}.nested.vtr"))
    seen = collections.Counter(event.heap for event in trace.events() if event.kind == vtr.HEAP_ALLOC)
    tap.equal(sorted(seen.values()), sorted([outer[3], 1005, 1005]),
              f"{mode} nested: the independent reader sees as many allocations")

    result = report("leaks", record(folder, mode, "groove_nested"))
    got = {heap[0].split(":")[0] + ":" * (":" in heap[0]): heap for heap in heaps(result)}
    tap.equal(got["big"][1:], (1, 1 << 30, 1, 0, False), f"{mode} groove in a wksp: one block of the wksp")
    tap.equal(got["big:"][1:], (4, 4000, 24, 20, True), f"{mode} groove in a wksp: nested, 4 lost")
    tap.equal(result["totals"]["leaked_bytes"] - libc(result, "live_bytes"), 1 << 30,
              f"{mode} groove in a wksp: counted once")


def check_shared(tap, folder, mode):
    give = record(folder, mode, "give")
    take = record(folder, mode, "take")
    subprocess.run([PROGRAM, "drop", "--log-path", "", "--shmem-path", folder], check=True,
                   capture_output=True)
    alone = {heap[0].split(":")[0] + ":" * (":" in heap[0]): heap for heap in heaps(report("leaks", give))}
    tap.equal(alone["heaps_shared:"][1:3], (50, 2400), f"{mode} giver alone: 50 blocks of the alloc live")
    tap.equal(alone["heaps_shared"][1] >= 102, True, f"{mode} giver alone: its blocks live")
    result = report("leaks", take)
    tap.equal(result["completeness"]["unmatched_frees"], 0, f"{mode} taker alone: frees of older blocks are no error")
    tap.equal(sorted(h["unseen_frees"] for h in result["traces"][0]["heaps"])[-2:], [50, 100],
              f"{mode} taker alone: but counted")
    for order in ((give, take), (take, give)):
        result = report("leaks", *order)
        got = {heap[0].split(":")[0] + ":" * (":" in heap[0]): heap for heap in heaps(result)}
        tap.equal(len(got), 2, f"{mode} both: two heaps")
        tap.equal(got["heaps_shared:"][1:], (0, 0, 50, 50, True), f"{mode} both: nothing of the alloc leaked")
        tap.equal(got["heaps_shared"][1], alone["heaps_shared"][1] - 100 + 1, f"{mode} both: of the wksp 1 more")
        tap.equal(result["completeness"]["unmatched_frees"], 0, f"{mode} both: no unmatched free")
        tap.equal(lost_by(result, "take_and_lose"), 1, f"{mode} both: the lost one by site")


def announcements(path):
    """What was said of each heap: name up to its colon -> the operations; parents by name"""
    said, parents, names = collections.defaultdict(list), collections.defaultdict(set), {}
    for heap in sorted(vtr.Trace(path).heaps):
        name = names[heap.number] = heap.name.split(":")[0] + ":" * (":" in heap.name)
        said[name].append(heap.op)
        parents[name].add(names.get(heap.parent))
    return dict(said), dict(parents)


def check_life(tap, folder, mode):
    """A heap from its creation to its end, also through another mapping."""
    path = record(folder, mode, "life")
    result = report("leaks", path)
    got = {heap[0].split(":")[0] + ":" * (":" in heap[0]): heap[1:5] for heap in heaps(result)}
    tap.equal((got["life:"], got["groove"]), ((0, 0, 1, 1),) * 2, f"{mode} life: deleted with its block")
    tap.equal(got["life"][:2], (0, 0), f"{mode} life: and so is the wksp")
    said, parents = announcements(path)
    tap.equal(said, {"life": ["create", "detach"] + ["attach", "detach"] * 2 + ["attach", "delete"],
                     "life:": ["create", "attach", "detach", "attach", "delete"],
                     "groove": ["create", "attach", "detach", "attach", "delete"]},
              f"{mode} life: what is announced")
    tap.equal(parents, {"life": {None}, "life:": {"life"}, "groove": {None}}, f"{mode} life: what lies in what")


def check_forked(tap, folder, mode):
    """What lies in private memory is, after a fork, a heap of the child's own."""
    first = record(folder, mode, "forked")
    paths = sorted(glob.glob(first.replace(".vtr", "*.vtr")))
    tap.equal(len(paths), 3, f"{mode} forked: three processes")
    result = report("leaks", *paths)
    got = collections.defaultdict(list)
    for heap in heaps(result):
        got[heap[0].split(":")[0] + ":" * (":" in heap[0])].append(heap[1:5])
    # generation g frees 1 of the 4 blocks and loses 1 + g of its own
    tap.equal(got["common"], [(1 + 6, 100 + 6000, 4 + 6, 3)], f"{mode} forked: shared memory is one heap")
    tap.equal(sorted(got["own"]), [(2, 2000, 2, 0), (3, 3000, 3, 0), (4, 1300, 5, 1)],
              f"{mode} forked: a copy of private memory is another heap")
    tap.equal(got["parted"], [(1, 10, 1, 0)] * 3, f"{mode} forked: also if the heap is attached after the fork")
    tap.equal(got["home:"], [(1, 33, 1, 0)] * 3, f"{mode} forked: and so is what is nested in it")
    uuids = [h["uuid"] for t in result["traces"] for h in t["heaps"] if h["name"].split(":")[0] in ("own", "home")]
    tap.equal((len(uuids), len(set(uuids))), (9, 9), f"{mode} forked: each with an identity")
    tap.equal(result["completeness"]["unmatched_frees"], 0, f"{mode} forked: frees of copied blocks are no error")
    alone = {h["name"]: h["unseen_frees"] for h in report("leaks", *(p for p in paths if p != first))["traces"][0]["heaps"]}
    tap.equal((alone["own"], alone["common"]), (1, 2), f"{mode} forked: but counted")


def check_text(tap, folder, mode):
    out = subprocess.run([VALTRACE, "report", "heaps", os.path.join(folder, f"{mode}.nested.vtr")],
                         capture_output=True, text=True).stdout
    lines = [line.split() for line in out.splitlines()]
    rows = [line for line in lines if line and line[0] in ("wksp", "alloc", "libc")]
    tap.equal([row[0] for row in rows].count("alloc"), 2, f"{mode}: report heaps has a line for each")
    tap.equal(any(row[0] == "alloc" and row[1:3] == ["1,005", "1,000"] and "6" in row for row in rows), True,
              f"{mode}: with counts and tag")
    tap.equal("(in nested: not in the totals)" in out, True, f"{mode}: and what it lies in")


def main():
    tap = Tap()
    for mode in MODES:
        with tempfile.TemporaryDirectory() as folder:
            for scenario in EXPECTED:
                check_alone(tap, folder, mode, scenario)
            check_nested(tap, folder, mode)
            check_shared(tap, folder, mode)
            check_forked(tap, folder, mode)
            check_life(tap, folder, mode)
            check_text(tap, folder, mode)
    tap.done()


main()
