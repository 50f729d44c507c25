#!/usr/bin/python3
"""The tables and the plot of docs/benchmarks.md that compare allocators and allocation recorders.

Records a real program's allocations as a workload, runs bench_allocators, then times two programs
under each recorder, and replaces the parts of the document between their marks, and the plot.

  tests/bench/allocators/bench.py [--rounds N] [--runs N] [--skip allocators,recorders] [--print]
"""
import argparse
import ctypes
import importlib.machinery
import importlib.util
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../../.."))
DOCUMENT = os.path.join(ROOT, "docs/benchmarks.md")
PLOT = os.path.join(ROOT, "docs/benchmarks-allocators.svg")
JEMALLOC = "libjemalloc.so.2"


def load_overhead():
    """The workloads and the measuring of the overhead benchmark, which has no .py in its name."""
    path = os.path.join(ROOT, "tests/bench/overhead")
    loader = importlib.machinery.SourceFileLoader("overhead", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("overhead", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


OVERHEAD = load_overhead()


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    with open("/etc/os-release", encoding="utf-8") as file:
        system = re.search(r'PRETTY_NAME="(.*)"', file.read())
    return (f"{os.cpu_count()} × {model.group(1) if model else platform.machine()}, "
            f"{system.group(1) if system else platform.system()}")


def allocator_table(rounds, folder):
    recorded = os.path.join(folder, "recorded")
    subprocess.run([os.path.join(HERE, "record_workload.py"), recorded], check=True)
    command = [os.path.join(OVERHEAD.BUILD, "bin/bench_allocators"), str(rounds)]
    return subprocess.run(command, env={**os.environ, "BENCH_RECORDED": recorded}, check=True,
                          text=True, stdout=subprocess.PIPE).stdout.strip()


def recorders(folder):
    """{name: (command in front of the program, environment)}"""
    profile = f"prof:true,prof_final:true,prof_prefix:{folder}/jeprof"
    jemalloc = {"LD_PRELOAD": JEMALLOC}
    return {
        "plain": ([], {}),
        "valtrace": (OVERHEAD.TOOLS["valtrace"], {}),
        "heaptrack -r": (OVERHEAD.TOOLS["heaptrack"], {}),
        "jemalloc, no profile": ([], jemalloc),
        "jemalloc, prof:true,lg_prof_sample:0": (
            [], {**jemalloc, "MALLOC_CONF": profile + ",lg_prof_sample:0"}),
        "jemalloc, prof:true (a sample per 512 KiB)": ([], {**jemalloc, "MALLOC_CONF": profile}),
    }


def time_recorders(argv, env, runs, folder):
    """{recorder: (wall, CPU)} medians, of runs in rotating order."""
    tools = recorders(folder)
    samples = {name: [] for name in tools}
    order = list(tools)
    for i in range(runs):
        for name in order[i % len(order):] + order[:i % len(order)]:
            prefix, extra = tools[name]
            command = [word.format(out=folder) for word in prefix] + argv
            samples[name].append(OVERHEAD.measure(command, {**env, **extra})[:2])
    return {name: tuple(map(statistics.median, zip(*values))) for name, values in samples.items()}


def recorder_table(runs, folder):
    programs = OVERHEAD.workloads(folder)
    lines = ["| program | recorder | wall s | / plain | CPU s | / plain |",
             "|---|---|--:|--:|--:|--:|"]
    for program in ("json", "sqlite", "cc1plus"):
        times = time_recorders(*programs[program], runs, folder)
        plain = times["plain"]
        for name, (wall, cpu) in times.items():
            lines.append(f"| {program} | {name} | {wall:.2f} | {wall / plain[0]:.2f} "
                         f"| {cpu:.2f} | {cpu / plain[1]:.2f} |")
    return "\n".join(lines)


def write_part(name, text):
    """Replaces what is between <!-- name --> and <!-- end name -->."""
    with open(DOCUMENT, encoding="utf-8") as file:
        old = file.read()
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end {name} -->)", re.S)
    if not pattern.search(old):
        sys.exit(f"bench: {DOCUMENT} has no part {name}")
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(pattern.sub(lambda match: match.group(1) + text + match.group(2), old))


def plot(table):
    return subprocess.run([os.path.join(ROOT, "tools/bench_plot.py")], input=table, text=True,
                          check=True, stdout=subprocess.PIPE).stdout


def main():
    parser = argparse.ArgumentParser(description="allocators and recorders, side by side")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--skip", default="", help="allocators, recorders")
    parser.add_argument("--print", action="store_true", help="print, do not touch the document")
    args = parser.parse_args()
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: detached collectors count too
    with tempfile.TemporaryDirectory() as folder:
        made = {}
        if "allocators" not in args.skip:
            table = allocator_table(args.rounds, folder)
            made["allocators"] = f"Measured on {machine()}.\n\n{table}"
        if "recorders" not in args.skip:
            made["recorders"] = f"Measured on {machine()}.\n\n{recorder_table(args.runs, folder)}"
    for name, text in made.items():
        print(text, flush=True)
        if not args.print:
            write_part(name, text)
    if "allocators" in made and not args.print:
        with open(PLOT, "w", encoding="utf-8") as file:
            file.write(plot(made["allocators"]))


main()
