#!/usr/bin/python3
"""Libraries that come and go: the module map is right at every moment, and no call is missed."""
import collections
import glob
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import PROGRAMS, SHIM, Tap, check, program, vtr  # noqa: E402


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
        return [] if frames == depth - 1 and not cut else [f"{frames} frames of descend, cut: {cut}"]
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


def main():
    tap = Tap()
    check(tap, "two libraries at one address", program("loader", "cycles", PROGRAMS),
          extra=leaks_by_library)
    check(tap, "RTLD_DEEPBIND", program("loader", "deepbind", PROGRAMS), counts=False)
    check_dlerror(tap)
    check(tap, "dlmopen", program("loader", "dlmopen", PROGRAMS), counts=False)
    check(tap, "loading while others allocate", program("loader", "threads", PROGRAMS))
    check(tap, "5,000 frames", program("recursion", 5000), extra=frames_at_bottom(5000))
    if os.environ.get("VALTEST_LONG"):
        check(tap, "100,000 frames", program("recursion", 100000), modes=["bare"])
    tap.done()


main()
