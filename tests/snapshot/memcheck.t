#!/usr/bin/python3
"""What real programs have lost at their end: the same blocks as valgrind memcheck says."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import Tap, VALTRACE, vtr  # noqa: E402

# Differences that are known are told in docs/snapshot.md.
PROGRAMS = [["perl", "-e", "my @a=(1..1000); my %h=map {$_=>1} @a; print 1"], ["tar", "cf", "/dev/null", "/etc/apt"],
            ["sort", "/etc/passwd"], ["grep", "-c", "root", "/etc/passwd"], ["sed", "-n", "1p", "/etc/passwd"],
            ["find", "/usr/share/doc", "-maxdepth", "1", "-name", "a*"], ["bash", "-c", "x=$(echo a); echo $x"],
            ["sqlite3", ":memory:", "create table t(a); insert into t values(1);"], ["curl", "--version"], ["ls", "-l", "/"]]
LINE = re.compile(r"(definitely|indirectly) lost: ([\d,]+) bytes in ([\d,]+) blocks")


def by_memcheck(argv):
    out = subprocess.run(["valgrind", "--leak-check=full", *argv], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = {kind: (int(size.replace(",", "")), int(cnt.replace(",", ""))) for kind, size, cnt in LINE.findall(out.stderr)}
    return found.get("definitely", (0, 0)), found.get("indirectly", (0, 0))


def by_us(argv, folder):
    path = f"{folder}/t.vtr"
    subprocess.run([VALTRACE, "run", "-q", "-o", path, "--", *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   stdin=subprocess.DEVNULL, check=False)
    trace = vtr.Trace(path)
    if not trace.leaks or trace.leaks.why:
        return trace.leaks
    live = {address: block[0] for (heap, address), block in vtr.Model(trace).live.items() if heap is None}
    sums = {"definite": [0, 0], "indirect": [0, 0]}
    for address, (kind, _) in trace.leaks.blocks.items():
        if kind in sums:
            sums[kind][0] += live[address]
            sums[kind][1] += 1
    return tuple(sums["definite"]), tuple(sums["indirect"])


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="memcheck-")
    for argv in PROGRAMS:
        if not shutil.which("valgrind") or not shutil.which(argv[0]):
            tap.skip(argv[0], "not installed")
            continue
        tap.equal(by_us(argv, folder), by_memcheck(argv), f"{argv[0]}: definite and indirect, bytes and blocks")
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)
    tap.done()


main()
