#!/usr/bin/python3
"""Libraries that come and go: the module map is right at every moment, and no call is missed."""
import collections
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import PROGRAMS, SHIM, VALTRACE, Run, Tap, check, program, vtr  # noqa: E402

LONG = os.environ.get("VALTEST_LONG")  # more frames, and more loads than tables once held
LOADS = 9000 if LONG else 500


def symbol_of(module, offset):
    """The function at an offset, by nm."""
    out = subprocess.run(["nm", "--defined-only", "-n", module["path"]], capture_output=True, text=True)
    best = "?"
    for line in out.stdout.splitlines():
        address, kind, name = line.split(maxsplit=2)
        if kind in "tTwWi" and int(address, 16) <= offset:
            best = name
    return best


def leaks_by_library(run):
    trace = run.main_trace()
    found = collections.Counter()
    for ref, (_blocks, sz) in vtr.Model(trace).leaks().items():
        stack = trace.stack(ref)
        for address in reversed(stack[1:] if stack else []):
            module, offset = trace.locate(stack[0], address)
            if module and "plugin" in module["path"]:
                found[symbol_of(module, offset)] += sz
                break
    want = {"plugin_a_allocate": 7000, "plugin_b_allocate": 14000}
    return [] if found == want else [f"leaks {dict(found)}, want {want}"]


def check_reloads(tap):
    """Every one of many loads is in the trace, from load to unload, and the leak after them has its library."""
    run = Run(program("loader", "reloads", PROGRAMS, LOADS), "run")
    trace = vtr.Trace(run.trace_path, verify=False)
    loads = [m["id"] for m in trace.modules.values() if m["path"].endswith("libplugin_a.so")]
    kept = [i for i in loads if i not in trace.unloads]
    tap.equal((run.status, len(loads), kept), (0, LOADS, []), f"{LOADS} loads and their unloads")
    leak = [frame for ref, (_blocks, sz) in vtr.Model(trace).leaks().items() if sz == 3000 for frame in trace.stack(ref)[1:]]
    modules = {os.path.basename(trace.locate(0xffffffff, address)[0]["path"]) for address in leak}
    report = json.loads(subprocess.run([VALTRACE, "report", "leaks", "--json", "--by", "function", trace.path], capture_output=True, check=True).stdout)
    names = {frame["function"] for site in report["sites"] for frame in site["stack"]}
    tap.ok("libplugin_b.so" in modules and "plugin_b_allocate" in names, "the leak after them is the last one's", [modules, names])
    run.remove()


def frames_at_bottom(depth):
    def extra(run):
        trace = run.main_trace()
        leaks = [(ref, leak) for ref, leak in vtr.Model(trace).leaks().items() if leak[1] == 12345]
        if len(leaks) != 1:
            return [f"found {len(leaks)} leaks of 12,345 bytes"]
        stack = trace.stack(leaks[0][0])
        counts = collections.Counter(stack[1:])
        frames = counts.most_common(1)[0][1]
        cut = 1 in stack[:2] or 2 in stack[-1:]
        found = [] if frames == depth - 1 and not cut else [f"{frames} frames of descend, cut: {cut}"]
        return found + (shown_whole(trace.path, depth) if depth < 20000 else [])
    return extra


MESSAGE = "/does/not/exist.so: cannot open shared object file: No such file or directory"


def check_dlerror(tap):
    """Without the oracle, which itself asks the loader."""
    argv = program("dlerror", PROGRAMS)
    plain = subprocess.run(argv, capture_output=True)
    with tempfile.TemporaryDirectory(prefix="valtest-") as folder:
        traced = subprocess.run(argv, capture_output=True, env=dict(
            os.environ, LD_PRELOAD=SHIM, VALTRACE_OUTPUT=folder + "/%n.%p.vtr"))
        tap.equal((traced.returncode, traced.stdout, traced.stderr), (0, plain.stdout, plain.stderr),
                  "dlerror() and errno are the program's own")
        traces = [vtr.Trace(path) for path in glob.glob(folder + "/dlerror.*.vtr")]
    first = min(traces, key=lambda t: t.start_unix_ns)
    model = vtr.Model(first)
    messages = [size for size, _ref, _tid in model.live.values() if size == len(MESSAGE) + 1]
    tap.equal((messages, model.unmatched_frees), ([], 0), "every message of dlerror() is seen to be freed")


def shown_whole(path, depth):
    """What is printed of that stack has its root: folded all of it, text says how much is left out."""
    folded = subprocess.run([VALTRACE, "flame", "--metric", "leaked", path], capture_output=True, text=True, check=True).stdout
    stack = folded.rsplit(" ", 1)[0].split(";")
    text = subprocess.run([VALTRACE, "report", "leaks", "--leak-kind", "live", path], capture_output=True, text=True, check=True).stdout
    more = re.search(r"… (\d+) more, up to\n +(\w+)", text)
    good = stack.count("descend") == depth and "main" in stack[:5] and more and int(more[1]) > depth - 10
    good = good and more[2] in ("main", "libc")  # the C library's start has no name without its debug information
    return [] if good else [f"shown: {stack.count('descend')} frames from {stack[:3]}, text {more}"]


def main():
    tap = Tap()
    check(tap, "two libraries at one address", program("loader", "cycles", PROGRAMS),
          extra=leaks_by_library)
    check_reloads(tap)
    # The oracle is another malloc behind the shim: what it misses is said (tests/patch/opened.t).
    check(tap, "RTLD_DEEPBIND", program("loader", "deepbind", PROGRAMS), counts=False, stderr=False)
    check_dlerror(tap)
    check(tap, "dlmopen", program("loader", "dlmopen", PROGRAMS), counts=False)
    check(tap, "loading while others allocate", program("loader", "threads", PROGRAMS))
    check(tap, "10,000 frames", program("recursion", 10000), extra=frames_at_bottom(10000))
    if LONG:
        check(tap, "100,000 frames", program("recursion", 100000), modes=["bare"])
    tap.done()


main()
