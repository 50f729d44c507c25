#!/usr/bin/python3
"""Libraries that preloading does not reach, opened by the program: bound to an allocator of their own, with
RTLD_DEEPBIND, in a namespace of their own. What they say they allocated is the measure."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
import valtest  # noqa: E402
from valtest import PROGRAMS, Run, Tap, program, vtr  # noqa: E402


def path(library):
    return os.path.join(PROGRAMS, library)


class Alone:
    """A run without the counting oracle, which would be another library's malloc behind the shim."""

    def __init__(self, argv):
        self.folder = tempfile.mkdtemp(prefix="valtest-opened-")
        self.trace_path = os.path.join(self.folder, "t.vtr")
        done = subprocess.run([valtest.VALTRACE, "run", "-q", "-o", self.trace_path, "--", *argv], capture_output=True)
        self.stdout, self.stderr, self.status = done.stdout, done.stderr, done.returncode

    def main_trace(self):
        return vtr.Trace(self.trace_path)

    def remove(self):
        shutil.rmtree(self.folder)


def check(tap, name, way, library, function):
    argv = program("opening", way, path(library), function)
    plain, run = Run(argv), Alone(argv)
    same = (plain.stdout, plain.stderr, plain.status) == (run.stdout, run.stderr, run.status)
    tap.ok(same and run.status == 0, f"{name}: does what it does alone", [plain.stderr, run.stderr, run.status])
    trace = run.main_trace()
    model = vtr.Model(trace)
    own = int(run.stderr.split()[0]) if same else -1
    tap.ok(trace.complete and model.unmatched_frees == 0 and own <= model.allocations <= own + 40,
           f"{name}: what the library says it allocated", [own, model.allocations, model.unmatched_frees, trace.patched[:2]])
    tap.equal(model.overwritten, 0, f"{name}: no free is missing")
    run.remove()
    plain.remove()


def check_refused(tap, name, run, why):
    out = subprocess.run([valtest.VALTRACE, "report", "--json", run.trace_path], capture_output=True, check=True)
    have = json.loads(out.stdout)["completeness"]
    tap.ok(run.status == 0 and [r for r in have["refused"] if "RTLD_DEEPBIND" in r["what"]] and not have["complete"] and
           why in run.stderr, f"{name}: refused, and said", [run.stderr, have])
    run.remove()


def check_linked(tap, kind):
    """Loaded at start, like any library."""
    run = Alone(program(f"linked_{kind}"))
    trace = run.main_trace()
    model = vtr.Model(trace)
    tap.ok(run.stderr == b"501\n" and trace.complete and (model.allocations, model.frees, model.unmatched_frees) == (500, 500, 0),
           f"linked to one that is {kind}: what the library says it allocated", [run.stderr, model.allocations, model.frees])
    run.remove()


def check_python(tap):
    """A free by a function of several names has the api that Python's blocks have, too: dump still tells whose a block is."""
    code = f"import ctypes; ctypes.CDLL({path('libalias.so')!r}).bound_churn(500)"
    run = Alone([sys.executable, "-S", "-c", code])
    out = subprocess.run([valtest.VALTRACE, "dump", "--json", run.trace_path], capture_output=True, text=True, check=True)
    pythons, wrong, alike = set(), 0, 0
    for event in map(json.loads, out.stdout.splitlines()):
        if event["kind"] in ("alloc", "realloc") and event["address"]:
            pythons.discard(event.get("old_address"))
            (pythons.add if event["api"] == "other" else pythons.discard)(event["address"])
        elif event["kind"] == "free":
            alike += event["api"] == "other" and event["address"] not in pythons
            wrong += (event["heap_name"] == "python") != (event["address"] in pythons)
    tap.ok(run.status == 0 and alike >= 500 and not wrong, "Python, and frees whose name is not known: dump names the heap of the block",
           [run.stderr, alike, wrong])
    run.remove()


def main():
    tap = Tap()
    check_python(tap)
    check(tap, "-Bsymbolic", "way", "libsymbolic.so", "bound_churn")
    check(tap, "hidden", "way", "libhidden.so", "bound_churn")
    check(tap, "hidden, beside a thread", "thread", "libhidden.so", "bound_churn")
    check(tap, "RTLD_DEEPBIND", "deep", "libplain.so", "plain_churn")
    check(tap, "dlmopen", "apart", "libplain.so", "plain_churn")
    check(tap, "dlmopen, in a thread that ends", "apart thread", "libplain.so", "plain_churn")
    check_linked(tap, "symbolic")
    check_linked(tap, "hidden")
    deep = [path("libplain.so"), "plain_churn"]
    check_refused(tap, "RTLD_DEEPBIND beside other threads", Alone(program("opening", "deep thread", *deep)),
                  b"other threads run already")
    check_refused(tap, "RTLD_DEEPBIND with another malloc", Run(program("opening", "deep", *deep), "run"),
                  b"another library provides malloc")
    tap.done()


if __name__ == "__main__":
    main()
