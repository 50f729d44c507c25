"""What real programs have lost at their end, as another leak checker tells it, too."""
import os
import subprocess

from valtest import VALTRACE, vtr

PROGRAMS = [["perl", "-e", "my @a=(1..1000); my %h=map {$_=>1} @a; print 1"], ["tar", "cf", "/dev/null", "/etc/apt"],
            ["sort", "/etc/passwd"], ["grep", "-c", "root", "/etc/passwd"], ["sed", "-n", "1p", "/etc/passwd"],
            ["find", "/usr/share/doc", "-maxdepth", "1", "-name", "a*"], ["bash", "-c", "x=$(echo a); echo $x"],
            ["sqlite3", ":memory:", "create table t(a); insert into t values(1);"], ["curl", "--version"], ["ls", "-l", "/"],
            ["gcc", "--version"], ["rsync", "--version"], ["make", "--version"], ["jq", "-n", "1"]]
# New memory has no values of old: no block is held by what a freed one left there.
NO_OLD_VALUES = {"GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"}


def by_us(argv, folder, env=None):
    """Definite, indirect and possible blocks, each (bytes, blocks); why there is no verdict, if there is none."""
    path = f"{folder}/t.vtr"
    subprocess.run([VALTRACE, "run", "-q", "-o", path, "--", *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}, check=False)
    trace = vtr.Trace(path)
    if not trace.leaks or trace.leaks.why:
        return trace.leaks
    live = {address: block[0] for (heap, address), block in vtr.Model(trace).live.items() if heap is None}
    sums = {"definite": [0, 0], "indirect": [0, 0], "possible": [0, 0]}
    for address, (kind, _) in trace.leaks.blocks.items():
        if kind in sums:
            sums[kind][0] += live[address]
            sums[kind][1] += 1
    return tuple(map(tuple, sums.values()))
