#!/usr/bin/env python3
"""Every export is opened by the tool it is made for, and that tool's totals are compared with the
report's; on a small program also through each kind of filter. Tools that are not installed are
skipped."""
import collections
import csv
import glob
import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import COUNT, ok, skip

BUILD = os.environ.get("BUILD", "build")
VALTRACE = os.path.abspath(f"{BUILD}/bin/valtrace")
FILTERS = []  # options that choose blocks, for every command

PROGRAM = r"""
#include <pthread.h>
#include <stdlib.h>
#include "valtrace/annotate.h"
void *volatile sink;
__attribute__((noinline)) void leak(int n) { while (n--) sink = malloc(100 + n); }
__attribute__((noinline)) void churn(void) { for (int i = 0; i < 2000; i++) { sink = malloc(24); free(sink); } }
__attribute__((noinline)) void grow(void) { void *p = 0; for (int i = 1; i < 20; i++) p = realloc(p, i * 1000); sink = p; }
__attribute__((noinline)) void peak(void) { void *volatile a = malloc(300000); churn(); free(a); }
__attribute__((noinline)) int recurse(int n) { sink = malloc(8); return n ? recurse(n - 1) + 1 : 0; }
static void *worker(void *block) {
  vt_thread_name("the worker");
  free(block);
  churn();
  leak(3);
  return malloc(333);
}
int main(void) {
  leak(10);
  grow();
  recurse(30);
  pthread_t thread;
  void *block;
  pthread_create(&thread, 0, worker, malloc(77));
  pthread_join(thread, &block);
  free(block);
  peak();
}
"""

# Names with everything that means something in some format.
HOSTILE = r"""
#include "valtrace/annotate.h"
#include <stdlib.h>
void *volatile sink;
static char pool[4096];
void evil(int n) __asm__("\"evil;na me (x) <b>&'%s, fn=(1) \303\244\"");
__attribute__((noinline)) void evil(int n) { sink = malloc(n); }
int main(void) {
  vt_heap_create(pool, sizeof pool, VT_HEAP_CUSTOM, "a \"heap\",\\ \x01\x1f\x7f\n\t\xff;<i>", 0, 0);
  vt_block_alloc(pool, pool + 64, 100, 0, 0);
  for (int i = 0; i < 5; i++) evil(100);
}
"""


def output(*args):
    return subprocess.run(args, capture_output=True, check=False).stdout.decode(errors="replace")


def export(trace, form, *args):
    path = f"{trace}.{form}"
    done = subprocess.run([VALTRACE, "export", "--format", form, "-o", path, *args, *FILTERS, trace], capture_output=True)
    ok(done.returncode == 0 and not done.stderr, f"{form}: written", done.stderr)
    return path


def check_folded(trace, totals):
    for metric, key in (("leaked", "leaked_bytes"), ("peak", "peak_bytes"), ("allocated", "allocated_bytes"),
                        ("count", "allocations"), ("temporary", "temporary")):
        lines = output(VALTRACE, "flame", "--metric", metric, *FILTERS, trace).splitlines()
        ok(sum(int(line.rsplit(" ", 1)[1]) for line in lines) == totals[key], f"flame: {metric} adds up to {key}")


def check_json_formats(trace, totals):
    with open(export(trace, "speedscope"), encoding="utf-8") as file:
        document = json.load(file)
    profiles = {p["name"]: p for p in document["profiles"]}
    frames = len(document["shared"]["frames"])
    ok(all(sum(profiles[name]["weights"]) == totals[key] == profiles[name]["endValue"] for name, key in
           (("leaked", "leaked_bytes"), ("peak", "peak_bytes"), ("allocations", "allocations"))), "speedscope: totals")
    ok(all(len(p["samples"]) == len(p["weights"]) and all(0 <= f < frames for s in p["samples"] for f in s)
           for p in document["profiles"]), "speedscope: samples fit weights and frames")
    with open(export(trace, "dhat"), encoding="utf-8") as file:
        document = json.load(file)
    points = document["pps"]
    ok(sum(p["tb"] for p in points) == totals["allocated_bytes"] and sum(p["tbk"] for p in points) == totals["allocations"]
       and sum(p["gb"] for p in points) == totals["peak_bytes"] and sum(p["eb"] for p in points) == totals["leaked_bytes"],
       "dhat: totals")
    ok(all(p["mb"] >= p["gb"] and p["mb"] >= p["eb"] for p in points), "dhat: a point's maximum is its maximum")
    stacks = [tuple(p["fs"]) for p in points]
    ok(len(set(stacks)) == len(stacks) and all(0 <= f < len(document["ftbl"]) for s in stacks for f in s),
       "dhat: stacks are distinct and frames exist")


def check_pprof(trace, totals):
    tools = glob.glob("/usr/lib/go-*/pkg/tool/linux_*/pprof")
    for metric, keys in (("leaked", ("leaked_blocks", "leaked_bytes")), ("peak", ("peak_blocks", "peak_bytes"))):
        path = export(trace, "pprof", "--metric", metric)
        if not tools:
            skip("pprof")
            continue
        raw = output(tools[0], "-raw", path)
        ok("alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes[dflt]" in raw,
           "pprof: what is in use is shown first", raw[:400])
        samples = raw[raw.index("Samples:"):raw.index("Locations")].splitlines()[2:]
        sums = [sum(int(line.split(":")[0].split()[i]) for line in samples if re.match(r"[\d\s]+:", line)) for i in range(4)]
        ok(sums == [totals["allocations"], totals["allocated_bytes"], totals[keys[0]], totals[keys[1]]],
           f"pprof: totals with {metric}", sums)


def check_heaptrack(trace, totals):
    path = export(trace, "heaptrack")
    if not shutil.which("heaptrack_print"):
        skip("heaptrack_print")
        return
    text = output("heaptrack_print", "--disable-builtin-suppressions", path)
    calls = int(re.search(r"calls to allocation functions: (\d+)", text)[1])
    ok(calls == totals["allocations"], "heaptrack_print: calls to allocation functions", calls)
    for what, key in (("peak heap memory consumption", "peak_bytes"), ("total memory leaked", "leaked_bytes")):
        number = re.search(what + r": ([\d.]+)(\w)", text)
        value = float(number[1]) * {"B": 1, "K": 1e3, "M": 1e6, "G": 1e9}[number[2]]
        ok(abs(value - totals[key]) <= 0.006 * totals[key] + 1, f"heaptrack_print: {what}", text[-400:])


def check_firefox(trace, totals):
    """What the front end computes, from the table of allocations; tests/export has the front end itself."""
    with open(export(trace, "firefox"), encoding="utf-8") as file:
        document = json.load(file)
    shared, tables = document["shared"], [thread["nativeAllocations"] for thread in document["threads"]]
    live, changes = [{} for _ in tables], []
    for table, blocks in zip(tables, live):  # a thread's has the frees of its blocks, by whomever
        for time, weight, address in zip(table["time"], table["weight"], table["memoryAddress"]):
            if weight >= 0:
                blocks[address] = weight
            else:
                weight = -blocks.pop(address)
            changes.append((time, weight))
    live_bytes = sum(sum(blocks.values()) for blocks in live)
    ok([sum(w for _, w in changes if w > 0), sum(map(len, live)), live_bytes] ==
       [totals[k] for k in ("allocated_bytes", "leaked_blocks", "leaked_bytes")], "firefox: totals")
    low, high = (max(itertools.accumulate(w for _, w in sorted(changes, key=lambda c: (c[0], sign * c[1])))) for sign in (1, -1))
    ok(low <= totals["peak_bytes"] <= high, "firefox: the peak", low, high, totals["peak_bytes"])
    ok(all(table["time"] == sorted(table["time"]) for table in tables), "firefox: events are in order")
    table = {key: sum((t[key] for t in tables), []) if isinstance(value, list) else value for key, value in tables[0].items()}
    table["length"] = sum(t["length"] for t in tables)
    lengths = {name: {len(column) for column in t.values() if isinstance(column, list)} | {t["length"]}
               for name, t in {**shared, "nativeAllocations": table}.items() if isinstance(t, dict)}
    ok(all(len(sizes) == 1 for sizes in lengths.values()), "firefox: columns of a table are of one length", lengths)
    stacks, frames = shared["stackTable"], shared["frameTable"]
    ok(all(s is None or 0 <= s < stacks["length"] for s in table["stack"]) and
       all(p is None or p < i for i, p in enumerate(stacks["prefix"])) and
       all(0 <= f < frames["length"] for f in stacks["frame"]) and
       all(0 <= f < shared["funcTable"]["length"] for f in frames["func"]) and
       all(0 <= n < len(shared["stringArray"]) for n in shared["funcTable"]["name"]), "firefox: tables refer to rows that exist")
    other = shutil.copy(trace, f"{trace}.other")
    twice = json.loads(output(VALTRACE, "export", "--format", "firefox", *FILTERS, trace, other))["threads"]
    pid = document["threads"][0]["pid"]
    ok([t["pid"] for t in twice if t["isMainThread"]] == [pid, pid + ".1"] and len(twice) == 2 * len(tables),
       "firefox: images of one process are told apart", [(t["name"], t["pid"]) for t in twice])
    counter = document["counters"][0]["samples"]["count"]
    ok(sum(counter) == totals["leaked_bytes"], "firefox: the memory counter ends where the record does", sum(counter))


def check_massif(trace, totals):
    path = export(trace, "massif")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    ok(max(int(n) for n in re.findall(r"mem_heap_B=(\d+)", text)) == totals["peak_bytes"], "massif: peak")
    children = [int(n) for n in re.findall(r"^ n\d+: (\d+)", text, re.M)]
    ok(0.99 * totals["peak_bytes"] <= sum(children) <= totals["peak_bytes"], "massif: the tree adds up to the peak")
    if not shutil.which("ms_print"):
        skip("ms_print")
        return
    done = subprocess.run(["ms_print", path], capture_output=True)
    ok(done.returncode == 0 and b"(peak)" in done.stdout, "ms_print reads it", done.stderr)


def check_callgrind(trace, totals):
    path = export(trace, "callgrind")
    if not shutil.which("callgrind_annotate"):
        skip("callgrind_annotate")
        return
    line = next((l for l in output("callgrind_annotate", path).splitlines() if "PROGRAM TOTALS" in l), "")
    numbers = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) ", re.sub(r"\([^)]*\)", "", line))]
    ok(numbers == [totals["leaked_bytes"], totals["leaked_blocks"], totals["allocated_bytes"], totals["allocations"]],
       "callgrind_annotate: totals", line)


def database_stacks(path):
    """Counter of (functions of the stack, innermost first, bytes) in the database; "" for an unknown function."""
    database = sqlite3.connect(path)
    callsites = {ident: (parent, "" if "+0x" in name else name) for ident, parent, name in database.execute(
        "select c.id, parent_id, name from stack_profile_callsite c join stack_profile_frame f on f.id = frame_id")}
    sites = collections.Counter()
    for callsite, size in database.execute("select callsite_id, size from heap_profile_allocation where not nested"):
        names = []
        while callsite:
            callsite, name = callsites[callsite]
            names.append(name)
        sites[tuple(names), size] += 1
    database.close()
    return sites


def report_stacks(trace):
    sites = json.loads(output(VALTRACE, "report", "--json", *FILTERS, trace))["sites"]
    return collections.Counter((tuple(f["function"] for f in s["stack"]), s["allocated_bytes"]) for s in sites
                               if not s.get("nested"))


def check_tables(trace, totals):
    with open(export(trace, "csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ok(all(sum(int(r[key]) for r in rows) == totals[key] for key in ("allocations", "allocated_bytes", "leaked_bytes")),
       "csv: totals")
    path = export(trace, "sqlite")
    if not shutil.which("sqlite3"):
        skip("sqlite3")
        return
    query = "select sum(count),sum(size),sum(leaked_size),sum(peak_size) from heap_profile_allocation where not nested"
    ok(output("sqlite3", path, query).strip() == "|".join(str(totals[k]) for k in
       ("allocations", "allocated_bytes", "leaked_bytes", "peak_bytes")), "sqlite3: totals")
    ok(database_stacks(path) == report_stacks(trace), "sqlite: every site has its stack")
    depth = output("sqlite3", path, "with recursive up(id,n) as (select callsite_id,1 from heap_profile_allocation "
                   "union all select parent_id,n+1 from up join stack_profile_callsite c on c.id=up.id "
                   "where parent_id is not null) select max(n)>1 from up").strip()
    ok(depth == ("1" if totals["allocations"] else ""), "sqlite3: callsites chain to their roots", depth)


def check_diff_and_budget(trace, totals):
    same = json.loads(output(VALTRACE, "diff", "--json", trace, trace))
    ok(all(s["change"] == 0 for s in same["sites"]), "diff with itself: nothing changed")
    live = json.loads(output(VALTRACE, "diff", "--json", trace, "--at", "0", "1000000"))
    ok(sum(s["change"] for s in live["sites"]) == totals["leaked_bytes"], "diff of two moments: what came to live")
    for limit, status in ((["--max-leaked", str(totals["leaked_bytes"])], 0), (["--max-leaked", "1"], 1),
                          (["--max-peak", "1k"], 1), (["--max-allocations", "1000000000"], 0),
                          (["--max-temporary", "0"], 1), ([], 2), (["--max-peak", "lots"], 2)):
        done = subprocess.run([VALTRACE, "check-budget", *limit, trace], capture_output=True)
        ok(done.returncode == status, f"check-budget {' '.join(limit)}: status {status}", done.returncode, done.stderr)
    full = subprocess.run(f"{VALTRACE} report --json {trace} >/dev/full", shell=True, capture_output=True)
    ok(full.returncode == 4 and full.stderr.count(b"\n") == 1, "a full disk: status 4, one line", full)


HELLO = """
#include <clocale>
#include <cstdio>
#include <iostream>
int main() { setlocale(LC_ALL, ""); puts("hello"); std::cout << "hello" << std::endl; }
"""
LEAKY = """
#include <stdlib.h>
void *volatile sink;
__attribute__((noinline)) void leaky_function(void) { sink = malloc(10); }
int main(void) { leaky_function(); sink = 0; return 0; }
"""


def check_fail_on_leak(folder):
    """Without a snapshot what is lost is not known: the gate is shut unless nothing of the program's own is live."""
    hello, mine = f"{folder}/hello", f"{folder}/mine.supp"
    for name, text, compiler in (("hello.cc", HELLO, "g++"), ("leaky.c", LEAKY, "gcc")):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run([compiler, "-O1", "-o", f"{folder}/{name.split('.')[0]}", f"{folder}/{name}"], check=True)
    with open(mine, "w", encoding="utf-8") as file:
        file.write("leak:^leaky_function$\n")
    for options, program, status in (([], ["sh", "-c", "exit 7"], 7), ([], ["/usr/bin/python3", "-c", "pass"], 1), ([], [hello], 0),
                                     (["--no-default-suppressions"], [hello], 1), ([], [f"{folder}/leaky"], 1),
                                     (["--suppressions", mine], [f"{folder}/leaky"], 0), (["--suppressions", "/none"], [hello], 125)):
        done = subprocess.run([VALTRACE, "run", "-q", "--no-snapshot", "--fail-on-leak", *options, "-o", f"{folder}/l.vtr", "--", *program],
                              capture_output=True)
        said = done.stderr.count(b"\n") == 1 if status in (1, 125) else not done.stderr
        said = said and bool(done.stdout) == (status in (0, 1) and hello in program)
        ok(done.returncode == status and said, f"run --fail-on-leak {' '.join(options[:1] + program[:1])}: status {status}", done)
    totals = json.loads(output(VALTRACE, "report", "--json", f"{folder}/l.vtr"))
    ok(all(totals["totals"][f"{kind}_{unit}"] is None for kind in ("lost", "possible", "reachable", "unjudged") for unit in ("bytes", "blocks")) and
       all(s["leak_kind"] == "unknown" and s["lost_bytes"] is None for s in totals["sites"]), "without a verdict nothing is said of lost blocks")
    for program, status in (([hello], 0), ([f"{folder}/leaky"], 1)):
        done = subprocess.run([VALTRACE, "run", "-q", "--fail-on-leak", "-o", f"{folder}/l.vtr", "--", *program], capture_output=True)
        ok(done.returncode == status and (b" lost" in done.stderr) == bool(status), f"run --fail-on-leak with a snapshot: status {status}", done)
    subprocess.run([VALTRACE, "run", "-q", "--no-snapshot", "-o", f"{folder}/l.vtr", "--", hello], check=True, stdout=subprocess.DEVNULL)
    for options, status, words in ((["--max-live", "0"], 0, ["within budget", "not counted: "]), (["--max-leaked-blocks", "0"], 0, ["not counted"]),
                                   (["--max-lost", "0"], 0, []), (["--max-live", "0", "--no-default-suppressions"], 1, ["over budget"]),
                                   (["--max-lost", "0", "--no-default-suppressions"], 1, [])):
        done = subprocess.run([VALTRACE, "check-budget", *options, f"{folder}/l.vtr"], capture_output=True, text=True)
        ok(done.returncode == status and all(word in done.stdout for word in words), f"check-budget {' '.join(options)} of hello: {status}", done)
    known = json.loads(output(VALTRACE, "check-budget", "--max-live", "0", "--json", f"{folder}/l.vtr"))
    ok(any(s["used"] and s["default"] for s in known["suppressions"]), "the use of default suppressions is counted", known["suppressions"])


def record_program(folder, text=PROGRAM, name="p"):
    source, program, trace = f"{folder}/{name}.c", f"{folder}/{name}", f"{folder}/{name}.vtr"
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    subprocess.run(["gcc", "-O1", "-g", "-Iinclude", "-o", program, source, "-lpthread"], check=True)
    subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", program], check=True)
    return trace


def check_all(trace):
    """Every format against the report with the same filters, whose totals are returned."""
    totals = json.loads(output(VALTRACE, "report", "--json", *FILTERS, trace))["totals"]
    ok(totals["allocations"] > 0, "there is something to export", totals)
    for check in (check_folded, check_json_formats, check_pprof, check_heaptrack, check_firefox, check_massif,
                  check_callgrind, check_tables):
        check(trace, totals)
    return totals


def check_hostile(trace):
    print("# with hostile names")
    totals = check_all(trace)
    heaps = json.loads(output(VALTRACE, "report", "heaps", "--json", trace))["traces"][0]["heaps"]
    ok(any(h["name"] == 'a "heap",\\ \x01\x1f\x7f\n\t\ufffd;<i>' for h in heaps), "hostile: JSON keeps a heap's name", heaps)
    lines = [l for l in output(VALTRACE, "flame", "--metric", "leaked", trace).splitlines() if "evil" in l]
    stacks = {line.rsplit(" ", 1)[0].rsplit(";", 1)[1].strip('"') for line in lines}
    ok(stacks == {"evil:na me (x) <b>&'%s, fn=(1) \u00e4"} and sum(int(line.rsplit(" ", 1)[1]) for line in lines) == 500,
       "hostile: folded", lines)
    with open(f"{trace}.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ok(sum(int(r["leaked_bytes"]) for r in rows if r["function"].strip('"').startswith("evil;na me")) == 500 and
       any(r["heap"].startswith('a "heap",') for r in rows), "hostile: csv", rows)
    if shutil.which("callgrind_annotate"):
        text = output("callgrind_annotate", "--threshold=100", f"{trace}.callgrind")
        ok(re.search(r"^500 .*evil;na me", text, re.M), "hostile: callgrind_annotate", text[-600:])
    if shutil.which("heaptrack_print"):
        ok("evil;na me (x)" in output("heaptrack_print", f"{trace}.heaptrack"), "hostile: heaptrack_print")
    with open(f"{trace}.dhat", encoding="utf-8") as file:
        ok(any("evil;na me" in f for f in json.load(file)["ftbl"]) and totals["leaked_blocks"] == 6, "hostile: dhat")


def main():
    with tempfile.TemporaryDirectory() as folder:
        trace = f"{folder}/t.vtr"
        subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", "/usr/bin/python3", "-S", "-c",
                        "import json\nfor i in range(10): json.loads(json.dumps(list(range(200))))"],
                       env={**os.environ, "PYTHONMALLOC": "malloc"}, check=False)
        check_diff_and_budget(trace, check_all(trace))
        small = record_program(folder)
        events = [json.loads(line) for line in output(VALTRACE, "dump", "--json", small).splitlines()]
        times = [e["t_ns"] / 1e9 for e in events if "t_ns" in e]
        early, late = (f"{times[len(times) * i // 3]:.9f}" for i in (1, 2))
        filters = (["--at", late], ["--from", early, "--to", late, "--max-size", "200"], ["--function", "leak"],
                   ["--min-size", "64"], ["--thread", "the w*"], ["--max-lifetime", "10us"])
        for options in filters if os.environ.get("VALTEST_LONG") else filters[:3]:
            print("# with", *options)
            FILTERS[:] = options
            check_all(small)
        FILTERS[:] = []
        check_hostile(record_program(folder, HOSTILE, "h"))
        check_fail_on_leak(folder)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
