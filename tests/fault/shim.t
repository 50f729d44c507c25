#!/usr/bin/python3
"""Every system call the shim makes fails in turn, once and for good: the program runs on unharmed, what was
recorded can be read, and what is missing is counted or said in one line.

The shim under test asks a fault table before each call (tests/fault/faults.c). VALTEST_LONG tries every
call with every error; otherwise one error and a sample of the many calls alike."""
import collections
import errno
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
import valtest  # noqa: E402
from valtest import BUILD, MODES, Run, Tap, program, vtr  # noqa: E402

valtest.SHIM = os.path.join(BUILD, "fault", "lib", "libvaltrace.so")
valtest.VALTRACE = os.path.join(BUILD, "fault", "bin", "valtrace")
LONG = os.environ.get("VALTEST_LONG")
ERRORS = (errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.EACCES, errno.EINTR)
LIKELY = {"mmap": errno.ENOMEM, "madvise": errno.EFAULT, "openat": errno.EMFILE, "ftruncate": errno.ENOSPC,
          "fallocate": errno.ENOSPC}
CALLS_SZ = 65536
ALIKE = 1  # calls of a kind at one place that are tried without VALTEST_LONG
FD = re.compile(rb"valtrace: .*\n")


def call_names():
    text = subprocess.run(["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                          capture_output=True, text=True, check=True).stdout
    return {int(n): name for name, n in re.findall(r"#define __NR_(\w+) (\d+)\n", text)}


def calls_of(mode, argv):
    """The numbers of the system calls of an undisturbed run."""
    with tempfile.NamedTemporaryFile(prefix="valtest-calls-") as file:
        file.truncate(CALLS_SZ)
        Run(argv, mode, env={"VALTEST_CALLS": file.name}).remove()
        file.seek(0)
        data = file.read()
    numbers = [int.from_bytes(data[i:i + 4], "little") for i in range(0, CALLS_SZ, 4)]
    # read is 0 on this machine: what counts is the last one that is not
    return numbers[:max((i for i, n in enumerate(numbers) if n), default=-1) + 1]


def chosen(numbers):
    """Which of them to fail: all, or the first few of a kind."""
    seen = collections.Counter()
    for index, number in enumerate(numbers):
        seen[number] += 1
        if LONG or seen[number] <= ALIKE:
            yield index, number


def marks_of_loss(trace):
    counters = trace.counters
    return (trace.lost or counters.get("lost") or counters.get("nested_lost")
            or any(p[1] == "stopped" for p in trace.process))


def trace_problems(run):
    """Unreadable traces, and events that are missing without a word."""
    problems, total, marked = [], 0, False
    for path in run.trace_paths():
        try:
            trace = vtr.Trace(path)
        except vtr.BadTrace as error:
            if not run.stderr:  # of a trace that could not be begun, an empty file may stay
                problems.append(f"{path}: {error}")
            continue
        problems += [f"{path}: damaged at {at}" for at in trace.errors]
        total += sum(map(len, trace.streams.values()))
        marked |= bool(marks_of_loss(trace))
    said = run.stderr.count(b"valtrace: ")
    want = sum(i.counts.allocations + i.counts.frees - i.counts.reallocs for i in run.images())
    if total < want and not said and not marked:
        problems.append(f"{total} of {want} events, and not a word")
    return problems


def check(tap, mode, argv, plain, fault, name):
    run = Run(argv, mode, env={"VALTEST_FAULT": "%d:%d:%d" % fault})
    own = FD.findall(run.stderr)
    problems = ["it hangs"] if run.hung else []
    if (run.status, run.stdout) != (plain.status, plain.stdout):
        problems.append(f"status {run.status} {run.stdout!r}, plain {plain.status} {plain.stdout!r}")
    if FD.sub(b"", run.stderr):
        problems.append(f"stderr {run.stderr!r}")
    if len(own) > 4 or any(not re.match(rb"valtrace: .*: .* \(.*\)\n", line) for line in own):
        problems.append(f"not one clear line a process: {run.stderr!r}")
    if not problems:
        problems = trace_problems(run)
    if problems:
        tap.ok(False, f"{name} [{mode}]", [*problems, run.stderr])
    run.remove()
    return not problems


def main():
    tap = Tap()
    names = call_names()
    argv = program("stages")
    for mode in MODES:
        plain = Run(argv, "plain")
        numbers = calls_of(mode, argv)
        tap.ok(len(numbers) > 20, f"the shim asks the fault table [{mode}]", [numbers])
        tried = good = 0
        for index, number in chosen(numbers):
            call = names.get(number, str(number))
            for error in ERRORS if LONG else (LIKELY.get(call, errno.EACCES),):
                for count, way in ((1, "once"), (0, "for good")):
                    tried += 1
                    good += check(tap, mode, argv, plain, (index, count, error),
                                  f"call {index} {call} fails {way} with {errno.errorcode[error]}")
        tap.ok(good == tried and tried, f"{tried} faults in {len(numbers)} system calls, the program is unharmed [{mode}]",
               [f"{tried - good} of {tried} went wrong"])
        plain.remove()
    tap.done()


main()
