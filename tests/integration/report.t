#!/usr/bin/env python3
"""valtrace report on programs with planted leaks and temporaries, and on real ones: the JSON against the
plan, against a brute-force model fed by `valtrace dump --json`, and views against each other."""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import COUNT, ok

BUILD = os.environ.get("BUILD", "build")
VALTRACE = os.path.abspath(f"{BUILD}/bin/valtrace")


def run(*args, env=None, status=0):
    done = subprocess.run(args, capture_output=True, env={**os.environ, **(env or {})})
    if done.returncode != status:
        print(f"# {args}: status {done.returncode}: {done.stderr.decode(errors='replace')[:300]}")
    return done.stdout


def report(trace, *args):
    return json.loads(run(VALTRACE, "report", *args, "--json", *([trace] if isinstance(trace, str) else trace)))


PLANTED = r"""
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
void *volatile sink;
__attribute__((noinline)) void leak_ten(void) { for (int i = 0; i < 10; i++) sink = malloc(100 + i); }
__attribute__((noinline)) void leak_by_realloc(void) { sink = malloc(10); sink = realloc(sink, 5000); }
__attribute__((noinline)) void temporaries(void) {
  for (int i = 0; i < 1000; i++) { sink = malloc(24); free(sink); }
}
__attribute__((noinline)) void not_temporary(void) {
  for (int i = 0; i < 50; i++) { void *volatile a = malloc(40); sink = malloc(41); free(a); free(sink); }
}
__attribute__((noinline)) void *make_big(void) { return sink = malloc(1 << 20); }
static void *worker(void *block) { free(block); return malloc(333); }
int main(void) {
  leak_ten();
  leak_by_realloc();
  temporaries();
  not_temporary();
  free(make_big());
  pthread_t thread;
  void *block;
  pthread_create(&thread, 0, worker, malloc(77));
  pthread_join(thread, &block);
  free(block);
  return 0;
}
"""


def by_function(document):
    sums = collections.defaultdict(collections.Counter)
    for site in document["sites"]:
        name = next((f["function"] for f in site["stack"]), "")
        for key in ("allocations", "temporary", "leaked_bytes", "leaked_blocks", "peak_bytes", "allocated_bytes"):
            sums[name][key] += site[key]
    return sums


def check_planted(folder):
    source, program, trace = f"{folder}/p.c", f"{folder}/p", f"{folder}/p.vtr"
    with open(source, "w", encoding="utf-8") as file:
        file.write(PLANTED)
    run("gcc", "-O1", "-g", "-o", program, source, "-lpthread")
    run(VALTRACE, "run", "-q", "-o", trace, "--", program)
    document = report(trace)
    sites = by_function(document)
    ok(sites["leak_ten"]["leaked_bytes"] == 1045 and sites["leak_ten"]["leaked_blocks"] == 10, "ten planted leaks",
       sites["leak_ten"])
    ok(sites["leak_by_realloc"]["leaked_bytes"] == 5000, "a leak through realloc", sites["leak_by_realloc"])
    ok(sites["temporaries"]["temporary"] == 1000 and sites["temporaries"]["leaked_blocks"] == 0, "1000 temporaries")
    ok(sites["not_temporary"]["temporary"] == 50, "only the last allocation of a thread is temporary",
       sites["not_temporary"])
    ok(sites["make_big"]["peak_bytes"] == 1 << 20, "the peak has the big block")
    ok(sites["worker"]["leaked_blocks"] == 0, "a block freed by another thread is no leak")
    threads = report(trace, "threads")["threads"]
    ok(sum(t["frees_of_others"] for t in threads) == 2 and sum(t["freed_by_others"] for t in threads) == 2,
       "two frees across threads", threads)
    frame = next(f for s in document["sites"] for f in s["stack"] if f["function"] == "leak_ten")
    ok(frame["file"] == os.path.realpath(source) or frame["file"].endswith("p.c"), "the source file is named")
    ok(PLANTED.split("\n")[frame["line"] - 1].startswith("__attribute__((noinline)) void leak_ten"), "and the line")
    text = run(VALTRACE, "report", "leaks", trace).decode()
    ok("leak_ten" in text and "p.c:6" in text and "\x1b" not in text, "text names function and line, without colours")
    return trace


def brute_force(trace):
    """Totals and per-stack sums from the dumped events, by a dictionary."""
    live, last, cells, limbo = {}, {}, collections.defaultdict(collections.Counter), collections.defaultdict(list)
    total, peak = 0, 0
    unmatched = 0

    def begin(thread, address, size, stack):
        nonlocal total, peak
        live[address] = (size, stack, thread)
        cells[stack]["allocations"] += 1
        cells[stack]["allocated_bytes"] += size
        last[thread] = address
        total += size
        peak = max(peak, total)

    def end(thread, address, block, plain):
        nonlocal total
        size, stack, owner = block
        total -= size
        cells[stack]["frees"] += 1
        if plain and owner == thread and last.get(thread) == address:
            cells[stack]["temporary"] += 1

    dump = subprocess.Popen([VALTRACE, "dump", "--json", trace], stdout=subprocess.PIPE)
    for line in dump.stdout:
        event = json.loads(line)
        kind, thread = event.get("kind"), event.get("thread")
        address = event.get("address")
        address = int(address, 16) if isinstance(address, str) else address
        stack = tuple(event.get("stack") or ()) if isinstance(event.get("stack"), list) else event.get("stack")
        if kind == "alloc":
            begin(thread, address, event["size"], stack)
        elif kind == "free":
            if address in live:
                end(thread, address, live.pop(address), True)
            else:
                unmatched += 1
        elif kind == "realloc-intent" or kind == "realloc_intent":
            if address in live:
                limbo[thread].append((address, live.pop(address), stack))
            else:
                unmatched += bool(address)
                limbo[thread].append((address, None, stack))
        elif kind == "realloc-done" or kind == "realloc_done" or kind == "realloc":
            old_address, block, stack = limbo[thread].pop()
            if not address and event["size"]:
                live[old_address] = block
                continue
            if block:
                end(thread, old_address, block, not address)
            if address:
                begin(thread, address, event["size"], stack)
    dump.wait()
    return {"allocations": sum(c["allocations"] for c in cells.values()),
            "allocated_bytes": sum(c["allocated_bytes"] for c in cells.values()),
            "frees": sum(c["frees"] for c in cells.values()),
            "temporary": sum(c["temporary"] for c in cells.values()),
            "leaked_blocks": sum(c["allocations"] - c["frees"] for c in cells.values()),
            "leaked_bytes": total, "peak_bytes": peak}, unmatched


def check_brute_force(trace, name):
    expected, unmatched = brute_force(trace)
    document = report(trace)
    got = {key: document["totals"][key] for key in expected}
    ok(got == expected, f"{name}: totals equal those of a brute-force model", got, expected)
    ok(document["completeness"]["unmatched_frees"] == unmatched, f"{name}: {unmatched} unmatched frees")


def check_views(trace, name):
    summary = report(trace)
    for key in ("allocations", "allocated_bytes", "temporary", "peak_bytes", "peak_blocks", "leaked_bytes",
                "leaked_blocks", "frees", "reallocs"):
        ok(sum(s[key] for s in summary["sites"]) == summary["totals"][key], f"{name}: sites sum up to totals: {key}")
    totals = summary["totals"]
    ok(totals["allocations"] - totals["frees"] == totals["leaked_blocks"], f"{name}: allocations - frees = leaked")
    sizes = report(trace, "sizes")["sizes"]
    ok(sum(s["allocations"] for s in sizes) == totals["allocations"] and
       sum(s["leaked_bytes"] for s in sizes) == totals["leaked_bytes"], f"{name}: sizes sum up to totals")
    threads = report(trace, "threads")["threads"]
    ok(sum(t["allocated_bytes"] for t in threads) == totals["allocated_bytes"] and
       sum(t["leaked_bytes"] for t in threads) == totals["leaked_bytes"], f"{name}: threads sum up to totals")
    heaps = [h for t in report(trace, "heaps")["traces"] for h in t["heaps"]]
    ok(sum(h["live_bytes"] for h in heaps if not h["nested"]) == totals["leaked_bytes"], f"{name}: heaps sum up")
    line = report(trace, "timeline")["timeline"]
    ok(max(i["max_bytes"] for i in line["intervals"]) == totals["peak_bytes"] and
       sum(i["allocations"] for i in line["intervals"]) == totals["allocations"] and
       line["intervals"][-1]["end_bytes"] == totals["leaked_bytes"], f"{name}: timeline has the peak and the end")
    life = report(trace, "lifetimes")["lifetimes"]
    ok(sum(h["blocks"] for h in life["histogram"]) == totals["frees"], f"{name}: every freed block has a lifetime")
    for view, key in (("leaks", "leaked_bytes"), ("hot", "allocations"), ("peak", "peak_bytes"),
                      ("temporary", "temporary"), ("reallocs", "reallocs")):
        document = report(trace, view)
        ranked = [s[key] for s in document["sites"]]
        ok(document["totals"] == totals and ranked == sorted(ranked, reverse=True) and
           sum(ranked) == totals[key], f"{name}: view {view} is ranked and complete")
    groups = report(trace, "--by", "module")["groups"]
    ok(sum(g["allocations"] for g in groups) == totals["allocations"], f"{name}: groups by module sum up")


def check_filters(trace):
    everything = report(trace)["totals"]
    small, large = report(trace, "--max-size", "64")["totals"], report(trace, "--min-size", "65")["totals"]
    ok(small["allocations"] + large["allocations"] == everything["allocations"] and
       small["leaked_bytes"] + large["leaked_bytes"] == everything["leaked_bytes"], "size filters split the blocks")
    one = report(trace, "--function", "leak_ten")
    ok(one["totals"]["leaked_bytes"] == 1045 and one["totals"]["allocations"] == 10 and
       one["totals"]["peak_bytes"] == 1045, "--function chooses blocks, peak included", one["totals"])
    short = report(trace, "--max-lifetime", "1us")["totals"]
    long = report(trace, "--min-lifetime", "1001ns")["totals"]
    ok(short["allocations"] + long["allocations"] == everything["allocations"] and short["leaked_blocks"] == 0,
       "lifetime filters split the blocks", short, long)
    early = report(trace, "--at", "0")["totals"]
    ok(early["allocations"] <= everything["allocations"] and early["frees"] == 0, "--at 0: nothing has happened")
    ok(report(trace, "--heap", "libc")["totals"] == everything, "--heap libc is everything here")
    for bad in (["--min-size", "x"], ["--from", "no-such-marker"], ["--nonsense"], ["--by", "colour"], ["--limit", "0"]):
        done = subprocess.run([VALTRACE, "report", *bad, trace], capture_output=True)
        ok(done.returncode == 2 and done.stderr.count(b"\n") == 1 and done.stderr.startswith(b"valtrace: "),
           f"{' '.join(bad)}: usage error in one line", done.stderr)


def check_suppressions(folder, trace):
    path = f"{folder}/s.txt"
    with open(path, "w", encoding="utf-8") as file:
        file.write("# known\nleak:leak_t*n\nleak:never_there\n")
    before, after = report(trace)["totals"], report(trace, "--suppressions", path)
    ok(before["leaked_bytes"] - after["totals"]["leaked_bytes"] == 1045, "a suppression takes its leaks away")
    used = {s["pattern"]: s for s in after["suppressions"]}
    ok(used["leak_t*n"]["used"] and used["leak_t*n"]["blocks"] == 10 and not used["never_there"]["used"],
       "and says what it took", used)


TEXT = r"""
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
void *volatile sink;
static __attribute__((noinline)) void hidden(void) { sink = malloc(100); __asm__ volatile("" ::: "memory"); }
int main(int argc, char **argv) {
  usleep(20000);
  hidden();
  if (argc > 1 && !strcmp(argv[1], "die")) kill(getpid(), SIGKILL);
  return 0;
}
"""


def head(trace, *args):
    """The lines of the report before its sections, by their first word."""
    lines = run(VALTRACE, "report", "summary", *args, trace).decode().split("\n\nLIVE: ")[0].splitlines()
    return {line.split()[0]: line for line in lines if line.split()}


def check_head(folder):
    """What the head says of the program and of the report, so that a stranger can tell."""
    program, stripped, trace = f"{folder}/text", f"{folder}/nameless", f"{folder}/text.vtr"
    with open(f"{program}.c", "w", encoding="utf-8") as file:
        file.write(TEXT)
    subprocess.run(["gcc", "-O1", "-g", "-o", program, f"{program}.c"], check=True)
    subprocess.run(["strip", "-o", stripped, program], check=True)
    arguments = ["plain", "two words", "new\nline's \\", "it's", "", "$HOME", "\x01 é"]
    run(VALTRACE, "run", "-q", "-o", trace, "--", program, *arguments)
    lines = head(trace)
    command = lines["command"].split(None, 1)[1]
    words = subprocess.run(["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True).stdout.decode()
    ok(words.split("\0")[:-1] == [program, *arguments] and not lines["command"].endswith(" "), "the command line as a shell takes it", command)
    ok("in 1 block still" in lines["live"] and "1 distinct stack" in lines["allocated"] and "stacks" not in lines["allocated"],
       "one block, one stack", lines)
    ok("ended by itself" in lines["record"] and "chosen" not in lines, "how it ended; all is shown")
    ok("!" not in lines, "nothing to warn of", lines.get("!"))
    chosen = head(trace, "--function", "hid*", "--min-size", "50")
    ok(chosen["chosen"].split(None, 1)[1] == "--function hid* --min-size 50" and "100 B" in chosen["live"], "what was chosen is said", chosen)
    moments = [report(trace, "--at", moment)["totals"]["allocations"] for moment in ("0.010", "10ms", "10000us", "5", "5s")]
    ok(moments == [0, 0, 0, 1, 1], "a moment may have a unit", moments)
    run(VALTRACE, "run", "-q", "-o", trace, "--", stripped, "die", status=128 + 9)
    lines = head(trace)
    ok("signal 9 (Killed)" in lines["record"], "a signal by number and name", lines["record"])
    ok("nameless: functions without a name" in lines.get("!", ""), "why functions have no names", lines)
    leaks = run(VALTRACE, "report", "leaks", trace).decode().split("\nLIVE: ")[1].splitlines()
    lines = [line for line in leaks if "nameless" in line]
    ok(len(lines) >= 2 and all(re.search(r" nameless\+0x[0-9a-f]+$", line) for line in lines) and not any(line.isspace() for line in leaks),
       "functions without a name: their module once", leaks)


def check_misplaced(trace):
    for args, want in (((trace, "leaks"), b"leaks: a view comes first"), (("leak", trace), b"leak: neither a view nor a trace"),
                       (("leaks", trace + ".no"), b"No such file")):
        done = subprocess.run([VALTRACE, "report", *args], capture_output=True, check=False)
        ok(done.returncode == 3 and want in done.stderr and done.stderr.count(b"\n") == 1, f"report {' '.join(args).replace(trace, 'TRACE')}", done.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        planted = check_planted(folder)
        check_brute_force(planted, "planted")
        check_views(planted, "planted")
        check_filters(planted)
        check_suppressions(folder, planted)
        check_head(folder)
        check_misplaced(planted)
        python = f"{folder}/python.vtr"
        run(VALTRACE, "run", "-q", "-o", python, "--", "/usr/bin/python3", "-S", "-I", "-c",
            "for i in range(40): repr(list(range(200))).split()", env={"PYTHONMALLOC": "malloc"})
        check_brute_force(python, "python3")
        check_views(python, "python3")
        both = report([planted, python])
        ok(both["totals"]["allocations"] == report(planted)["totals"]["allocations"] +
           report(python)["totals"]["allocations"], "two traces: allocations add up")
        missing = subprocess.run([VALTRACE, "report", f"{folder}/none.vtr"], capture_output=True)
        ok(missing.returncode == 3 and missing.stderr.count(b"\n") == 1, "no such trace: status 3, one line")
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
