#!/usr/bin/python3
"""Programs whose allocator is in the executable: `run` patches its entries. The program's own count of its
calls is the measure, and that it does the same as without."""
import collections
import json
import os
import subprocess
import sys

sys.path.insert(0, "tests/lib")
import valtest  # noqa: E402
from valtest import Run, Tap, program, vtr  # noqa: E402

LIBC = 12  # blocks that libc and libstdc++ allocate for themselves: threads, streams, the pool for exceptions
NEW = (8, 9)


def words(run):
    return [int(w) for w in run.stderr.split()]


def pair(tap, name, argv, options=()):
    """Plain and recorded; the recorded run if they did the same."""
    plain, run = Run(argv), Run(argv, "run", options=options)
    same = (plain.stdout, plain.stderr, plain.status) == (run.stdout, run.stderr, run.status)
    tap.ok(same and not run.status, f"{name}: does what it does alone",
           [plain.stderr, run.stderr, plain.status, run.status])
    return run


def report(path, *view):
    out = subprocess.run([valtest.VALTRACE, "report", *view, "--json", path], capture_output=True, check=True)
    return json.loads(out.stdout)


def completeness(run):
    return report(run.trace_path)["completeness"]


def near(have, own):
    return 0 <= have - own <= LIBC


def check_own(tap, name, options=()):
    run = pair(tap, name, program(name), options)
    allocations, frees, _ = words(run)
    trace = run.main_trace()
    model = vtr.Model(trace)
    tap.equal((model.allocations, model.frees, model.unmatched_frees), (allocations, frees, 0),
              f"{name}: its own count of allocations and frees")
    have = completeness(run)
    tap.equal((trace.complete, have["complete"], have["refused"], have["allocator_in_executable"]),
              (True, True, [], False), f"{name}: the record is complete")
    return run


def check_stacks(tap):
    """The callers are those in the source: the hook, the stub and what keeps the registers are not there."""
    run = check_own(tap, "own_static")
    sites = report(run.trace_path)["sites"]
    inner = collections.Counter(s["stack"][0]["function"].split(".")[0] for s in sites for _ in range(s["allocations"]))
    tap.equal(inner, {"churn": 1000, "main": 3}, "own_static: the innermost frame is the caller's")
    tap.ok(all(s["stack"][-1]["function"] == "_start" for s in sites), "own_static: stacks reach the root",
           [[f["function"] for f in s["stack"]] for s in sites])
    tap.equal(completeness(run)["truncated_stacks"], 0, "own_static: no stack is cut")
    run.remove()


def addresses(name, functions):
    out = subprocess.run(["nm", program(name)[0]], capture_output=True, check=True, text=True).stdout
    where = {line.split()[2]: line.split()[0] for line in out.splitlines() if len(line.split()) == 3}
    return {f: int(where[f], 16) for f in functions}


def check_given(tap):
    """A file without symbols: --allocator says what is where; without, there is nothing to see."""
    at = addresses("own_prefixed", ["_rjem_" + f for f in ("malloc", "free", "calloc", "realloc")])
    given = ",".join(f"{n.removeprefix('_rjem_')}@{a:#x}" for n, a in at.items())
    check_own(tap, "own_stripped", ["--allocator", given]).remove()
    bare = Run(program("own_stripped"), "run")
    tap.ok(vtr.Model(bare.main_trace()).allocations <= LIBC, "own_stripped: without it nothing is recorded")
    bare.remove()
    wrong = Run(program("own_stripped"), "run", options=["--allocator", f"malloc@{at['_rjem_malloc'] + 1:#x},free@{at['_rjem_free']:#x}"])
    have = completeness(wrong)
    tap.ok(wrong.status == 0 and have["refused"] and not have["complete"] and b"no function begins" in wrong.stderr,
           "own_stripped: an address inside a function is refused, in one line", [wrong.stderr, have])
    wrong.remove()
    bad = Run(program("hello"), "run", options=["--allocator", "main,free"])
    tap.equal((bad.status, bad.stderr.count(b"\n"), bad.stderr.startswith(b"valtrace: main: ")), (2, 1, True),
              "--allocator with a name that is none: one line, status 2")
    bad.remove()


def check_pool(tap):
    """On top of malloc: the outermost is the event, also after it was left by longjmp. What is lost is still told: no
    other allocator is in the program."""
    run = pair(tap, "pool", program("pool"), ["--allocator", "pool_malloc,pool_free"])
    given, taken, left = words(run)
    model = vtr.Model(run.main_trace())
    tap.ok(left == 5 and (model.allocations, model.frees, model.unmatched_frees) == (given, taken, 0),
           "pool: its own count, nothing of malloc below", [given, taken, left, model.allocations, model.frees])
    run.remove()
    run = Run(program("operators"), "run")
    model = vtr.Model(run.main_trace())
    tap.ok(words(run)[0] == sum(e.api == 8 for e in run.main_trace().events() if e.kind == vtr.ALLOC) and
           report(run.trace_path)["totals"]["lost_blocks"] == 1, "operators of the program's own: once each, what is lost is told",
           [run.stderr, report(run.trace_path)["totals"]["lost_blocks"], model.allocations])
    run.remove()


def check_family(tap, name):
    run = pair(tap, name, program(name))
    model = vtr.Model(run.main_trace())
    tap.ok(near(model.allocations, words(run)[0]) and model.unmatched_frees == 0 and len(model.live) <= LIBC,
           f"{name}: its own count, in five threads", [model.allocations, words(run), model.unmatched_frees, len(model.live)])
    run.remove()


def check_new(tap, name):
    run = pair(tap, name, program(name))
    news, caught = words(run)
    trace = run.main_trace()
    events = [e for e in trace.events() if e.kind in (vtr.ALLOC, vtr.ALIGNED)]
    new = [e for e in events if e.api in NEW]
    shared = name == "news_tcmalloc"  # its new and new[] are one function, which others of the process call, too
    model = vtr.Model(trace)
    tap.ok((near(len(new), news) if shared else len(new) == news) and all(e.api != 15 for e in events), f"{name}: operator new once each, and none is an interpreter's", [len(new), news, collections.Counter(e.api for e in events)])
    have = report(run.trace_path)
    tap.ok(have["completeness"]["complete"] and [h["kind"] for h in have["traces"][0]["heaps"]] == ["libc"],
           f"{name}: complete, and what has two names is not taken for an interpreter's", [have["completeness"], have["traces"][0]["heaps"]])
    tap.ok(caught >= 20 and model.unmatched_frees == 0 and len(model.live) <= LIBC,
           f"{name}: exceptions pass through, all blocks are freed", [caught, model.unmatched_frees, len(model.live)])
    run.remove()


def check_refused(tap):
    """Functions without room for a jump: nothing of that allocator is recorded, and it is said."""
    run = Run(program("ownmalloc"), "run")
    have = completeness(run)
    why = {r["what"].split()[0]: r["reason"] for r in have["refused"]}
    tap.ok(run.stdout == b"1\n" and have["allocator_in_executable"] and not have["complete"] and
           why.get("free") == "it is too short for a jump" and sorted(why) == ["calloc", "free", "malloc", "realloc"],
           "a free that is too short: its allocator is refused with the reason", [have])
    tap.ok(run.stderr.count(b"\n") == 1 and b"are not recorded: its allocator's free: it is too short for a jump" in run.stderr,
           "and said in one line", [run.stderr])
    run.remove()


def check_changed(tap):
    """Somebody has changed the code in memory: what stands there is not what was planned for."""
    plain, run = Run(program("own_changed")), Run(program("own_changed"), "run")
    have = completeness(run)
    tap.ok(run.status == 0 and run.stderr.splitlines()[:1] == plain.stderr.splitlines() and not have["complete"] and
           {r["reason"] for r in have["refused"]} == {"its code in memory is not that of the file"} and
           vtr.Model(run.main_trace()).allocations <= LIBC, "code in memory unlike the file: left alone, and told", [run.stderr, have])
    run.remove()


def check_inlined(tap):
    """A malloc that is part of its callers: frees without an allocation, which are no errors of the program."""
    run = pair(tap, "inlined", program("inlined"))
    summary = report(run.trace_path)
    wrong = report(run.trace_path, "mismatches")["mismatches"]
    text = subprocess.run([valtest.VALTRACE, "report", "--full", run.trace_path], capture_output=True, check=True, text=True).stdout
    tap.equal((summary["completeness"]["unmatched_frees"], summary["findings"], sum(w["count"] for w in wrong)), (100, [], 100),
              "inlined: frees without an allocation are counted, and no finding")
    tap.ok("part of its caller" in text and all("part of its caller" in (w["perhaps"] or "") for w in wrong),
           "inlined: and it is said what they may be", [text[:1500], wrong])
    run.remove()


def check_stepped(tap):
    """A signal at every instruction: stacks go on through stubs and copies."""
    run = pair(tap, "stepped", program("stepped"))
    trace = run.main_trace()
    model = vtr.Model(trace)
    roots = collections.Counter(trace.stack(e.stack)[1] for e in trace.events() if e.kind == vtr.ALLOC and e.api == 8)
    tap.ok(model.allocations > 500 and len(roots) == 1 and not trace.counters.get("truncated"),
           "stepped: every stack reaches the root", [model.allocations, roots, trace.counters])
    run.remove()


def check_forked(tap):
    """A forked child has the patches, and says so in its own trace."""
    run = Run(program("own_static", "fork"), "run")
    allocations, frees, _ = words(run)
    child = [t for t in run.traces() if t.pid != run.main_trace().pid]
    model = vtr.Model(child[0]) if len(child) == 1 else None
    tap.ok(model and (model.allocations, model.frees) == (allocations, frees) and child[0].complete and child[0].patched,
           "a forked child: its own count", [run.stderr, len(child)])
    run.remove()


def check_threads(tap):
    """What other threads may be executing is not changed."""
    run = Run(program("own_static"), "run", env={"LD_PRELOAD": program("libstarts.so")[0]})
    tap.ok(run.status == 0 and vtr.Model(run.main_trace()).allocations <= LIBC and
           b"other threads run already" in run.stderr, "threads before recording: refused, and said", [run.stderr])
    run.remove()


def check_bare(tap):
    run = Run(program("own_static"), "bare")
    tap.ok(run.stderr.count(b"\n") == 2 and b"valtrace run" in run.stderr, "without a collector: says what would record it",
           [run.stderr])
    tap.ok(report(run.trace_paths()[0])["completeness"]["allocator_in_executable"], "and the trace says that it is not seen")
    run.remove()


def main():
    tap = Tap()
    check_stacks(tap)
    check_own(tap, "own_prefixed").remove()
    check_given(tap)
    for kind in ("libc", "jemalloc", "tcmalloc"):
        check_family(tap, f"family_{kind}")
        check_new(tap, f"news_{kind}")
    check_pool(tap)
    check_refused(tap)
    check_changed(tap)
    check_inlined(tap)
    check_stepped(tap)
    check_forked(tap)
    check_threads(tap)
    check_bare(tap)
    tap.done()


if __name__ == "__main__":
    main()
