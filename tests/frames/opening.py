"""Programs that open an interpreter with dlopen, close it and open it again, beside threads that allocate (opens.c): its
frames and its blocks are recorded each time."""
import collections
import glob
import os
import re
import tempfile

from frames import ON, Run, frames_of, sized, valtest, vtr

CODE = "def leaf():\n    x = bytes(71717)\n    return [str(i) for i in range({})]\ndef outer():\n    return leaf()\nouter()\n"
WANT = [("leaf", 2), ("outer", 5), ("<module>", 6)]
ROOT = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))


def libraries():
    """Every libpython that is here, of a version that is not refused."""
    found = sorted(glob.glob("/usr/lib/x86_64-linux-gnu/libpython3.*.so.1.0")) + \
        sorted(glob.glob(os.path.join(ROOT, "versions", "3.*", "lib", "libpython3.*.so.1.0")))
    return [path for path in found if not any(old in path for old in ("python3.6", "python3.7"))]


def record(library, rounds, mode, strings, env):
    prefix = os.path.dirname(os.path.dirname(library))
    home = {"PYTHONHOME": prefix} if prefix.startswith(ROOT) else {}
    opens = os.path.join(valtest.PROGRAMS, "opens")
    env = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1", **home, **env}
    return Run([opens, library, str(rounds), CODE.format(strings)], mode, env=env, options=["--no-symbols"])


def counts(run):
    trace = run.main_trace()
    pid = trace.pid
    return [collections.Counter(e.kind for e in trace.events() if e.tid == pid)[k] for k in (vtr.ALLOC, vtr.FREE, vtr.INTENT, vtr.DONE)]


def check(tap, library, rounds, mode, count):
    strings = 3000 if count else 10
    run = record(library, rounds, mode, strings, ON)
    if run.status == 2:
        tap.skip(library, "is not unloaded when it is closed")
        return
    tap.equal((run.status, run.stderr), (0, b""), f"{library} {mode}: opened and closed {rounds} times")
    trace = run.main_trace()
    stacks = [[(frame[0], frame[2]) for frame in frames_of(trace, e)] for e in sized(trace, 71717)]
    tap.equal(stacks, [WANT] * rounds, f"{library} {mode}: its frames each time")
    tap.ok(trace.complete, f"{library} {mode}: the trace says that it is complete", trace.refusals)
    if not count:
        return
    got, want = counts(run), counts(record(library, rounds, mode, strings, {"VALTRACE_NO_PYTHON": "1", "PYTHONMALLOC": "malloc"}))
    slack = 20 * rounds  # the environment is copied, and not all that Python does is the same each time
    tap.ok(all(abs(g - w) <= slack for g, w in zip(got, want)) and want[0] > 10000 * rounds,
           f"{library} {mode}: as many events as with PYTHONMALLOC=malloc", [got, want])


def check_apart(tap, library):
    """In a namespace of its own nothing of it is recorded, and the record says so."""
    run = record(library, "apart", "run", 10, ON)
    trace = run.main_trace()
    tap.ok(run.status == 0 and not trace.codes and not trace.complete and [r for r in trace.refusals if "opened where" in str(r)],
           f"{library}: opened in a namespace of its own it is refused, and said", [run.status, run.stderr, trace.refusals])


def check_altered(tap, library):
    """From 3.13 on an interpreter tells debuggers where things are in it: one that is built otherwise is refused."""
    with open(library, "rb") as file:
        data = bytearray(file.read())
    told = re.search(rb"xdebugpy...\x03\0{4}", data, re.DOTALL)
    if not told:
        tap.skip(f"{library}: an altered copy", "it tells nothing of itself")
        return
    data[data.index((72).to_bytes(8, "little"), told.end())] += 8  # where a thread's state has its current frame
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "libpython.so")
        with open(copy, "wb") as file:
            file.write(data)
        run = record(copy, 1, "run", 10, {**ON, "PYTHONHOME": os.path.dirname(os.path.dirname(library))})
    trace = run.main_trace()
    tap.ok(run.status == 0 and trace.refusals and not trace.codes and not trace.complete,
           f"{library}: a copy built otherwise than its version is refused, and said", trace.refusals)
