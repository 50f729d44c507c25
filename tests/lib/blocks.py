"""A recorded program as a list of blocks, made by the independent reader (tests/oracle/vtr.py), and
random combinations of filters as command line options and as a predicate over such blocks: what every
view, command and export is compared with. Only times in nanoseconds, and which event has which line,
are taken from `valtrace dump`, whose lines are compared with the reader's events on the way."""
import collections
import fnmatch
import json
import os
import subprocess
import sys

sys.path.insert(0, "tests/oracle")
import vtr  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
VALTRACE = f"{BUILD}/bin/valtrace"

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
  case 2: if (!*at) *at = zeroed((r >> 20) % 16 * 4); break;
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


class Blocks:
    """All blocks of a trace, in order of allocation, with how they ended. A stack is a tuple of places
    (path of the module, offset), innermost first."""

    KINDS = {vtr.ALLOC: "alloc", vtr.FREE: "free", vtr.INTENT: "realloc_intent", vtr.DONE: "realloc",
             vtr.HEAP_ALLOC: "heap_alloc", vtr.HEAP_FREE: "heap_free"}

    def __init__(self, path):
        self.blocks, self.live, self.last = [], {}, {}
        self.intents, self.unmatched, self.differences = collections.defaultdict(list), 0, []
        self.trace, self.places = vtr.Trace(path), {}
        self.read_dump(path)
        known = self.match_lines()
        for event in self.trace.events():
            self.time, self.line = known[id(event)]
            getattr(self, "on_" + self.KINDS[event.kind])(event)

    def read_dump(self, path):
        self.lines, self.times, self.of_thread, frames = [], [], collections.defaultdict(list), {}
        self.events = []  # by line: its stack
        for line in dumped(path):
            event = json.loads(line)
            if event["kind"] == "stack":
                frames[event["id"]] = (event["module"], event.get("offset"))
                continue
            event["stack"] = tuple(frames[node] for node in event["stack"])
            self.of_thread[event["thread"]].append((len(self.lines), event))
            self.events.append(event["stack"])
            self.lines.append(line)
            self.times.append(event["t_ns"])

    def end(self):
        """When the process said that it ends, in ns: what lives at the end has lived until then. What the recorder does
        after that is none of its time."""
        trace = self.trace
        (tick0, ns0, _), (tick1, ns1, _) = min(trace.clocks), max(trace.clocks)
        rate = 1e9 / trace.tick_hz if ns1 - ns0 < 10**7 else (ns1 - ns0) / (tick1 - tick0)
        last = next(message[0] for message in reversed(trace.process) if message[1] == "exit")
        return max(self.times[-1], int((last - trace.start_tick) * rate))

    def match_lines(self):
        """By id of an event: (ns, line). Each thread's events are in the same order in both readers."""
        known, at = {}, collections.Counter()
        for event in sorted((e for queue in self.trace.streams.values() for e in queue), key=lambda e: e.tick):
            mine = self.of_thread[event.tid][at[event.tid]:][:1] or [(-1, {"t_ns": 0})]
            at[event.tid] += 1
            number, shown = mine[0]
            sized = event.kind in (vtr.ALLOC, vtr.INTENT, vtr.DONE, vtr.HEAP_ALLOC)
            want = {"kind": self.KINDS[event.kind], "address": event.address, "heap": event.heap or 0,
                    **({"stack": self.stack(event)} if event.kind != vtr.DONE else {}),  # that of the intent
                    **({"size": event.size, "align": event.align} if sized else {})}
            if any(shown.get(key) != value for key, value in want.items()):
                self.differences.append((shown, want))
            known[id(event)] = (shown["t_ns"], number)
        return known

    def stack(self, event):
        found = self.places.get(event.stack)
        if found is None:
            stack = self.trace.stack(event.stack)
            found = self.places[event.stack] = () if stack is None else tuple(
                (module["path"] if module else "", offset if module else None)
                for module, offset in (self.trace.locate(stack[0], address) for address in reversed(stack[1:])))
        return found

    def begin(self, e, stack, began, regrown=False):
        key = (e.heap, e.address)
        self.last[e.tid] = key
        self.live[key] = len(self.blocks)
        self.blocks.append(Block(e.heap or 0, e.size, stack, e.tid, self.time, None, None, False, regrown, began, ()))

    def finish(self, index, key, e, ended, realloc):
        block = self.blocks[index]
        temporary = not realloc and block.thread == e.tid and self.last.get(e.tid) == key
        self.blocks[index] = block._replace(end=self.time, freer=e.tid, temporary=temporary, ended=ended)

    def on_alloc(self, e):
        self.begin(e, self.stack(e), (self.line,))

    on_heap_alloc = on_alloc

    def on_free(self, e):
        key = (e.heap, e.address)
        if key in self.live:
            self.finish(self.live.pop(key), key, e, (self.line,), False)
        else:
            self.unmatched += 1

    on_heap_free = on_free

    def on_realloc_intent(self, e):
        key = (e.heap, e.address)
        self.intents[e.tid].append((key, self.live.pop(key, None), self.stack(e), self.line))

    def on_realloc(self, e):
        key, index, stack, intent = self.intents[e.tid].pop()
        lines = (intent, self.line)
        if not e.address and e.size:
            if index is not None:
                self.live[key] = index
            return
        if index is not None:
            self.finish(index, key, e, lines, bool(e.address))
        if e.address:
            self.begin(e, stack, lines, index is not None)


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
        path = node[0]
        module = {path, os.path.basename(path)}
        return (not self.names or any(fnmatch.fnmatchcase(f, self.names) for f in world.functions(node))) and \
            (not self.paths or any(fnmatch.fnmatchcase(m, self.paths) for m in module))

    def sizes(self, rng, world):
        low, high = sorted((rng.choice(world.dump.blocks).size, rng.choice((0, rng.choice(world.dump.blocks).size))))
        if rng.random() < 0.7:
            self.options += ["--min-size", str(low)]
            self.tests.append(lambda b: b.size >= low)
        if rng.random() < 0.7:
            self.options += ["--max-size", str(high)]
            self.tests.append(lambda b: b.size <= high)

    def thread(self, rng, world):
        name, tids = rng.choice([*((str(tid), {tid}) for tid in world.names), ("first", world.named("first")),
                                 ("*s*", world.named("*s*"))])
        self.options += ["--thread", name]
        self.tests.append(lambda b: b.thread in tids)

    def heap(self, rng, world):
        name = rng.choice(("libc", "the pool", "nested", "the*", "*"))
        self.options += ["--heap", name]
        self.nested = "*" not in name
        heaps = {number for number, heap in world.heaps.items() if fnmatch.fnmatchcase(heap, name)}
        self.tests.append(lambda b: b.heap in heaps)

    def function(self, rng, _world):
        self.names = rng.choice(("take", "step", "run", "re*", "*oo*", "churn"))
        self.options += ["--function", self.names]

    def module(self, rng, _world):
        self.paths = rng.choice(("p", "libc.so*", "ld-linux*", "*/p"))
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
        low, high = sorted((rng.choice((0, int(10 ** rng.uniform(2, 6.5)))), int(10 ** rng.uniform(2, 6.5))))
        high = rng.choice((high, high, low))
        if rng.random() < 0.7:
            self.options += ["--min-lifetime", f"{low}ns"]
            self.min_life = low
        if rng.random() < 0.7:
            self.options += ["--max-lifetime", f"{high}ns"]
            self.max_life = high

    def choose(self, world):
        """The chosen blocks as they are seen until the end of the window."""
        end = world.dump.end() if self.to is None or self.to >= world.dump.end() else self.to + 1
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
        self.dump = Blocks(self.trace)
        everything = report(self.trace, "threads", "--show-allocator-frames")
        self.names = {t["tid"]: t["name"] for t in everything["threads"]}
        self.heaps = dict(enumerate(h["name"] for h in everything["traces"][0]["heaps"]))
        self.nested = {i for i, h in enumerate(everything["traces"][0]["heaps"]) if h["nested"]}
        reader = self.dump.trace
        self.symbols = {(reader.modules[module]["path"], offset): {name for name, _file, _line in frames}
                        for (module, offset), frames in reader.symbols.items()}
        # The marker lies where the pool's last block was taken, before main's next event.
        pool = max(i for i, b in enumerate(self.dump.blocks) if self.heaps[b.heap] == "the pool")
        self.marker = self.dump.blocks[pool].start

    def named(self, pattern):
        return {tid for tid, name in self.names.items() if fnmatch.fnmatchcase(name, pattern)}

    def functions(self, place):
        return self.symbols.get(place, set())


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
