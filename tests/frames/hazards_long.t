#!/usr/bin/env python3
"""Python frames where they are hard to have, with every interpreter that is here: without the interpreter's lock, in
signal handlers, in forked children, in sub-interpreters, at the end of the process, and where there are too many."""
import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.getcwd(), "tests", "frames"))
from frames import ON, Run, Tap, check, frames_of, interpreters, is_known, probe, sized, valtest, vtr  # noqa: E402

ROUNDS = ("generators", "callbacks", "exceptions", "recursion", "compiled", "threads", "many", "coroutines",
          "unlocked", "callbacks_of_c", "large", "observed", "collected", "handed_on", "executed_in_loops", "at_the_end")
MARK = 1 << 63 | 1 << 56

tap = Tap()


def refused(python, env=None, *args):
    trace = Run([python, *args, "-c", "pass"], "run", env={**ON, **(env or {})}).main_trace()
    tap.ok(not trace.codes and trace.refusals, f"{python} {env or ''} {' '.join(args)}: refused, and said", trace.refusals)


def strays(python):
    """Up to the change this is for, 3.12 had the frame between two runs as one of Python's."""
    trace = probe(tap, python, ("generators", "generators", "strays")).trace
    beside = [frames_of(trace, e) for e in sized(trace, 66606)]
    tap.ok(len(beside) == 5 and not any(beside), f"{python}: what another stack runs is not shown on this one", beside)


def own_mimalloc(python):
    """The interpreter's own mimalloc hinders no verdict while it is not used; where it is, half of its events were
    worse than none."""
    for env in ({}, {"PYTHONMALLOC": "mimalloc"}):
        run = Run([python, "-S", "-c", "[[i] * 40 for i in range(1000)]"], "run", env={**ON, **env})
        out = subprocess.run([valtest.VALTRACE, "report", "--json", run.trace_path], stdout=subprocess.PIPE, check=True).stdout
        report = json.loads(out)
        tap.ok(report["completeness"]["unmatched_frees"] == 0 and report["totals"]["lost_blocks"] is not None,
               f"{python} {env}: no free of a block never seen, and what is lost is known", [report["totals"]])


def signals(python):
    trace = probe(tap, python, ("signals",)).trace
    inside = sized(trace, 88888)
    tap.ok(inside and not any(frames_of(trace, e) for e in inside),
           f"{python}: {len(inside)} blocks of signal handlers have no Python frames")


def too_deep(python):
    trace = probe(tap, python, ("too_deep", "generators")).trace
    stacks = [[a for a in trace.stack(e.stack)[1:] if a >> 63] for e in sized(trace, 70001)]
    tap.equal(stacks, [[MARK]], f"{python}: 4,200 frames are a mark")


def forks(python):
    run = probe(tap, python, ("forks",))
    child = [t for t in run.traces() if any(p[1] == "forked" for p in t.process)]
    if tap.ok(len(child) == 1, f"{python}: the child has a trace"):
        check(tap, f"{python}: forked child", child[0], run.log + ".child", python)


def processes(python):
    run = probe(tap, python, ("processes",))
    traces = {str(t.pid): t for t in run.traces()}  # the last image of each
    logs = glob.glob(run.log + ".*")
    tap.equal(len(logs), 4, f"{python}: four children have run")
    for log in logs:
        check(tap, f"{python}: child", traces[log.rpartition(".")[2]], log, python)


def sub_interpreters(python, found):
    trace = probe(tap, python, ("interpreters",)).trace
    want = [] if found < (3, 11) else ["interpreters", "<module>"] if found < (3, 12) else ["inner", "<module>"]
    stacks = [[frame[0] for frame in frames_of(trace, e)] for e in sized(trace, 70002)]
    tap.equal(stacks, [want], f"{python}: frames of a sub-interpreter, or those outside of it, or none")


def daemons(python):
    """3.10 has freed what threads that wait for its lock look at; recorded or not, if the process lives on."""
    for _i in range(3):
        probe(tap, python, ("busy",))
        trace = probe(tap, python, ("daemons",)).trace
        named = {frames_of(trace, e)[0][0] if frames_of(trace, e) else "" for e in sized(trace, 77777)}
        tap.ok(any(name.endswith("run") for name in named), f"{python}: threads without the lock have their frames until the end", named)


for python, found in interpreters():
    if not any(part in python for part in sys.argv[1:] or [""]):
        continue
    if not is_known(found):
        refused(python)
        continue
    probe(tap, python, ROUNDS)
    probe(tap, python, ("generators",), "bare")
    signals(python)
    strays(python)
    too_deep(python)
    forks(python)
    processes(python)
    sub_interpreters(python, found)
    daemons(python)
    refused(python, {"PYTHONMALLOC": "pymalloc"})
    refused(python, {"PYTHONMALLOC": "debug"})
    if found >= (3, 13):
        own_mimalloc(python)
    refused(python, {}, "-X", "dev")
tap.done()
