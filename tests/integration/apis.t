#!/usr/bin/python3
"""Every allocation function, early and nested calls: same behaviour, every event recorded once."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import PROGRAMS, SHIM, VALTRACE, Tap, check, program, vtr  # noqa: E402

LONG = os.environ.get("VALTEST_LONG")  # longer storms
APIS = {"basic": {0, 1, 10}, "realloc": {0, 2, 13, 10}, "aligned": {3, 4, 5, 6, 7, 2, 10},
        "frees": {0, 4, 10}, "new": {8, 9, 11, 12}, "pool": {0, 8, 11}}


def has_apis(group):
    def extra(run):
        seen = {event.api for event in run.main_trace().events()}
        missing = APIS[group] - seen
        return [f"no event of api {sorted(missing)}, only {sorted(seen)}"] if missing else []
    return extra


def realloc_zero_is_free(run):
    model = vtr.Model(run.main_trace())
    leaked = model.totals()["leaked_blocks"]
    return [f"{leaked} blocks leaked, want none"] if leaked else []


def refused(argv, mode, env=None):
    """What the record does not reach, as JSON and text say."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.vtr")
        whole = [VALTRACE, "run", "-q", "-o", path, "--", *argv] if mode == "run" else argv
        bare = {} if mode == "run" else {"LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": path}
        subprocess.run(whole, env={**os.environ, **bare, **(env or {})}, capture_output=True, check=True)
        report = [subprocess.run([VALTRACE, *args, path], capture_output=True, check=False).stdout.decode()
                  for args in (["report", "--json"], ["report"], ["check"])]
        gate = subprocess.run([VALTRACE, "check-budget", "--max-peak", "1G", path], capture_output=True, check=False)
    have = json.loads(report[0])["completeness"]
    said = [one["what"] for one in have["refused"]]
    return said, [not have["complete"], have["missing_events"] is None, gate.returncode == 1, *("operator new of" in text for text in report[1:])]


def check_misaligned(tap):
    """Without the oracle, which is no more than the C compiler makes of it."""
    for mode in ("run", "bare"):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "t.vtr")
            argv = program("misaligned")
            env = {**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": path} if mode == "bare" else None
            done = subprocess.run([VALTRACE, "run", "-q", "-o", path, "--", *argv] if mode == "run" else argv, env=env,
                                  capture_output=True, check=False)
            calls = 3000 + 10 + 1000
            got = vtr.Model(vtr.Trace(path)) if os.path.exists(path) else None
            tap.ok(done.returncode == 0 and done.stdout == b"1\n" and got and got.allocations - 4 * calls in range(20),
                   f"a stack that is off by 8 bytes [{mode}]", [done, got and got.allocations])


def check_hidden_new(tap):
    """Whose operator new comes before any preload's is said, unless it is the C++ runtime's, or patched."""
    own = ["operator new of the executable"]
    for name, wanted in (("newdel", []), ("staticnew", []), ("hello", []), ("ownnew", own), ("ownnew_static", own)):
        tap.equal(refused(program(name), "bare"), (wanted, [bool(wanted)] * 5), f"{name} [bare]: whose operator new is not seen; then it is not complete")
        tap.equal(refused(program(name), "run"), ([], [False] * 5), f"{name} [run]: nobody's is not seen")
    before = {"LD_PRELOAD": os.path.join(PROGRAMS, "libpool.so") + ":" + SHIM}
    tap.equal(refused(program("pooled"), "bare", before)[0], ["operator new of a library loaded before libvaltrace.so"],
              "the same of a library that is preloaded before")


def main():
    tap = Tap()
    for group in ("basic", "aligned", "frees"):
        check(tap, f"apis {group}", program("apis", group), extra=has_apis(group))
    check(tap, "apis realloc", program("apis", "realloc"), extra=realloc_zero_is_free)
    check(tap, "operator new and delete", program("newdel"), extra=has_apis("new"))
    pool = {"LD_PRELOAD": os.path.join(PROGRAMS, "libpool.so")}
    check(tap, "operator new from malloc and from a pool", program("pooled"), env=pool, extra=has_apis("pool"))
    check_hidden_new(tap)
    check_misaligned(tap)
    check(tap, "signal masks, objects and locale are left alone", program("unnoticed"))
    check(tap, "before main", program("early"))
    check(tap, "mallinfo2 and others", program("measure"))
    bump = {"LD_PRELOAD": os.path.join(PROGRAMS, "libbump.so")}
    check(tap, "allocating signal handler", program("signals", 300 if LONG else 60), env=bump)
    check(tap, "handler that jumps out", program("signals", 300 if LONG else 60, "jump"), env=bump, modes=["bare"],
          lost_allowed=True)
    for lib in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libtcmalloc_minimal_debug.so.4", "libtcmalloc_debug.so.4",
                "libmimalloc.so.2.0"):
        path = os.path.join("/usr/lib/x86_64-linux-gnu", lib)
        if not os.path.exists(path):
            tap.skip(lib, "not installed")
            continue
        # the debugging ones keep descriptors of their own, which a collector that they are loaded in closes
        modes = ["bare"] if "debug" in lib else ["bare", "run"]
        check(tap, f"C++ on {lib}", program("newdel"), env={"LD_PRELOAD": path}, stderr="debug" not in lib, modes=modes)
        check(tap, f"C++ in numbers on {lib}", program("pooled"), env={"LD_PRELOAD": path}, modes=modes)
        check(tap, f"threads on {lib}", program("threads", "storm", 1500 if LONG else 300), env={"LD_PRELOAD": path},
              modes=["bare"])
    tap.done()


main()
