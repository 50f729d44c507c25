#!/usr/bin/python3
"""A trace's name without %p is the first process's: children of which no hook hears leave its file alone."""
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import SHIM, Tap, adopt_orphans, program, vtr  # noqa: E402


def record(folder, argv, pattern="t.vtr", **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("VALTRACE_")}
    env.update(LD_PRELOAD=os.path.abspath(SHIM), VALTRACE_OUTPUT=pattern, **more)
    argv = [os.path.abspath(argv[0]), *argv[1:]]
    done = subprocess.run(argv, capture_output=True, env=env, stdin=subprocess.DEVNULL, cwd=folder)
    while True:  # those that outlive it
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return done


def found(folder):
    """{file name without process number: [program, 77-byte blocks kept]}"""
    traces = {}
    for path in glob.glob(folder + "/*.vtr"):
        trace = vtr.Trace(path)
        name = os.path.basename(path).replace(f".{trace.pid}.", ".PID.")
        kept = sum(size == 77 for size, *_ in vtr.Model(trace).live.values())
        traces.setdefault(name, []).append((os.path.basename(trace.exe), kept))
    return {name: sorted(them) for name, them in sorted(traces.items())}


HELLO = [("hello", 0)]
SHELL = os.path.basename(os.path.realpath("/bin/sh"))


def main():
    tap = Tap()
    adopt_orphans()
    hello = program("hello")[0]
    # the shell may execute its last command itself: then its image and hello's are of one process
    for way, want in (("system", 600), ("popen", 600), ("raw", 600), ("daemon", 600)):
        with tempfile.TemporaryDirectory(prefix="valtest-first-") as folder:
            done = record(folder, program("first", way, hello))
            tap.equal((done.returncode, done.stderr), (0, b""), f"{way}: runs")
            traces = found(folder)
            tap.equal(traces.pop("t.vtr", None), [("first", want)], f"{way}: the program's trace is whole")
            others = sorted({program for them in traces.values() for program, _kept in them} - {SHELL, "first"})
            tap.equal(others, ["hello"], f"{way}: the child has one of its own")
            tap.ok(all(re.fullmatch(r"t\.PID\.\d+\.vtr", name) for name in traces),
                   f"{way}: children's are numbered", [traces])
    with tempfile.TemporaryDirectory(prefix="valtest-first-") as folder:
        record(folder, program("first", "exec", hello))
        tap.equal(found(folder), {"t.vtr": HELLO, "t.PID.1.vtr": [("first", 300)]},
                  "the last image of the first process has the name, also if no hook saw exec")
        record(folder, program("hello"))
        tap.equal(found(folder)["t.vtr"], HELLO, "an earlier recording's file is replaced")
        tap.equal(len(found(folder)), 2, "and makes no other")
    with tempfile.TemporaryDirectory(prefix="valtest-first-") as folder:
        record(folder, program("first", "system", hello), VALTRACE_NO_CHILDREN="1")
        tap.equal(found(folder), {"t.vtr": [("first", 600)]}, "VALTRACE_NO_CHILDREN holds for system, too")
    tap.done()


main()
