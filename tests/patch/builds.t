#!/usr/bin/python3
"""The program with an allocator of its own, built in many ways: gcc and clang, levels of optimisation, what puts
something at the beginning of each function. Its own counts are the measure. Long."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import Run, Tap, vtr  # noqa: E402

LEVELS = ("-O0", "-O1", "-O2", "-O3", "-Os")
WAYS = ("", "-fcf-protection=full", "-pg", "-pg -mfentry", "-fpatchable-function-entry=5", "-falign-functions=1", "-march=native",
        "-fno-plt -fno-pie -no-pie", "-fomit-frame-pointer -static-libgcc", "-finstrument-functions", "-flto")
CLANG_LACKS = ("-mfentry", "-flto")


def build(folder, compiler, flags):
    path = os.path.join(folder, "own")
    done = subprocess.run([compiler, "-w", "-g", "-fno-builtin", *flags, "-o", path, "tests/patch/own.c"],
                          capture_output=True, cwd=os.getcwd())
    return path if done.returncode == 0 else None


def check(tap, folder, compiler, flags):
    name = " ".join([compiler, *flags])
    path = build(folder, compiler, flags)
    if not path:
        tap.skip(name, "cannot be built here")
        return
    plain, run = Run([path], cwd=folder), Run([path], "run", cwd=folder)
    model, trace = vtr.Model(run.main_trace()), run.main_trace()
    own = tuple(int(w) for w in plain.stderr.split()[:2])
    refused = [p[3:] for p in trace.patched if not p[1] & 1]
    same = run.stderr.splitlines()[:1] == plain.stderr.splitlines() and run.status == plain.status == 0
    if refused and same:  # a function may be too short: then all is left alone, and that is said
        tap.ok(model.allocations == 0 and b"are not recorded" in run.stderr, f"{name}: refused ({refused[0]})", [run.stderr])
    else:
        tap.ok(same and (model.allocations - own[0] in (0, 1, 2) and model.frees - own[1] in (0, 1)), name,
               [plain.stderr, run.stderr, model.allocations, model.frees, run.status])
    run.remove()
    plain.remove()


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-builds-")
    for compiler in ("gcc", "clang"):
        if not shutil.which(compiler):
            tap.skip(compiler, "not installed")
            continue
        for level in LEVELS:
            for way in WAYS:
                if compiler == "gcc" or not any(lacks in way for lacks in CLANG_LACKS):
                    check(tap, folder, compiler, [level, *way.split()])
    shutil.rmtree(folder)
    tap.done()


if __name__ == "__main__":
    main()
