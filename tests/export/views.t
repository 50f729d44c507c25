#!/usr/bin/env python3
"""Every view through random combinations of filters, against a brute-force model: a list of blocks
made from `valtrace dump`, from which each combination picks by the definitions of the contract."""
import collections
import fnmatch
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
VALTRACE = f"{BUILD}/bin/valtrace"
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
ROUNDS = int(os.environ.get("ROUNDS", "30"))

PROGRAM = r"""
#include "valtrace/annotate.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static char pool[1 << 16], inner[1 << 12];
static void *volatile shared[3][64];
__attribute__((noinline)) static void *take(size_t n) { return malloc(n); }
__attribute__((noinline)) static void *zeroed(size_t n) { return calloc(1, n); }
__attribute__((noinline)) static void *regrow(void *p, size_t n) { return realloc(p, n); }
__attribute__((noinline)) static void churn(int n) { while (n--) free(take(17 + n % 5)); }
__attribute__((noinline)) static void pooled(int k) {
  vt_block_alloc(pool, pool + 64 * k, 60, 0, 7);
  if (k % 3) vt_block_free(pool, pool + 64 * k);
}
static void step(unsigned thread, unsigned *state) {
  unsigned r = *state = *state * 1103515245 + 12345, slot = r >> 8 & 63;
  void *volatile *at = &shared[thread][slot];
  switch (r >> 16 & 7) {
  case 0: case 1: if (!*at) *at = take(1 + (r >> 20) % 3000); break;
  case 2: if (!*at) *at = zeroed(1 + (r >> 20) % 64); break;
  case 3: case 4: free(*at); *at = 0; break;
  case 5: *at = regrow(*at, 1 + (r >> 20) % 5000); break;
  case 6: churn(3); break;
  default: *at = regrow(*at, 1 + (r >> 22)); break;
  }
}
static void *run(void *number) {
  unsigned thread = (unsigned)(size_t)number, state = thread * 77 + 5;
  vt_thread_name(thread == 1 ? "first" : "second");
  for (int i = 0; i < 3000; i++) step(thread, &state);
  return 0;
}
int main(void) {
  pthread_t threads[2];
  unsigned state = 99;
  vt_heap_create(pool, sizeof pool, VT_HEAP_CUSTOM, "the pool", 0, 0);
  vt_heap_create(inner, sizeof inner, VT_HEAP_CUSTOM, "nested", 0, pool);
  for (int i = 0; i < 20; i++) vt_block_alloc(inner, inner + 16 * i, 10, 0, 0);
  for (size_t i = 0; i < 2; i++) pthread_create(&threads[i], 0, run, (void *)(i + 1));
  for (int i = 0; i < 500; i++) step(0, &state);
  for (int i = 0; i < 40; i++) pooled(i);
  vt_marker("half way");
  for (size_t i = 0; i < 2; i++) pthread_join(threads[i], 0);
  for (int k = 0; k < 40; k++) { free(shared[1][k]); }
  for (int i = 0; i < 500; i++) step(0, &state);
}
"""

Block = collections.namedtuple("Block", "heap size stack thread start end freer temporary regrown began ended")


def report(trace, *args):
    done = subprocess.run([VALTRACE, "report", *args, "--json", trace], capture_output=True, check=False)
    if done.returncode:
        print(f"# report {args}: {done.stderr}")
    return json.loads(done.stdout)


def dumped(trace, *args):
    return subprocess.run([VALTRACE, "dump", "--json", *args, trace], capture_output=True, check=True).stdout.splitlines()


class Dump:
    """All blocks of a trace, in order of allocation, with how they ended."""

    def __init__(self, trace):
        self.blocks, self.live, self.last, self.frames = [], {}, {}, {}
        self.intents, self.times, self.unmatched = collections.defaultdict(list), [], 0
        self.lines, self.part = [], None
        for line in dumped(trace):
            event = json.loads(line)
            if event["kind"] == "stack":
                self.frames[event["id"]] = (event["module"], event.get("offset"))
            else:
                self.part = (len(self.lines),)
                self.lines.append(line)
                self.times.append(event["t_ns"])
                getattr(self, "on_" + event["kind"])(event)

    def begin(self, e, stack, regrown=False):
        self.last[e["thread"]] = (e["heap"], e["address"])
        self.live[e["heap"], e["address"]] = len(self.blocks)
        self.blocks.append(Block(e["heap"], e["size"], tuple(stack), e["thread"], e["t_ns"], None, None, False, regrown,
                                 self.part, ()))

    def finish(self, index, key, e, realloc):
        block = self.blocks[index]
        temporary = not realloc and block.thread == e["thread"] and self.last.get(e["thread"]) == key
        self.blocks[index] = block._replace(end=e["t_ns"], freer=e["thread"], temporary=temporary, ended=self.part)

    def on_alloc(self, e):
        self.begin(e, e["stack"])

    on_heap_alloc = on_alloc

    def on_free(self, e):
        key = (e["heap"], e["address"])
        if key in self.live:
            self.finish(self.live.pop(key), key, e, False)
        else:
            self.unmatched += 1

    on_heap_free = on_free

    def on_realloc_intent(self, e):
        key = (e["heap"], e["address"])
        self.intents[e["thread"]].append((key, self.live.pop(key, None), e["stack"], self.part))

    def on_realloc(self, e):
        key, index, stack, intent = self.intents[e["thread"]].pop()
        self.part += intent
        if not e["address"] and e["size"]:
            if index is not None:
                self.live[key] = index
            return
        if index is not None:
            self.finish(index, key, e, bool(e["address"]))
        if e["address"]:
            self.begin(e, stack, index is not None)


class Filter:
    """One random combination: its options, and the same as a predicate."""

    def __init__(self, rng, world, moment=None):
        self.options, self.tests, self.to, self.from_, self.nested = [], [], None, 0, False
        self.min_life, self.max_life, self.names, self.paths = 0, None, None, None
        makers = [self.sizes, self.thread, self.heap, self.function, self.module, self.moments, self.lifetimes]
        if moment:
            self.moments(rng, world, moment)
        for maker in rng.sample(makers, 0 if moment else rng.choice((1, 1, 2, 2, 3))):
            maker(rng, world)
        if self.names or self.paths:
            self.tests.append(lambda b: any(self.frame_fits(world, node) for node in b.stack))

    def frame_fits(self, world, node):
        """One frame has to fit both patterns, that for the function and that for the module."""
        path = world.dump.frames[node][0]
        module = {path, os.path.basename(path)}
        return (not self.names or any(fnmatch.fnmatchcase(f, self.names) for f in world.functions(node))) and \
            (not self.paths or any(fnmatch.fnmatchcase(m, self.paths) for m in module))

    def sizes(self, rng, world):
        low, high = sorted(rng.choice(world.dump.blocks).size for _ in range(2))
        if rng.random() < 0.7:
            self.options += ["--min-size", str(low)]
            self.tests.append(lambda b: b.size >= low)
        if rng.random() < 0.7:
            self.options += ["--max-size", str(high)]
            self.tests.append(lambda b: b.size <= high)

    def thread(self, rng, world):
        name, tids = rng.choice([*((str(tid), {tid}) for tid in world.names), ("first", world.named("first")),
                                 ("*s*", world.named("*s*")), ("nobody", set())])
        self.options += ["--thread", name]
        self.tests.append(lambda b: b.thread in tids)

    def heap(self, rng, world):
        name = rng.choice(("libc", "the pool", "nested", "the*", "*", "none"))
        self.options += ["--heap", name]
        self.nested = "*" not in name
        heaps = {number for number, heap in world.heaps.items() if fnmatch.fnmatchcase(heap, name)}
        self.tests.append(lambda b: b.heap in heaps)

    def function(self, rng, _world):
        self.names = rng.choice(("take", "step", "run", "re*", "*oo*", "churn", "no_such"))
        self.options += ["--function", self.names]

    def module(self, rng, _world):
        self.paths = rng.choice(("p", "libc.so*", "ld-linux*", "*/p", "none"))
        self.options += ["--module", self.paths]

    def moments(self, rng, world, kind=None):
        times = sorted(rng.choice(world.dump.times) for _ in range(2))
        kind = kind or rng.choice(("--at", "--to", "--from", "both", "marker"))
        if kind == "marker":
            self.options += ["--to", "half way"]
            self.to = world.marker
        if kind in ("--from", "both"):
            self.options += ["--from", f"{times[0] / 1e9:.10f}5"]
            self.from_ = times[0]
        if kind in ("--at", "--to", "both"):
            self.options += [kind if kind == "--at" else "--to", f"{times[1] / 1e9:.10f}5"]
            self.to = times[1]

    def lifetimes(self, rng, _world):
        low, high = sorted(int(10 ** rng.uniform(2, 6.5)) for _ in range(2))
        if rng.random() < 0.7:
            self.options += ["--min-lifetime", f"{low}ns"]
            self.min_life = low
        if rng.random() < 0.7:
            self.options += ["--max-lifetime", f"{high}ns"]
            self.max_life = high

    def choose(self, world):
        """The chosen blocks as they are seen until the end of the window."""
        end = world.dump.times[-1] if self.to is None or self.to >= world.dump.times[-1] else self.to + 1
        for block in world.dump.blocks:
            if block.start < self.from_ or (self.to is not None and block.start > self.to):
                continue
            if block.end is not None and self.to is not None and block.end > self.to:
                block = block._replace(end=None, temporary=False, ended=())
            life = (end if block.end is None else block.end) - block.start
            if life < self.min_life or (self.max_life is not None and (block.end is None or life > self.max_life)):
                continue
            if all(test(block) for test in self.tests):
                yield block


class World:
    """A recorded program: its blocks, and the names of its threads, heaps and functions."""

    def __init__(self, folder):
        source, program, self.trace = f"{folder}/p.c", f"{folder}/p", f"{folder}/p.vtr"
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        subprocess.run(["gcc", "-O1", "-g", "-Iinclude", "-o", program, source, "-lpthread"], check=True)
        subprocess.run([VALTRACE, "run", "-q", "-o", self.trace, "--", program], check=True)
        self.dump = Dump(self.trace)
        everything = report(self.trace, "threads", "--show-allocator-frames")
        self.names = {t["tid"]: t["name"] for t in everything["threads"]}
        self.heaps = dict(enumerate(h["name"] for h in everything["traces"][0]["heaps"]))
        self.nested = {i for i, h in enumerate(everything["traces"][0]["heaps"]) if h["nested"]}
        self.symbols = collections.defaultdict(set)
        for site in everything["sites"]:
            for frame in site["stack"]:
                self.symbols[frame["module"], frame["offset"]].add(frame["function"])
        # The marker lies where the pool's last block was taken, before main's next event.
        pool = max(i for i, b in enumerate(self.dump.blocks) if self.heaps[b.heap] == "the pool")
        self.marker = self.dump.blocks[pool].start

    def named(self, pattern):
        return {tid for tid, name in self.names.items() if fnmatch.fnmatchcase(name, pattern)}

    def functions(self, node):
        return self.symbols[self.dump.frames[node]]


def totals_of(blocks):
    changes = []
    for b in blocks:
        changes.append((b.start, 1, b.size))
        if b.end is not None:
            changes.append((b.end, 0, -b.size))
    live = [b for b in blocks if b.end is None]
    return {"allocations": len(blocks), "frees": len(blocks) - len(live), "allocated_bytes": sum(b.size for b in blocks),
            "leaked_bytes": sum(b.size for b in live), "leaked_blocks": len(live),
            "temporary": sum(b.temporary for b in blocks), "reallocs": sum(b.regrown for b in blocks),
            "cross_thread_frees": sum(b.end is not None and b.freer != b.thread for b in blocks)}, changes


def peaks(changes):
    """The lowest and highest peak that changes of equal time allow, the order within one being unknown."""
    by_time = collections.defaultdict(lambda: [0, 0])
    for time, begins, size in changes:
        by_time[time][begins] += size
    live = low = high = 0
    for time in sorted(by_time):
        ended, begun = by_time[time]
        high = max(high, live + begun)
        live += ended + begun
        low = max(low, live)
    return low, high


def check_totals(world, chosen, blocks):
    want, changes = totals_of(blocks)
    got = report(world.trace, *chosen.options)
    totals = got["totals"]
    low, high = peaks(changes)
    name = " ".join(chosen.options)
    if "half way" in chosen.options and any(abs(b.start - world.marker) < 20000 for b in blocks):
        want = got_part = None  # other threads' events beside the marker: only main's are known to be before it
    else:
        got_part = {key: totals[key] for key in want}
    ok(got_part == want and (want is None or low <= totals["peak_bytes"] <= high), f"{name}: totals",
       got_part, want, (low, totals["peak_bytes"], high))
    ok(all(sum(s[key] for s in got["sites"] if not s.get("nested") or chosen.nested) == totals[key]
           for key in ("allocations", "allocated_bytes", "leaked_bytes", "temporary", "peak_bytes", "reallocs")),
       f"{name}: sites sum up to the totals")
    return totals, want is not None


def check_views(world, chosen, blocks, totals, exact):
    name = " ".join(chosen.options)
    threads = report(world.trace, "threads", *chosen.options)["threads"]
    if exact:
        want = collections.Counter(b.thread for b in blocks)
        freed = collections.Counter(b.freer for b in blocks if b.end is not None)
        ok({t["tid"]: t["allocations"] for t in threads if t["allocations"]} == want and
           {t["tid"]: t["frees"] for t in threads if t["frees"]} == freed and
           {t["tid"]: t["frees_of_others"] for t in threads if t["frees_of_others"]} ==
           collections.Counter(b.freer for b in blocks if b.end is not None and b.freer != b.thread) and
           {t["tid"]: t["freed_by_others"] for t in threads if t["freed_by_others"]} ==
           collections.Counter(b.thread for b in blocks if b.end is not None and b.freer != b.thread),
           f"{name}: threads", threads, want, freed)
    sizes = report(world.trace, "sizes", *chosen.options)["sizes"]
    ok(all(c["min_size"] <= c["max_size"] for c in sizes) and
       (not exact or all(c["allocations"] == sum(c["min_size"] <= b.size <= c["max_size"] for b in blocks) for c in sizes)) and
       sum(c["leaked_bytes"] for c in sizes) == totals["leaked_bytes"] and
       sum(c["temporary"] for c in sizes) == totals["temporary"], f"{name}: sizes")
    line = report(world.trace, "timeline", *chosen.options)["timeline"]["intervals"]
    ok(max((i["max_bytes"] for i in line), default=0) == totals["peak_bytes"] and
       sum(i["allocations"] for i in line) == totals["allocations"] and sum(i["frees"] for i in line) == totals["frees"] and
       (line[-1]["end_bytes"] if line else 0) == totals["leaked_bytes"], f"{name}: timeline")
    life = report(world.trace, "lifetimes", *chosen.options)["lifetimes"]
    lives = [b.end - b.start for b in blocks if b.end is not None]
    ok(sum(h["blocks"] for h in life["histogram"]) == totals["frees"] and
       (not exact or not lives or (life["min_ns"], life["max_ns"]) == (min(lives), max(lives))), f"{name}: lifetimes",
       life["min_ns"], life["max_ns"], lives and (min(lives), max(lives)))
    groups = {by: report(world.trace, "--by", by, *chosen.options)["groups"] for by in ("function", "line", "module")}
    for by, keys in (("line", ("module", "function", "file", "line")), ("function", ("module", "function")), ("module", ("module",))):
        sums = collections.Counter()
        for group in groups["line"]:
            sums[tuple(group[key] for key in keys)] += group["allocated_bytes"]
        got = collections.Counter()
        for group in groups[by]:
            got[tuple(group[key] for key in keys)] += group["allocated_bytes"]
        ok(got == sums and sum(sums.values()) >= totals["allocated_bytes"], f"{name}: groups by {by} are sums of those by line")
    heaps = report(world.trace, "heaps", *chosen.options)["traces"][0]["heaps"]
    ok(sum(h["live_bytes"] for h in heaps if not h["nested"] or chosen.nested) == totals["leaked_bytes"], f"{name}: heaps")


def check_dump(world, chosen, blocks):
    """The lines of the events that begin or end a chosen block; of live ones only those that begin them."""
    live = "--at" in chosen.options
    numbers = {n for b in blocks if not live or b.end is None for n in b.began + b.ended}
    want = [world.dump.lines[n] for n in sorted(numbers)]
    got = [line for line in dumped(world.trace, *chosen.options) if b'"kind":"stack"' not in line]
    name = " ".join(chosen.options)
    ok(got == want, f"{name}: dump", len(got), len(want), (set(got) ^ set(want)).pop() if set(got) != set(want) else "")
    some = [line for line in dumped(world.trace, "--limit", "5", *chosen.options) if b'"kind":"stack"' not in line]
    ok(some == want[:5], f"{name}: dump --limit", len(some))


def check_suppressed(world, folder, pattern):
    """What leaked, in every view that says it, is what is live without a function of that name on its stack."""
    path = f"{folder}/suppressions"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"leak:^{pattern}$\n")
    rest = [b for b in world.dump.blocks if b.end is None and not any(pattern in world.functions(n) for n in b.stack)]
    outer = [b for b in rest if b.heap not in world.nested]
    ok(0 < len(rest) < sum(b.end is None for b in world.dump.blocks), f"{pattern}: suppresses some leaks, not all", len(rest))
    views = {view: report(world.trace, view, "--suppressions", path) for view in ("leaks", "sizes", "threads", "heaps")}
    sizes = views["sizes"]["sizes"]
    ok({k: v["totals"]["leaked_bytes"] for k, v in views.items()} == dict.fromkeys(views, sum(b.size for b in outer)) and
       all(v["totals"]["leaked_blocks"] == len(outer) for v in views.values()), f"{pattern}: totals")
    ok(sum(s["leaked_bytes"] for s in views["leaks"]["sites"]) == sum(b.size for b in rest), f"{pattern}: sites")
    ok(all((c["leaked_blocks"], c["leaked_bytes"]) == (len(fit), sum(b.size for b in fit)) for c in sizes
           for fit in [[b for b in outer if c["min_size"] <= b.size <= c["max_size"]]]), f"{pattern}: sizes", sizes)
    ok(all((t["leaked_blocks"], t["leaked_bytes"]) == (len(own), sum(b.size for b in own)) for t in views["threads"]["threads"]
           for own in [[b for b in outer if b.thread == t["tid"]]]), f"{pattern}: threads", views["threads"]["threads"])
    ok(all((h["leaked_blocks"], h["leaked_bytes"]) == (len(own), sum(b.size for b in own))
           for i, h in enumerate(views["heaps"]["traces"][0]["heaps"])
           for own in [[b for b in rest if b.heap == i]]), f"{pattern}: heaps", views["heaps"]["traces"][0]["heaps"])


def main():
    print(f"# SEED={SEED}")
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        ok(world.dump.unmatched == 0 and len(world.dump.blocks) > 3000 and len(world.nested) == 1, "the program is as planned",
           len(world.dump.blocks), world.heaps)
        full = 0
        for number in range(ROUNDS):
            chosen = Filter(rng, world, None if number else "--at")
            everywhere = list(chosen.choose(world))
            blocks = [b for b in everywhere if b.heap not in world.nested or chosen.nested]
            full += bool(blocks)
            totals, exact = check_totals(world, chosen, blocks)
            check_views(world, chosen, blocks, totals, exact)
            if exact:
                check_dump(world, chosen, everywhere)
        for pattern in ("take", "step", "pooled"):
            check_suppressed(world, folder, pattern)
        ok(full >= ROUNDS // 3, f"{full} of {ROUNDS} combinations choose something")
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
