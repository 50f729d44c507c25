#!/usr/bin/env python3
"""Every filter on every command and export: the numbers in what is written, read by small readers of
each format here, against a brute-force model over the independent reader. And no option is ignored:
each one a command takes changes what it writes, each one it cannot obey is a usage error."""
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from blocks import Filter, VALTRACE, World, peaks, totals_of  # noqa: E402
from exported import READERS, export, from_report, output, run  # noqa: E402
from tap import COUNT, ok  # noqa: E402

RANDOM = 12 if os.environ.get("VALTEST_LONG") else 2  # filters that are put together at random
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))


# --- every filter on each of them

class One(Filter):
    """A filter that is the only one."""

    def __init__(self, rng, world, name, value=None):
        super().__init__(rng, world, "--to")
        self.options, self.to, self.tests = [], None, []
        self.add(world, name, value)
        if self.names or self.paths:
            self.tests.append(lambda b: any(self.frame_fits(world, place) for place in b.stack))

    def add(self, world, name, value):
        moment = world.dump.times[len(world.dump.times) * 2 // 5]
        numbers = {"--min-size": 40, "--max-size": 40, "--min-lifetime": 20000, "--max-lifetime": 20000}
        self.options = [name, str(numbers.get(name, value))]
        if name in ("--from", "--to", "--at"):
            self.options[1] = value or f"{moment / 1e9:.10f}5"
            moment = world.marker if value else moment
            self.from_, self.to = (moment, None) if name == "--from" else (0, moment)
        elif name.endswith("lifetime"):
            self.options[1] += "ns"
            self.min_life, self.max_life = (20000, None) if name == "--min-lifetime" else (0, 20000)
        elif name == "--min-size":
            self.tests.append(lambda b: b.size >= 40)
        elif name == "--max-size":
            self.tests.append(lambda b: b.size <= 40)
        elif name == "--thread":
            self.tests.append(lambda b: b.thread in world.named(value) or str(b.thread) == value)
        elif name == "--heap":
            self.nested = True
            self.tests.append(lambda b: world.heaps[b.heap] == value)
        elif name == "--function":
            self.names = value
        else:
            self.paths = value


def all_filters(rng, world):
    values = {"--from": (None, "half way"), "--to": (None, "half way"), "--at": (None, "half way"), "--min-size": (None,), "--max-size": (None,),
              "--min-lifetime": (None,), "--max-lifetime": (None,), "--thread": ("first", str(min(world.names))),
              "--heap": ("libc", "the pool", "nested"), "--function": ("take", "pooled"), "--module": ("p", "ld-linux*")}
    return [One(rng, world, name, value) for name, each in values.items() for value in each] + [Filter(rng, world) for _ in range(RANDOM)]


def beside_marker(world, chosen, blocks):
    """Which side of the marker other threads' events are on that are as near as that is not known here."""
    return "half way" in chosen.options and any(abs(t - world.marker) < 20000 for b in blocks for t in (b.start, b.end or 0))


def certain_peak(got, low):
    """Takes the peak out of the numbers, and those that say that all of them are certain; `low` if there is none."""
    peak = got.pop("peak_bytes", low)
    bounds = (got.pop("peak_at_least_bytes", peak), got.pop("frees_of_others", False), got.pop("unsure_bytes", 0))
    return peak if bounds == (peak, False, 0) else -1


def check_commands(world, chosen):
    everywhere = list(chosen.choose(world))
    blocks = [b for b in everywhere if b.heap not in world.nested or chosen.nested]
    want, changes = totals_of(blocks)
    want["lifetimes"] = sum(b.end - b.start for b in blocks if b.end is not None)
    low, high = peaks(changes)
    unsure = beside_marker(world, chosen, everywhere)
    if unsure:
        want = from_report(world.trace, chosen.options)
        low = high = want["peak_bytes"]
    for name, reader in READERS.items():
        got = reader(world.trace, chosen.options)
        peak = certain_peak(got, low)
        if unsure:
            got.pop("lifetimes", 0)
        ok(got == {key: want.get(key) for key in got} and low <= peak <= high, f"{' '.join(chosen.options)}: {name}", got, want,
           (low, peak, high))
    return want


def check_massif(trace, end):
    totals = json.loads(output("report", "--json", trace))["totals"]
    text = export(trace, "massif", []).decode()
    shown = re.search(r"time=(\d+)\nmem_heap_B=(\d+)\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=peak", text)
    ok(shown and (int(shown[1]), int(shown[2])) == (totals["peak_time_ns"] // 1000000, totals["peak_bytes"]), "massif: the peak's snapshot",
       totals, shown)
    starts = [int(n) for n in re.findall(r"^time=(\d+)$", text, re.M)]
    ok(starts == sorted(starts) and starts[-1] >= end // 1000000, "massif: snapshots in order, to the end", starts)


def check_peak_time(world):
    """When the heap was largest: a time at which blocks begin and bring it there; in every format that says it."""
    totals = json.loads(output("report", "--json", world.trace))["totals"]
    changes = totals_of([b for b in world.dump.blocks if b.heap not in world.nested])[1]
    live, possible = 0, []
    for time, group in itertools.groupby(sorted(changes), key=lambda change: change[0]):
        sizes = [(begins, size) for _time, begins, size in group]
        begun = sum(size for begins, size in sizes if begins)
        if live + begun >= totals["peak_bytes"] and begun:
            possible.append(time)
        live += sum(size for _begins, size in sizes)
    when = totals["peak_time_ns"]
    ok(0 < len(possible) < 20 and when in possible, "the time of the peak", when, possible)
    check_massif(world.trace, world.dump.end())
    ok(json.loads(export(world.trace, "dhat", []))["tg"] == when, "dhat: the time of the peak")


def check_marker(world, folder):
    """The marker of any of several traces, whose times count from the start of the earliest."""
    earlier = f"{folder}/earlier.vtr"
    subprocess.run([VALTRACE, "run", "-q", "-o", earlier, "--", "sleep", "0.01"], check=True)
    again = f"{folder}/again.vtr"
    subprocess.run([VALTRACE, "run", "-q", "-o", again, "--", f"{folder}/p"], check=True)
    for kind in ("--to", "--from", "--at"):
        chosen = [json.loads(output("report", "--json", kind, "half way", "--function", "step", *traces))["totals"]["allocations"]
                  for traces in ([again], [earlier, again], [again, earlier])]
        ok(chosen[0] > 0 and chosen == chosen[:1] * 3, f"{kind} a marker of one trace of two", chosen)


def check_diff_at(world):
    times = [world.dump.times[len(world.dump.times) * k // 5] for k in (2, 4)]
    got = json.loads(output("diff", "--json", "--min-size", "40", world.trace, "--at", *(f"{t / 1e9:.10f}5" for t in times)))["totals"]
    live = [[b for b in world.dump.blocks if b.size >= 40 and b.heap not in world.nested and b.start <= t and (b.end is None or b.end > t)]
            for t in times]
    ok([got["leaked_blocks_before"], got["leaked_blocks_after"]] == [len(blocks) for blocks in live] and
       [got["leaked_bytes_before"], got["leaked_bytes_after"]] == [sum(b.size for b in blocks) for blocks in live], "diff --at T1 T2", got)


def check_suppressed(world, folder):
    """What leaked, in each command that says it, without what is suppressed; nothing else is changed."""
    path = f"{folder}/suppressions"
    with open(path, "w", encoding="utf-8") as file:
        file.write("leak:^take$\n")
    outer = [b for b in world.dump.blocks if b.heap not in world.nested]
    want, changes = totals_of(outer)
    rest = [b for b in outer if b.end is None and not any("take" in world.functions(n) for n in b.stack)]
    want.update(leaked_bytes=sum(b.size for b in rest), leaked_blocks=len(rest), lifetimes=sum(b.end - b.start for b in outer if b.end))
    low, high = peaks(changes)
    for name, reader in READERS.items():
        if name in ("massif", "firefox"):
            continue  # show what was live: they refuse suppressions, see check_options
        if name == "heaptrack":
            lines = export(world.trace, name, ["--suppressions", path]).split(b"\n")
            ok(b"S leak:^take$" in lines, "suppressions: heaptrack is told of them")
            continue
        got = reader(world.trace, ["--suppressions", path])
        peak = certain_peak(got, low)
        ok(got == {key: want.get(key) for key in got} and low <= peak <= high, f"suppressions: {name}", got, want)


# --- no option is ignored

CXX = r"""
#include "valtrace/annotate.h"
#include <cstdlib>
#include <thread>
#include <unistd.h>
#include <vector>
static char pool[1024];
void *volatile sink;
static inline __attribute__((always_inline)) void inlined(void) {
  sink = malloc(2000);
  free(sink);
  sink = malloc(3000);
  sink = realloc(malloc(7), 6000);
}
__attribute__((noinline)) void leak(int n) { while (n--) sink = malloc(100); }
__attribute__((noinline)) void odd(int n);
__attribute__((noinline)) void even(int n) {
  if (!n) leak(2);
  else if (n % 4) odd(n - 1);
  else even(n - 2);
  sink = malloc(11);
}
__attribute__((noinline)) void odd(int n) { even(n - 1); sink = malloc(13); }
__attribute__((noinline)) void churn(int n) { while (n--) { sink = malloc(24); free(sink); } }
int main() {
  std::vector<int> *v = new std::vector<int>(7000);
  void *volatile large = malloc(100000);
  vt_heap_create(pool, sizeof pool, VT_HEAP_CUSTOM, "pool", 0, 0);
  vt_block_alloc(pool, pool, 100, 0, 0);
  std::thread([] { sink = malloc(9); }).join();
  free(large);
  usleep(300000); // massif's snapshots are further apart than its milliseconds
  leak(3);
  even(10);
  inlined();
  churn(5);
  for (int i = 0; i < 9; i++) {
    int *volatile number = new int;
    delete number;
  }
  sink = realloc(malloc(5), 5000);
  sink = v;
}
"""
SHOWING = {"--by": ("module",), "--limit": ("1",), "--suppressions": None, "--no-inlines": (), "--show-allocator-frames": (), "--json": (),
           "--metric": ("peak",)}
VIEWS = ("summary", "leaks", "hot", "peak", "temporary", "reallocs")
TABLES = ("sizes", "lifetimes", "threads", "timeline", "modules", "heaps")
STACKS = {"--by", "--limit", "--suppressions", "--no-inlines", "--show-allocator-frames", "--json"}
# What each command obeys; all else it has to refuse.
OBEYS = {**{("report", v): STACKS for v in VIEWS}, **{("report", v): {"--limit", "--suppressions", "--json"} for v in TABLES},
         **{("report", v, "--json"): STACKS - {"--by"} for v in TABLES}, **{("report", v, "--json"): STACKS for v in VIEWS},
         ("report", "timeline"): {"--by", "--limit", "--suppressions", "--json"}, ("report", "timeline", "--json"): STACKS,
         ("diff",): STACKS | {"--metric"}, ("diff", "--json"): STACKS | {"--metric"},
         ("flame", "--metric", "leaked"): STACKS - {"--by"} | {"--metric"},
         ("check-budget", "--max-leaked", "0"): STACKS, ("check-budget", "--max-leaked", "0", "--json"): STACKS,
         ("html",): {"--suppressions", "--no-inlines", "--json"}, ("dump",): {"--limit", "--json"}, ("check",): {"--json"},
         **{("export", "--format", form): more | {"--no-inlines", "--show-allocator-frames"} for form, more in (
             ("folded", {"--limit", "--suppressions", "--json", "--metric"}), ("pprof", {"--suppressions", "--metric"}),
             ("speedscope", {"--suppressions"}), ("dhat", {"--suppressions"}), ("massif", set()), ("callgrind", {"--suppressions"}),
             ("heaptrack", {"--suppressions"}), ("firefox", set()), ("csv", {"--limit", "--suppressions", "--metric"}))}}
# Stacks are in no table of text; a view that ranks by another metric shows suppressions, but as a list.
NO_STACKS = {("report", view) for view in TABLES}
NO_EFFECT = {("report", "reallocs", *json, "--show-allocator-frames") for json in ((), ("--json",))}  # none calls realloc
NO_EFFECT |= {("report", "leaks", "--show-allocator-frames")}  # what is lost here was not allocated by new


def function_of(frame):
    name = frame["function"] or f"{os.path.basename(frame['module'])}+0x{frame['offset']:x}"
    return frame["module"], frame["file"] or "???", name


def call_graph(trace):
    """By caller, callee (None: itself) and line: blocks and bytes, leaked and allocated; a pair counts once for each
    stack, where it is innermost."""
    graph = {}
    for site in json.loads(output("report", "--json", trace))["sites"]:
        if site.get("nested"):
            continue
        stack, seen = site["stack"], set()
        for k, frame in enumerate(stack):
            pair = (function_of(frame), function_of(stack[k - 1]) if k else None)
            if pair in seen:
                continue
            seen.add(pair)
            costs = graph.setdefault((*pair, frame["line"]), [0] * 4)
            for i, key in enumerate(("leaked_bytes", "leaked_blocks", "allocated_bytes", "allocations")):
                costs[i] += site[key]
    return graph


def read_callgrind(text):
    """The same from the file; and the lines of calls whose number is not that of the allocations."""
    graph, at, callee, calls, odd = {}, {}, {}, None, []
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key in ("ob", "fl", "fn"):
            at[key] = value
        elif key in ("cob", "cfi", "cfn"):
            callee[key] = value
        elif key == "calls":
            calls = int(value.split()[0])
        elif re.match(r"\d", line):
            number, *costs = map(int, line.split())
            to = None if calls is None else (callee["cob"], callee["cfi"], callee["cfn"])
            graph[(at["ob"], at["fl"], at["fn"]), to, number] = costs
            odd += [line] if calls not in (None, costs[3]) else []
            calls, callee = None, {}
    return graph, odd


def check_callgrind(trace):
    got, odd = read_callgrind(export(trace, "callgrind", []).decode())
    want = call_graph(trace)
    recursive = [key for key in want if key[1] and key[0][2].startswith("even") and key[1][2].startswith("even")]
    ok(len(want) > 25 and recursive, "callgrind: a graph with recursion", len(want))
    ok(got == want, "callgrind: self and inclusive cost of every function, call and line",
       *[(key, got.get(key), want.get(key)) for key in {*got, *want} if got.get(key) != want.get(key)][:4])
    ok(not odd, "callgrind: numbers of calls", *odd[:3])


def check_options(folder):
    source, program, before, after, known = (f"{folder}/{name}" for name in ("o.cc", "o", "o1.vtr", "o2.vtr", "known"))
    with open(source, "w", encoding="utf-8") as file:
        file.write(CXX)
    with open(known, "w", encoding="utf-8") as file:
        file.write("leak:^leak\n")
    subprocess.run(["g++", "-O1", "-g", "-Iinclude", "-o", program, source, "-lpthread"], check=True)
    subprocess.run([VALTRACE, "run", "-q", "-o", after, "--", program], check=True)
    subprocess.run([VALTRACE, "run", "-q", "-o", before, "--", "true"], check=True)
    check_callgrind(after)
    check_massif(after, 300000000)
    for command, obeyed in OBEYS.items():
        traces = [before, after] if command[0] == "diff" else [after]
        plain = run(*command, *traces)
        for option, values in SHOWING.items():
            if option in command or (*command, option) in NO_EFFECT or command in NO_STACKS and option in ("--no-inlines", "--show-allocator-frames"):
                continue
            if option == "--by" and "modules" in command:
                values = ("line",)
            done = run(*command, option, *((known,) if values is None else values), *traces)
            name = f"{' '.join(command)} {option}"
            if option in obeyed:
                ok(done.returncode in (0, 1) and done.stdout != plain.stdout and not done.stderr, f"{name}: changes what is written",
                   done.returncode, done.stderr)
            else:
                ok(done.returncode == 2 and not done.stdout and done.stderr.count(b"\n") == 1 and option.encode() in done.stderr,
                   f"{name}: is refused", done.returncode, done.stderr)
        for option in ("--from", "--to", "--at", "--thread", "--heap", "--function", "--module", "--min-size", "--max-size",
                       "--min-lifetime", "--max-lifetime"):
            if command == ("check",):
                done = run("check", option, "0", after)
                ok(done.returncode == 2 and b"check looks at the whole file" in done.stderr, f"check {option}: is refused", done.stderr)
            elif command[0] != "diff":
                done = run(*command, option, "no such thing", *traces)
                ok(done.returncode == 2 and not done.stdout and done.stderr.startswith(f"valtrace: {option} no such thing: ".encode()) and
                   done.stderr.count(b"\n") == 1, f"{' '.join(command)} {option}: is looked at", done.returncode, done.stderr)
    for command in ("report", "dump", "flame", "html"):
        done = run(command, "--at", "1", "--to", "1", after)
        ok(done.returncode == 2 and done.stderr.startswith(b"valtrace: --to: "), f"{command}: --at and --to exclude each other", done.stderr)


def main():
    print(f"# SEED={SEED}")
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        whole = totals_of([b for b in world.dump.blocks if b.heap not in world.nested])[0]
        filters = all_filters(rng, world)
        some = sum(0 < check_commands(world, chosen)["allocations"] < whole["allocations"] for chosen in filters[:-RANDOM])
        ok(some >= len(filters) - RANDOM - 1, "nearly every filter chooses some blocks and leaves some", some, len(filters))
        for chosen in filters[-RANDOM:]:
            check_commands(world, chosen)
        check_peak_time(world)
        check_marker(world, folder)
        check_diff_at(world)
        check_suppressed(world, folder)
        check_options(folder)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
