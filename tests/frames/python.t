#!/usr/bin/env python3
"""Python frames: what the interpreter itself says of its stack against what is recorded, for every interpreter
that is here (the fast version: the system's), and the blocks of pymalloc against malloc's."""
import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.getcwd(), "tests", "lib"))
import valtest  # noqa: E402
from valtest import Run, Tap, vtr  # noqa: E402

tap = Tap()
PROBES = os.path.join(valtest.ROOT, "tests", "frames", "probes.py")
ROUNDS = ("generators", "callbacks", "exceptions", "recursion", "compiled", "threads", "many", "unlocked")
LONG = "coroutines"
KNOWN = ((3, 11), (3, 13))


def interpreters():
    """Paths of the interpreters to be tried."""
    yield "/usr/bin/python3"
    if os.environ.get("FRAMES_LONG"):
        root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
        yield from sorted(glob.glob(os.path.join(root, "versions", "*", "bin", "python3")))


def version(python):
    out = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"], stdout=subprocess.PIPE)
    return tuple(map(int, out.stdout.split())) if out.returncode == 0 else None


def compare(trace, log):
    """Probes whose recorded Python frames are not those the interpreter told of; how many there were."""
    sizes, wrong, count = {}, [], 0
    for events in trace.streams.values():
        for event in events:
            if event.kind == vtr.ALLOC and event.size > 100000:
                sizes.setdefault(event.size, event)
    for line in open(log, encoding="utf-8"):
        number, *want = line.rstrip("\n").split("\t")
        count += 1
        event = sizes.get(int(number)) or sizes.get(int(number) + 33)  # bytes(n) has a head
        frames = [trace.virtual(a) for a in reversed(trace.stack(event.stack)[1:]) if a >> 63] if event else []
        got = ["|".join(map(str, frame)) for frame in frames[1:]]
        if got != want or not frames[0][0].endswith("probe"):
            wrong.append((number, got, want))
    return wrong, count


def probe(python, rounds, mode):
    folder = valtest.tempfile.mkdtemp(prefix="valtest-")
    log = os.path.join(folder, "log")
    run = Run([python, "-S", "-E", PROBES, log, *rounds], mode, env={"VALTRACE_NO_PYTHON": "0"})
    label = f"{python} {mode} {' '.join(rounds)}"
    trace = run.main_trace()
    if tap.ok(run.status == 0, f"{label}: runs", [open(run.err, errors="replace").read()]):
        wrong, count = compare(trace, log)
        tap.ok(not wrong and count, f"{label}: {count} stacks are those the interpreter tells of",
               [f"{len(wrong)} differ", *wrong[:2]])
    return trace


for python in interpreters():
    if not os.path.exists(python) or not version(python):
        tap.skip(python, "not here")
        continue
    if not KNOWN[0] <= version(python) <= KNOWN[1]:
        trace = Run([python, "-c", "pass"], "run", env={"VALTRACE_NO_PYTHON": "0"}).main_trace()
        tap.ok(not trace.codes and (not trace.refusals or "version" in trace.refusals[0][2]),
               f"{python}: refused", trace.refusals)
        continue
    probe(python, ROUNDS, "run")
    probe(python, ("generators",), "bare")
    if os.environ.get("FRAMES_LONG"):
        probe(python, (LONG,), "run")
tap.done()
