#!/usr/bin/python3
"""Every planted block gets its class: whatever holds it or does not, however the program is compiled and ends."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import BUILD, Tap, VALTRACE, vtr  # noqa: E402

SOURCE, LIBRARY = "tests/snapshot/planted.c", os.path.join(BUILD, "programs", "libkeeps.so")
COMPILERS = [("gcc", "-O0"), ("gcc", "-O2"), ("gcc", "-O3"), ("clang", "-O0"), ("clang", "-O2")]
ENDS = ("exit", "_exit", "exec")


def compiled(folder, compiler, level):
    path = os.path.join(folder, f"planted{compiler}{level}")
    subprocess.run([compiler, level, "-g", "-fno-builtin", "-w", "-Wl,-z,now", "-o", path, SOURCE, "-pthread", "-ldl"], check=True)
    return path


def run(folder, argv):
    """Standard output, and what the trace says of blocks; without the counting oracle, which remembers some."""
    traces = os.path.join(folder, "traces")
    out = subprocess.run([VALTRACE, "run", "-q", "-o", f"{traces}/%p.vtr", "--", *argv], capture_output=True, check=True)
    found = [vtr.Trace(path) for path in glob.glob(f"{traces}/*")]
    shutil.rmtree(traces)
    return out.stdout.decode(), [t.leaks for t in found if t.exe == argv[0]][0]


def differences(stdout, leaks):
    if leaks is None or leaks.why:
        return [leaks and leaks.why]
    out = []
    for said in stdout.splitlines():
        wanted, name, address = said.split("\t")
        kind, holder = leaks.blocks.get(int(address, 0), ("no live block", None))
        if kind != wanted:
            out.append(f"{name}: {kind}, want {wanted} (holder {holder})")
    return out if stdout else ["nothing was planted"]


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        for compiler, level in COMPILERS:
            if not shutil.which(compiler):
                tap.skip(f"{compiler} {level}", "not installed")
                continue
            path = compiled(folder, compiler, level)
            for end in ENDS if level == "-O2" else ENDS[:1]:
                for thread in ([], ["thread"]):
                    stdout, leaks = run(folder, [path, end, LIBRARY, *thread])
                    bad = differences(stdout, leaks)
                    tap.ok(not bad, f"{compiler} {level}, {end} {''.join(thread)}: {len(stdout.splitlines())} blocks", bad)
    tap.done()


main()
