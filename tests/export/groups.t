#!/usr/bin/env python3
"""What stands for a group of sites in the text report: its best site's line, its highest stacks first,
nested heaps apart. Expectations are the sizes a small program was written with. And equal stacks of two
runs are one site in a report on both."""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
VALTRACE = f"{BUILD}/bin/valtrace"
CALLERS = 40  # of `many`: the heap of stacks is not in order of size
PROGRAM = r"""
#include <stdlib.h>
#include "valtrace/annotate.h"
#define KEEP(p) __asm__ volatile("" : : "r"(p) : "memory")
#define APART __attribute__((noinline, noclone))
static char pool[4096], part[1024];
APART static void many(unsigned long sz) { void *p = malloc(sz); KEEP(p); }                     /* LINE many */
CALLS
APART static void lines(void) {
  void *p = malloc(7);                                                                          /* LINE small */
  KEEP(p);
  p = malloc(5000);                                                                             /* LINE big */
  KEEP(p);
}
APART static void *xmalloc(unsigned i) {
  if (i % 2) return malloc(100);
  vt_block_alloc(part, part + 10 * i, 10, 0, 0);
  return part;
}
APART static void both(void) {
  for (unsigned i = 0; i < 6; i++) KEEP(xmalloc(i));
}
int main(void) {
  vt_heap_create(pool, sizeof pool, VT_HEAP_CUSTOM, "pool", 0, 0);
  vt_heap_create(part, sizeof part, VT_HEAP_CUSTOM, "part", 0, pool);
  RUN
  lines();
  both();
  return 0;
}
"""


def size_of(caller):
    return 1000 + caller * 17 % CALLERS


def program():
    calls = "\n".join(f'APART static void caller_{i}(void) {{ many({size_of(i)}); __asm__ volatile(""); }}' for i in range(CALLERS))
    return PROGRAM.replace("CALLS", calls).replace("RUN", " ".join(f"caller_{i}();" for i in range(CALLERS)))


def line_of(source, mark):
    return next(i for i, line in enumerate(source.splitlines(), 1) if f"/* LINE {mark} */" in line)


def report(trace, *options):
    return subprocess.run([VALTRACE, "report", *options, trace], capture_output=True, text=True, check=True).stdout


def group(text, function):
    """The lines of the group(s) of a function."""
    parts = re.split(r"\n(?= *\d+\. )", text)
    return [part for part in parts if re.match(rf" *\d+\. .*  {function}\b", part)]


TREE = r"""
#include <stdlib.h>
static __attribute__((noinline, noclone)) void step(unsigned path, int depth) {
  if (depth == 0) {
    void *p = malloc(8);
    __asm__ volatile("" : : "r"(p) : "memory");
  } else if (path & 1) {
    step(path >> 1, depth - 1);
    __asm__ volatile("");
  } else {
    step(path >> 1, depth - 1);
    __asm__ volatile("nop");
  }
}
int main(int argc, char **argv) {
  for (int i = atoi(argv[1]); argc == 3 && i < atoi(argv[2]); i++) step(i, 12);
  return 0;
}
"""


def sites(*traces):
    """Allocations by stack of 8 bytes each, and the number of such sites."""
    out = subprocess.run([VALTRACE, "report", "--json", "--limit", "100000", "--min-size", "8", "--max-size", "8", *traces],
                         capture_output=True, check=True)
    found, result = collections.Counter(), json.loads(out.stdout)
    for site in result["sites"]:
        found[tuple((f["module"], f["offset"], f["function"]) for f in site["stack"])] += site["allocations"]
    return found, len(result["sites"])


def check_two_traces(folder):
    with open(f"{folder}/tree.c", "w", encoding="utf-8") as file:
        file.write(TREE)
    subprocess.run(["gcc", "-O1", "-fno-optimize-sibling-calls", "-o", f"{folder}/tree", f"{folder}/tree.c"], check=True)
    traces = {name: f"{folder}/{name}.vtr" for name in "ab"}
    for name, first, end in (("a", "0", "3000"), ("b", "1000", "4096")):
        subprocess.run([VALTRACE, "run", "-q", "-o", traces[name], f"{folder}/tree", first, end], check=True)
    (a, a_cnt), (b, b_cnt), (both, both_cnt) = sites(traces["a"]), sites(traces["b"]), sites(*traces.values())
    ok((a_cnt, b_cnt, both_cnt) == (3000, 3096, 4096) and both == a + b and sorted(collections.Counter(both.values()).items()) == [(1, 2096), (2, 2000)],
       "equal stacks of two runs are one site", a_cnt, b_cnt, both_cnt)


def main():
    with tempfile.TemporaryDirectory() as folder:
        source, binary, trace = f"{folder}/g.c", f"{folder}/g", f"{folder}/g.vtr"
        with open(source, "w", encoding="utf-8") as file:
            file.write(program())
        subprocess.run(["gcc", "-g", "-O1", "-Iinclude", "-o", binary, source], check=True)
        subprocess.run([VALTRACE, "run", "-q", "-o", trace, binary], check=True)
        text = report(trace, "leaks", "--leak-kind", "live", "--by", "function")
        ranked = sorted(range(CALLERS), key=size_of, reverse=True)
        [many] = group(text, "many")
        shown = re.findall(r"stack (\d+) of (\d+): (\S+ \S+) in 1 block\n.*\n *caller_(\d+) ", many)
        ok([(int(n), int(of), int(caller)) for n, of, _, caller in shown] ==
           [(i + 1, CALLERS, ranked[i]) for i in range(2)], "the two highest stacks of a group, in order", many)
        ok(f"{sum(map(size_of, range(CALLERS))) / 1024:.1f} KiB" in many.splitlines()[0], "their sum", many)
        [summary] = group(report(trace, "summary").split("\nLIVE: ")[1].split("HOT")[0], "many")
        ok(f"caller_{ranked[0]} " in summary, "the summary shows the highest", summary)
        [lines] = group(text, "lines")
        ok(f"g.c:{line_of(program(), 'big')} and {line_of(program(), 'small')}\n" in lines.splitlines(True)[1], "a group has the line of its highest site, and names the other", lines)
        found = group(text, "both")
        ok(sorted("[nested heap part]" in one for one in found) == [False, True] and
           ["300 B" in one and "3 blocks" in one for one in found if "nested" not in one] == [True] and
           [" 30 B" in one and "3 blocks" in one for one in found if "nested" in one] == [True],
           "blocks of a nested heap are a group apart, also from one call", *found)
        check_two_traces(folder)
    print(f"1..{COUNT[0]}")
    return COUNT[1] != 0


if __name__ == "__main__":
    sys.exit(main())
