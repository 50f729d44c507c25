#!/usr/bin/env python3
"""Findings on planted programs, one of a kind, and on their healthy twins that just do not make it: each
says what was planted, where, with numbers that agree with the views it points to, and nothing else."""
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path[:0] = ["tests/lib", "tests/oracle"]
import vtr  # noqa: E402
from tap import COUNT, ok  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
VALTRACE = os.path.abspath(f"{BUILD}/bin/valtrace")
# kind of finding -> (program's argument, function it is in, view it points to), and its twins
PLANTED = {"lost": ("loses", "leaks"), "growing": ("grows", "growth"), "spike": ("spikes", "peak"), "peak": ("main", "peak"), "churn": ("churns", "temporary"),
           "creeping": ("creeps", "reallocs"), "copying": ("copies", "hot"), "foreign-frees": ("foreign", "frees"),
           "mismatch": ("mismatches", "mismatches"), "wrong-free": (None, "mismatches"), "pinned": ("pins", "pages"),
           "untouched": ("reserves", "pages"), "outside": ("maps", "memory")}
HEALTHY = ("growing-little", "growing-once", "growing-settled", "constant", "spike-small", "plateau", "churn-little", "creeping-doubling",
           "creeping-little", "copying-reserved", "copying-ring", "foreign-frees-little", "matching", "right-free", "annotated", "reachable", "nothing",
           "pinned-little", "pinned-dense", "untouched-used", "untouched-little", "outside-little")


def run(*args):
    return subprocess.run([VALTRACE, *args], capture_output=True, text=True, check=False)


def document(trace, *args):
    return json.loads(run("report", "--json", *args, trace).stdout)


def base(function):
    return function.split("(")[0].split("::")[-1] if function else function


def is_whole_curve(trace):
    """Does what grew in the trace do so from its start to its end? The program sees to its being even (planted.cc), but not
    to a long wait before it began or at its exit, which flattens the curve as well. The other reader tells."""
    read = vtr.Trace(trace)
    grown = [event.tick for event in read.events() if event.size == 300]
    start, end = read.start_tick, read.process[-1][0]
    return 16 * (grown[0] - start) <= end - start and 16 * (end - grown[-1]) <= end - start


def record(folder, program, kind):
    """The one that must grow evenly is recorded again when the machine did not let it."""
    trace = f"{folder}/{kind}.vtr"
    for _ in range(10):
        subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", program, kind], check=False, capture_output=True)
        if kind != "growing" or is_whole_curve(trace):
            break
    return kind, trace


def check_text(kind, trace, expected):
    """At most 40 lines of 80 columns; the command that is printed shows the evidence."""
    done = run("report", trace)
    lines = done.stdout.splitlines()
    ok(len(lines) <= 40 and max(map(len, lines)) <= 80, f"{kind}: 40 lines of 80 columns at most", len(lines), max(map(len, lines)))
    if expected:
        commands = re.findall(rf"^     (valtrace report {expected} .*)$", done.stdout, re.M)
        shown = [subprocess.run(f"{os.path.dirname(VALTRACE)}/{command}", shell=True, capture_output=True, text=True, check=False)
                 for command in commands]
        ok(commands and all(c.returncode == 0 and c.stdout for c in shown), f"{kind}: its command shows the evidence", done.stdout)
    else:
        ok("Nothing stands out." in done.stdout, f"{kind}: nothing stands out", done.stdout)


def check_numbers(kind, values, trace):
    """The numbers of the finding against the plan."""
    want = {"lost": {"blocks": (18, 20), "bytes": (18 * 123, 20 * 123)}, "growing": {"bytes_per_allocation": (299, 301)}, "spike": {"peak_bytes": (4 << 20, (4 << 20) + 200000)},
            "peak": {"bytes": (9 << 20, 9 << 20)}, "churn": {"temporary": (10000, 10000), "allocations": (10000, 10000)},
            "creeping": {"bytes_per_step": (64, 64), "steps": (130, 130), "copied_bytes": (1 << 20, 130 * 16600)}, "copying": {"steps": (1100, 1200)},
            "foreign-frees": {"blocks": (10000, 10000)}, "mismatch": {"blocks": (1, 1)}, "wrong-free": {"frees": (1, 1)},
            "pinned": {"blocks": (1600, 1600), "bytes": (64000, 64000), "rest_bytes": (5 << 20, 1600 * 4096)},
            "untouched": {"bytes": (17 << 20, 17 << 20), "untouched_bytes": ((9 << 20) - 8192, 9 << 20)},
            "outside": {"bytes": (9 << 20, 9 << 20), "mapped_bytes": (9 << 20, 9 << 20)}}[kind]
    bad = {key: values.get(key) for key, (low, high) in want.items() if not low <= values.get(key, -1) <= high}
    ok(not bad, f"{kind}: its numbers are those of the plan", bad, values)


def check_planted(kind, trace):
    function, view = PLANTED[kind]
    full = document(trace)
    found = full["findings"]
    ok([f["kind"] for f in found] == [kind], f"{kind}: found, and nothing else", found)
    for finding in found[:1]:
        ok(base(finding.get("function")) == function, f"{kind}: in {function}", finding.get("function"))
        ok(function is None or finding["file"].endswith("planted.cc") and finding["line"] > 0, f"{kind}: with file and line", finding)
        ok(finding["see"] == [f"valtrace report {view} {trace}"], f"{kind}: points to {view}", finding["see"])
        site = finding["site"] and full["sites"][finding["site"] - 1]
        ok(function is None or kind == "outside" and site is None or any(base(frame["function"]) == function for frame in site["stack"]), f"{kind}: its site is in the document")
        check_numbers(kind, finding["values"], trace)
    check_text(kind, trace, view)


def check_views(traces):
    """The views that findings point to, against each other and the plan."""
    frees = document(traces["foreign-frees"], "frees")["frees"]
    pair = next(f for f in frees if f["allocation"]["function"].startswith("foreign"))
    threads = {t["tid"] for t in document(traces["foreign-frees"], "threads")["threads"]}
    ok(pair["blocks"] == 10000 and pair["bytes"] == 500000 and pair["other_thread_blocks"] == 10000 and
       [(t["blocks"], t["bytes"]) for t in pair["threads"]] == [(10000, 500000)] and
       {pair["threads"][0][k] for k in ("allocated_by", "freed_by")} == threads, "frees: blocks, bytes and threads of a pair", pair, threads)
    for kind in ("foreign-frees", "copying", "creeping", "growing"):
        totals = document(traces[kind])["totals"]
        for by in ("function", "line", "module", "site"):
            view = document(traces[kind], "frees", "--by", by)["frees"]
            ok(sum(f["blocks"] for f in view) == totals["frees"] == sum(t["blocks"] for f in view for t in f["threads"]) and
               sum(f["other_thread_blocks"] for f in view) == totals["cross_thread_frees"],
               f"{kind}: frees --by {by} sum up to the totals", sum(f["blocks"] for f in view), totals)
            grown = document(traces[kind], "growth", "--by", by)["growth"]
            ok(sum(g["moments"][-1]["live_bytes"] for g in grown) == totals["leaked_bytes"] and
               sum(g["moments"][-1]["allocations"] for g in grown) == totals["allocations"], f"{kind}: growth --by {by} ends with the totals")
    [wrong] = document(traces["wrong-free"], "mismatches")["mismatches"]
    ok(wrong["kind"] == "double-free" and wrong["size"] == 2000 and
       all(any(base(frame["function"]) == "twice" for frame in wrong[key]["stack"]) for key in ("allocation", "earlier_free", "free")),
       "mismatches: a double free has its three stacks", wrong)
    lines = [next(frame["line"] for frame in wrong[key]["stack"] if base(frame["function"]) == "twice") for key in ("allocation", "earlier_free", "free")]
    ok(lines[0] < lines[1] < lines[2], "each at its line", lines)
    [wrong] = document(traces["mismatch"], "mismatches")["mismatches"]
    ok((wrong["kind"], wrong["allocation"]["api"], wrong["free"]["api"], wrong["size"]) == ("mismatch", "new[]", "free", 40),
       "mismatches: free of new[]", wrong)
    [wrong] = document(traces["annotated-twice"], "mismatches")["mismatches"]
    ok(wrong["kind"] == "double-free" and wrong["size"] == 60 and wrong["address"] == 64 and
       all(any(base(frame["function"]) == "annotated" for frame in wrong[key]["stack"]) for key in ("allocation", "earlier_free", "free")),
       "mismatches: a double free in an annotated heap is called one", wrong)
    text = run("report", "summary", traces["annotated-twice"]).stdout
    ok("1 free of an address where no block was live" in text and "before recording" not in text, "and nothing else is said of it", text[:900])
    ok(document(traces["right-free"], "mismatches")["mismatches"] == [], "mismatches: none in a healthy program")


def check_block(trace):
    """block: exact, interior and near addresses; a moment; against dump."""
    wrong = document(trace, "mismatches")["mismatches"][0]
    address = wrong["address"]
    events = [e for line in run("dump", "--json", trace).stdout.splitlines() for e in [json.loads(line)] if e.get("address") == address]
    for what, at in (("exact", address), ("interior", address + 1999)):
        history = json.loads(run("block", "--json", hex(at), trace).stdout)
        last = history["blocks"][-1]
        ok(history["contained"] and last["address"] == address and last["address_hex"] == hex(address) and last["size"] == 2000 and
           last["allocation"]["t_ns"] == wrong["allocation"]["t_ns"] and last["free"]["t_ns"] == wrong["earlier_free"]["t_ns"],
           f"block: {what} address", last)
        if what == "exact":
            ok(len(history["wrong_frees"]) == 1 and history["wrong_frees"][0]["t_ns"] == wrong["free"]["t_ns"], "block: with the wrong free")
            times = sorted(t for b in history["blocks"] for t in [b["allocation"]["t_ns"]] + ([b["free"]["t_ns"]] if b["free"] else []))
            ok(times == sorted(e["t_ns"] for e in events)[:-1], "block: every event at the address", times, events)
    first = json.loads(run("block", "--json", "--at", f"{wrong['allocation']['t_ns']}ns", hex(address), trace).stdout)["blocks"]
    ok(len(first) == 1 and first[0]["allocation"]["t_ns"] == wrong["allocation"]["t_ns"], "block --at: the one of then", first)
    text = run("block", hex(address), trace).stdout
    ok("allocated at" in text and "freed at" in text and "twice" in text and "no block was live" in text, "block as text", text)
    for args in (("block", "xyz", trace), ("block", trace), ("block", "0x10", trace), ("block", hex(address), "--function", "f", trace)):
        done = run(*args)
        ok(done.returncode == 2 and done.stderr.count("\n") == 1, f"{' '.join(args[:2])}: usage", done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/planted"
        subprocess.run(["g++", "-std=gnu++17", "-O1", "-g", "-w", "-fno-builtin", "-Iinclude", "-o", program, os.path.abspath("tests/findings/planted.cc"), "-lpthread"],
                       check=True)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            traces = dict(pool.map(lambda kind: record(folder, program, kind), [*PLANTED, *HEALTHY, "annotated-twice"]))
        for kind in PLANTED:
            check_planted(kind, traces[kind])
        for kind in HEALTHY:
            found = document(traces[kind])["findings"]
            ok(not found, f"{kind}: no finding", found)
            check_text(kind, traces[kind], None)
        check_views(traces)
        check_block(traces["wrong-free"])
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
