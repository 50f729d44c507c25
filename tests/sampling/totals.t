#!/usr/bin/python3
"""Sampled recordings count exactly what is done in total, and only the frees of recorded blocks are recorded.

The oracle is a counting shim that shares nothing with the tracer; traces are read by the independent reader."""
import itertools
import os
import random
import sys

sys.path.insert(0, "tests/lib")
from valtest import MODES, PROGRAMS, Run, Tap, program, vtr  # noqa: E402

LONG = os.environ.get("VALTEST_LONG")
PERIODS = (1, 64, 4096, 1 << 30)


def sampled(argv, mode, period, env=None):
    env = dict(env or {}, **({"VALTRACE_SAMPLE": str(period)} if mode == "bare" else {}))
    options = ["--sample", str(period)] if mode == "run" else []
    return Run(argv, mode, env=env, options=options)


def problems_of(run, period, slack=0, unmatched=0):
    problems, traces = [], {}
    for trace in run.traces():
        traces.setdefault(trace.pid, []).append(trace)
        model = vtr.Model(trace)
        if trace.period != period:
            problems.append(f"{trace.path}: period {trace.period}")
        if model.unmatched_frees > unmatched or model.overwritten:
            problems.append(f"{trace.path}: {model.unmatched_frees} frees of unknown blocks, {model.overwritten} twice")
        if period == 1 << 30 and sum(1 for _ in trace.events()) > trace.totals["allocations"] // 10 + 10:
            problems.append("a sample of nearly nothing has many events")
    for image in run.images():
        if not traces.get(image.pid):
            problems.append(f"no trace for {image.exe} ({image.counts})")
            continue
        trace = traces[image.pid].pop(0)
        got = [trace.totals[name] for name in ("allocations", "frees", "reallocs", "allocated_bytes")]
        want = list(image.counts)
        if any(abs(a - b) > slack for a, b in zip(got[:3], want)) or not slack and got != want:
            problems += [f"{image.exe}: trace  {got}", f"{image.exe}: oracle {want}"]
    if not run.images():
        problems.append("the oracle saw nothing")
    return problems


def check(tap, name, argv, periods=PERIODS[1:3], env=None, **options):
    plain = Run(argv, "plain", env=env)
    for mode, period in zip(MODES, periods) if len(periods) == 2 else itertools.product(MODES, periods):
        run = sampled(argv, mode, period, env)
        problems = problems_of(run, period, **options)
        if (run.status, run.stdout) != (plain.status, plain.stdout):
            problems.append(f"status {run.status}, plain {plain.status}; {run.stderr[-200:]!r}")
        tap.ok(not problems, f"{name}, one in {period} [{mode}]", problems)
        run.remove()
    plain.remove()


def check_killed(tap):
    """SIGKILL: a thread may be between the oracle's count and the shim's."""
    for mode in MODES:
        counter = f"/tmp/valtest-sampled-{os.getpid()}-{mode}"
        run = sampled(program("counted", counter, 3, random.randrange(1000, 10000)), mode, 256)
        problems = problems_of(run, 256, slack=6)
        tap.ok(not problems and run.status == -9, f"SIGKILL [{mode}]", problems or [f"status {run.status}"])
        os.unlink(counter)
        run.remove()


def main():
    tap = Tap()
    check(tap, "sites", program("sites", 300), PERIODS)
    check(tap, "apis realloc", program("apis", "realloc"))
    check(tap, "operators of C++", program("newdel"))
    check(tap, "threads", program("threads", "cross"))
    check(tap, "forks: fork", program("forks", "fork"))
    check(tap, "exec", ["/bin/sh", "-c", "ls >/dev/null; exec ls /"])
    check_killed(tap)
    if LONG:
        check_more(tap)
    tap.done()


def check_more(tap):
    for group in ("basic", "aligned", "frees"):
        check(tap, f"apis {group}", program("apis", group))
    check(tap, "threads that end early", program("threads", "destructors"))
    check(tap, "events before libc is ready", program("early"))
    check(tap, "a signal handler that allocates", program("signals", 300),
          env={"LD_PRELOAD": os.path.join(PROGRAMS, "libbump.so")})
    for way in ("raw", "vfork", "fork-threads"):
        check(tap, f"forks: {way}", program("forks", way))


main()
