"""What the tests of virtual frames share: interpreters, runs of probes.py, and the comparison of what is recorded
with what the interpreter said."""
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.getcwd(), "tests", "lib"))
import valtest  # noqa: E402
from valtest import Run, Tap, vtr  # noqa: E402

HERE = os.path.join(valtest.ROOT, "tests", "frames")
PROBES, LIBRARY = os.path.join(HERE, "probes.py"), os.path.join(valtest.PROGRAMS, "libframes.so")
SYSTEM = "/usr/bin/python3"
ON = {"VALTRACE_NO_PYTHON": "0"}


def version(python):
    out = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:3])"], stdout=subprocess.PIPE)
    return tuple(map(int, out.stdout.split())) if out.returncode == 0 else None


def interpreters():
    """(path, version) of every interpreter that is here, and of those that VALTEST_PYTHON names (paths with colons between
    them): programs that execute another one, of a root folder say, count, too."""
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    others = [path for path in os.environ.get("VALTEST_PYTHON", "").split(":") if path]
    for python in [SYSTEM, *others, *sorted(glob.glob(os.path.join(root, "versions", "*", "bin", "python3")))]:
        found = os.path.exists(python) and version(python)
        if found:
            yield python, found


def is_known(found):
    return (3, 8) <= found < (3, 15) and found != (3, 11, 0)


def frames_of(trace, event):
    """Python frames of an event's stack, innermost first."""
    return [trace.virtual(a) for a in reversed(trace.stack(event.stack)[1:]) if a >> 63]


def sized(trace, *sizes):
    """The allocations of these sizes; of bytes(n) with or without its head."""
    wanted = {s + head for s in sizes for head in (0, 33)}
    return [e for events in trace.streams.values() for e in events if e.kind == vtr.ALLOC and e.size in wanted]


def in_probe(trace, event):
    frames = frames_of(trace, event)
    return bool(frames) and frames[0][0].endswith("probe")


def compare(trace, log, python=SYSTEM):
    """Probes whose recorded Python frames are not those the interpreter told of; how many there were. 3.9 loses its
    own chain of frames when an exception is thrown through `yield from`: nothing is recorded then. Nor is, up to 3.10, while
    a function watches: it is called by frames that are not marked as running."""
    loses, unwatched = "3.9" in os.path.realpath(python), bool(re.search(r"3\.(8|9|10)\b", os.path.realpath(python)))
    lines = [line.rstrip("\n").split("\t") for line in open(log, encoding="utf-8")]
    found = sized(trace, *(int(line[0]) for line in lines))
    by_size = {e.size: e for e in sorted(found, key=lambda e: in_probe(trace, e))}  # the interpreter's own may be as large
    wrong = []
    for number, *want in lines:
        sizes = [size for size in (int(number), int(number) + 33) if size in by_size]
        event = by_size[max(sizes, key=lambda size: in_probe(trace, by_size[size]))] if sizes else None
        frames = frames_of(trace, event) if event else []
        got = ["|".join(map(str, frame)) for frame in frames[1:]]
        if loses and not frames and want[1:] == want[1:2]:
            continue
        if unwatched and not frames and any(frame.startswith(("observed|", "watch|")) for frame in want):
            continue
        if got != want or not frames[0][0].endswith("probe"):
            wrong.append((number, got, want))
    return wrong, len(lines)


def check(tap, label, trace, log, python=SYSTEM):
    wrong, count = compare(trace, log, python)
    tap.ok(not wrong and count, f"{label}: {count} stacks are those the interpreter tells of",
           [f"{len(wrong)} differ", *wrong[:2]])


def probe(tap, python, rounds, mode="run", env=None):
    """Runs rounds of probes.py and compares; returns the run, with its trace, which may take minutes to read."""
    log = os.path.join(tempfile.mkdtemp(prefix="valtest-"), "log")
    run = Run([python, "-S", "-E", PROBES, log, LIBRARY, *rounds], mode, env={**ON, **(env or {})})
    run.log, label = log, f"{python} {mode} {' '.join(rounds)}"
    run.trace = run.main_trace()
    if tap.ok(run.status == 0 and not run.hung, f"{label}: runs", [open(run.err, errors="replace").read()]):
        check(tap, label, run.trace, log, python)
    return run
