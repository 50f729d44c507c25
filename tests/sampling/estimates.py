"""Estimates of a sampled trace against the truth, which the program itself says (sites.c): by site, over runs of
different seeds, the mean is the truth within its standard error, and the truth lies within two of the stated standard
errors about as often as it should."""
import collections
import json
import math
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import SHIM, VALTRACE, program  # noqa: E402

PERIOD = 4096
FIGURES = ("allocations", "allocated_bytes", "leaked_blocks", "leaked_bytes", "peak_bytes")


def truth_of(out):
    """By site what is true, and nothing of the peak: its moment is chosen by the sample."""
    sites = {}
    for line in out.decode().splitlines():
        name, *numbers = line.split()
        sites[name] = dict(zip(FIGURES, map(int, numbers)))
    return sites


def one_run(folder, seed, size):
    path = os.path.join(folder, "t.vtr")
    env = {"LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": path, "VALTRACE_SAMPLE": str(PERIOD), "VALTRACE_SAMPLE_SEED": str(seed)}
    out = subprocess.run(program("sites", size), env={**os.environ, **env}, capture_output=True, check=True).stdout
    report = subprocess.run([VALTRACE, "report", "--json", path], capture_output=True, check=True).stdout
    os.unlink(path)
    return truth_of(out), json.loads(report)


def site_name(site):
    return next((f["function"] for f in site["stack"] if f["function"].startswith("site_")), None)


def estimates(report):
    """By site and figure: (estimate, standard error); of all a site's stacks together."""
    found = collections.defaultdict(lambda: collections.defaultdict(lambda: (0, 0)))
    for site in report["sites"]:
        for figure in FIGURES:
            value, variance = found[site_name(site)][figure]
            found[site_name(site)][figure] = (value + site[figure], variance + site["standard_error"][figure] ** 2)
    return found


def judge(tap, runs, size, mean_off, least_covered, scatter):
    """mean_off: in standard errors of the mean; scatter: how much less and more than stated the estimates may scatter.
    The sample depends on the seed, and on what the loader allocates for paths: where it is run."""
    errors = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, runs + 1):
            truth, report = one_run(folder, seed, size)
            found = estimates(report)
            for name, figures in truth.items():
                for figure, value in figures.items():
                    estimate, variance = found[name][figure]
                    errors[name, figure].append((estimate - value, math.sqrt(variance), value))
    for (name, figure), all_errors in errors.items():
        if all_errors[0][2] == 0:
            tap.ok(all(e[0] == 0 for e in all_errors), f"{name}: no {figure} in any of {runs} runs")
            continue
        mean = sum(e[0] for e in all_errors) / runs
        spread = math.sqrt(sum(e[0] ** 2 for e in all_errors) / runs)
        stated = math.sqrt(sum(e[1] ** 2 for e in all_errors) / runs)
        covered = sum(abs(e[0]) <= 2 * e[1] for e in all_errors) / runs
        off = abs(mean) / (stated / math.sqrt(runs))  # of ten runs, the mean is within 3.2 of what they scatter by themselves
        tap.ok(off <= mean_off, f"{name}, {figure}: the mean of {runs} runs is the truth",
               [f"truth {all_errors[0][2]}, mean {mean:+.0f}, standard error of a mean {stated / math.sqrt(runs):.0f}"])
        tap.ok(covered >= least_covered and scatter[0] < spread / stated < scatter[1],
               f"{name}, {figure}: ± is what the estimates scatter by",
               [f"within 2 standard errors {covered:.3f}, stated {stated:.0f}, scattered by {spread:.0f}"])
