#!/usr/bin/python3
"""Every planted block gets its class: whatever holds it or does not, however the program is compiled, on which
allocator it runs, and how it ends. With VALTEST_LONG all combinations."""
import collections
import contextlib
import csv
import glob
import gzip
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import BUILD, Tap, VALTRACE, child_in_pause, vtr  # noqa: E402

SOURCE, LIBRARY = "tests/snapshot/planted.c", os.path.join(BUILD, "programs", "libkeeps.so")
ALL = "VALTEST_LONG" in os.environ
COMPILERS = [(c, f"-O{n}") for c in ("gcc", "clang") for n in range(4)] if ALL else [("gcc", "-O0"), ("gcc", "-O2"), ("clang", "-O2")]
# How a run ends, and its status. With --snapshots the sentinel is the heir, and keeps what SIGKILL leaves.
ENDS = [(end, snapshots, 137 if end == "kill" else 0) for end in ("exit", "_exit", "exec", "kill")
        for snapshots in ((), ("--snapshots",)) if end != "kill" or snapshots]
FEW = [ENDS[0], ENDS[-1]]


def compiled(folder, compiler, level):
    path = os.path.join(folder, f"planted{compiler}{level}")
    subprocess.run([compiler, level, "-g", "-fno-builtin", "-w", "-Wl,-z,now", "-o", path, SOURCE, "-pthread", "-ldl"], check=True)
    return path


# Allocators that put blocks of one size side by side: what points just beyond one points to another.
ALLOCATORS = ("libjemalloc.so.2", "libtcmalloc.so.4", "libmimalloc.so.2.0")[:3 if ALL else 1]
SIDE_BY_SIDE = ("one past the end", "before the start", "in a pipe")


def run(folder, argv, preload=None, options=(), status=0):
    """Standard output, and what the trace says of blocks; without the counting oracle, which remembers some."""
    traces = os.path.join(folder, "traces")
    out = subprocess.run([VALTRACE, "run", "-q", *options, "-o", f"{traces}/%p.vtr", "--", *argv], capture_output=True,
                         env={**os.environ, **({"LD_PRELOAD": preload} if preload else {})})
    if out.returncode != status:
        raise RuntimeError(f"{argv}: status {out.returncode}\n{out.stderr}")
    found = [vtr.Trace(path) for path in glob.glob(f"{traces}/*")]
    shutil.rmtree(traces)
    return out.stdout.decode(), [t.leaks for t in found if t.exe == argv[0]][0]


REGISTERS = 32  # flag: the registers of all threads are known
KERNEL = ("register of", "data of epoll", "value of a timer")  # what a killed process has taken along


def differences(stdout, leaks, but=(), unknown=()):
    """Without registers (unknown: the names of what is held by what is not known), what seems lost may be held by one;
    but not all of the blocks of one place if they are many."""
    registers = not unknown
    if leaks is None or leaks.why:
        return [leaks and leaks.why]
    out = [] if bool(leaks.flags & REGISTERS) == registers else ["whether registers are known"]
    for said in stdout.splitlines():
        wanted, name, address = said.split("\t")
        if unknown and (wanted in ("definite", "indirect") and name != "lost by hundreds" or name.startswith(unknown)):
            wanted = "possible"
        kind, holder = leaks.blocks.get(int(address, 0), ("no live block", None))
        if kind != wanted and name not in but:
            out.append(f"{name}: {kind}, want {wanted} (holder {holder})")
    return out if stdout else ["nothing was planted"]


def unknown_at(end, thread):
    return KERNEL if end == "kill" else KERNEL[:1] if end == "exec" and thread else ()


def check_ends(tap, folder, path, name, ends, preload=None):
    for end, options, status in ends:
        for thread in ([], ["thread"]):
            stdout, leaks = run(folder, [path, end, LIBRARY, *thread], preload, options, status)
            bad = differences(stdout, leaks, SIDE_BY_SIDE if preload else (), unknown_at(end, thread))
            tap.ok(not bad, f"{name} {' '.join([end, *options, *thread])}: {len(stdout.splitlines())} blocks", bad)


def check_copy(tap, folder, path):
    """A snapshot that was asked for while the program ran: as one of a killed process, but what epoll and timers hold is known."""
    for thread in ([], ["thread"]):
        program = subprocess.Popen([VALTRACE, "run", "-q", "--snapshots", "-o", f"{folder}/c.vtr", "--", path, "wait", LIBRARY, *thread],
                                   stdout=subprocess.PIPE, text=True)
        pid = child_in_pause(program, path)
        out = subprocess.run([VALTRACE, "ctl", str(pid), "snapshot"], capture_output=True, text=True)
        os.kill(pid, signal.SIGKILL)
        stdout = program.communicate()[0]
        trace = vtr.Trace(f"{folder}/c.vtr")
        asked = [time for time, _, text in trace.markers if text == "snapshot 1"]
        taken = [(time, leaks) for time, leaks in trace.leaks_at if time in asked]
        bad = differences(stdout, taken[0][1], (), KERNEL[:1]) if taken else [out]
        tap.ok(not bad and len(taken) == 1, f"ctl snapshot {''.join(thread)}", bad)
        report = subprocess.run([VALTRACE, "report", "leaks", "--json", "--at", "snapshot 1", f"{folder}/c.vtr"], capture_output=True)
        report = json.loads(report.stdout)
        count = collections.Counter(kind for kind, _ in taken[0][1].blocks.values())
        tap.equal((report["totals"]["lost_blocks"], report["totals"]["reachable_blocks"], report["traces"][0]["verdict"]["moment"]),
                  (count["definite"] + count["indirect"], count["reachable"], "request"), "report --at the snapshot")


def check_exports(tap, folder, trace_path, want):
    """Tables have the classes, too, and nothing where there is no verdict."""
    table = subprocess.run([VALTRACE, "export", "--format", "csv", trace_path], capture_output=True, text=True, check=True).stdout
    rows = list(csv.DictReader(table.splitlines()))
    tap.equal({k: sum(int(row[k]) for row in rows) for k in want}, dict(want), "csv: lost, possible, reachable")
    subprocess.run([VALTRACE, "export", "--format", "sqlite", "-o", f"{folder}/r.db", trace_path], check=True)
    with contextlib.closing(sqlite3.connect(f"{folder}/r.db")) as database:
        names = {k: k.replace("bytes", "size").replace("blocks", "count") for k in want}
        sums = database.execute("SELECT " + ", ".join(f"sum({n})" for n in names.values()) + " FROM heap_profile_allocation").fetchone()
        tap.equal(dict(zip(names, sums)), dict(want), "sqlite: of sites")
        totals = dict(database.execute("SELECT name, value FROM totals"))
        tap.equal({k: totals[k] for k in want}, dict(want), "sqlite: totals")
    profile = gzip.decompress(subprocess.run([VALTRACE, "export", "--format", "pprof", trace_path], capture_output=True).stdout)
    tap.ok(b"lost_space" in profile and b"reachable_objects" in profile, "pprof: sample types")


def check_report(tap, folder, path):
    """Report and gates say what the trace says, summed up by the independent reader."""
    trace_path = f"{folder}/r.vtr"
    subprocess.run([VALTRACE, "run", "-q", "-o", trace_path, "--", path, "exit", LIBRARY], capture_output=True, check=True)
    trace = vtr.Trace(trace_path)
    live = {a: block[0] for (heap, a), block in vtr.Model(trace).live.items() if heap is None}
    want = collections.Counter()
    for address, (kind, _) in trace.leaks.blocks.items():
        name = "lost" if kind in ("definite", "indirect") else kind
        want[name + "_blocks"] += 1
        want[name + "_bytes"] += live[address]
    report = json.loads(subprocess.run([VALTRACE, "report", "leaks", "--json", trace_path], capture_output=True).stdout)
    tap.equal({k: report["totals"][k] for k in want}, dict(want), "the report's totals")
    tap.equal(report["totals"]["unjudged_blocks"], 0, "every live block was judged")
    tap.equal({k: sum(site[k] for site in report["sites"]) for k in want}, dict(want), "the report's sites add up to them")
    tap.equal(report["traces"][0]["verdict"], {"moment": "exit", "registers_known": True}, "the report's moment")
    check_exports(tap, folder, trace_path, want)
    for kind in ("lost", "definite", "indirect", "possible", "reachable"):
        out = subprocess.run([VALTRACE, "report", "--leak-kind", kind, trace_path], capture_output=True, text=True)
        tap.ok(out.returncode == 0 and kind.upper() + ":" in out.stdout, f"--leak-kind {kind}", [out])
    for kind in ("lost", "possible", "reachable"):
        why = json.loads(subprocess.run([VALTRACE, "report", "--why", "--leak-kind", kind, "--limit", "50", "--json", trace_path],
                                        capture_output=True).stdout)["why"]
        bad = []
        for entry in why:
            holders = [trace.leaks.blocks[int(block["address"], 0)][1] for block in entry["chain"]]
            named = [("block", int(block["address"], 0)) for block in entry["chain"][1:]]
            root = holders[-1] and holders[-1][1][0]
            if holders[:-1] != named or root != (int(entry["root"]["location"], 0) if "root" in entry else None):
                bad.append(entry)
        tap.ok(why and not bad, f"--why {kind}: chains are those of the trace", bad)
    for limit, status in ((want["lost_bytes"], 0), (want["lost_bytes"] - 1, 1)):
        out = subprocess.run([VALTRACE, "check-budget", "--max-lost", str(limit), trace_path], capture_output=True)
        tap.equal(out.returncode, status, f"--max-lost {limit}: status {status}")
    out = subprocess.run([VALTRACE, "run", "-q", "--no-snapshot", "--fail-on-leak", "-o", trace_path, "--", path, "exit", LIBRARY],
                         capture_output=True)
    tap.ok(out.returncode == 1 and out.stderr.count(b"\n") == 1, "--fail-on-leak without a verdict: 1, and why", [out])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        for compiler, level in COMPILERS:
            if not shutil.which(compiler):
                tap.skip(f"{compiler} {level}", "not installed")
                continue
            path = compiled(folder, compiler, level)
            few = FEW[:1] if level == "-O0" else FEW if compiler == "clang" else ENDS
            check_ends(tap, folder, path, f"{compiler} {level},", ENDS if ALL else few)
            for library in ALLOCATORS if (compiler, level) == COMPILERS[0] or ALL else ():
                preload = f"/usr/lib/x86_64-linux-gnu/{library}"
                if os.path.exists(preload):
                    check_ends(tap, folder, path, f"{compiler} {level} on {library},", ENDS if ALL else FEW, preload)
                else:
                    tap.skip(library, "not installed")
            if (compiler, level) == COMPILERS[0]:
                check_report(tap, folder, path)
                check_copy(tap, folder, path)
    tap.done()


main()
