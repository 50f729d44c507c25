#!/usr/bin/python3
"""Outputs that fail: full disks, deleted files, folders that cannot be written. The program never notices,
and what was recorded before can be read. Also the text log of the valloc records."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import MODES, Run, Tap, program, vtr  # noqa: E402


def tmpfs(size):
    folder = tempfile.mkdtemp(prefix="valtest-tmpfs-")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    return folder, done.returncode == 0


def unmount(folder):
    subprocess.run(["umount", "-l", folder], check=False)
    os.rmdir(folder)


def marks(path):
    """What a trace of a stopped recording says: (readable events, stop reasons, lost events)."""
    trace = vtr.Trace(path)
    model = vtr.Model(trace)
    return model.event_count, [p[2] for p in trace.process if p[1] == "stopped"], trace.lost + trace.counters.get("lost", 0)


def check_full(tap, mode, size):
    folder, mounted = tmpfs(size)
    name = f"file system of {size} [{mode}]"
    if not mounted:
        tap.skip(name, "cannot mount a tmpfs")
        return
    plain = Run(program("threads", "storm", 10000))
    env = {"VALTRACE_OUTPUT": f"{folder}/x.vtr"} if mode == "bare" else {}
    options = ["-o", f"{folder}/x.vtr"] if mode == "run" else []
    run = Run(program("threads", "storm", 10000), mode, env=env, options=options)
    tap.ok(not run.hung and (run.status, run.stdout) == (plain.status, plain.stdout), f"{name}: the program is unharmed",
           [run.status, run.stdout, run.stderr])
    try:
        events, stopped, lost = marks(f"{folder}/x.vtr")
        tap.ok(events > 1000 or size == "64k", f"{name}: what fitted can be read", [events, stopped, lost])
    except (vtr.BadTrace, OSError) as error:
        tap.ok(size == "64k", f"{name}: what fitted can be read", [error])
    unmount(folder)
    run.remove()
    plain.remove()


def check_unwritable(tap):
    run = Run(program("ends", "exit"), "bare", env={"VALTRACE_OUTPUT": "/proc/no/such/%p.vtr"})
    tap.ok((run.status, run.stdout) == (3, b"ending\n"), "no place to write: the program runs", [run.status, run.stdout])
    tap.ok(run.stderr.count(b"\n") <= 1, "no place to write: at most one line", [run.stderr])
    run.remove()
    folder = tempfile.mkdtemp(prefix="valtest-deleted-")
    argv = ["sh", "-c", f"rm -rf {folder}; exec {' '.join(program('threads', 'storm'))}"]
    run = Run(argv, "bare", env={"VALTRACE_OUTPUT": f"{folder}/%n.vtr"})
    tap.ok((run.status, run.stdout) == (0, b"storm: done\n"), "output deleted under way", [run.status, run.stdout, run.stderr])
    run.remove()


RECORD = re.compile(rb"^\+\+\+ (ALLOC|FREE):(\d+):0x([0-9a-f]{16})(?::(\d+):(\d+))?$")


def read_text(data):
    """(allocations, frees, bytes, problems) of a backtracing-valloc log."""
    counts, problems, skip, live = [0, 0, 0], [], 0, set()
    for line in data.split(b"\n"):
        if skip:
            skip -= 1
            continue
        match = RECORD.match(line)
        if not match:
            if line not in (b"---", b""):
                problems.append(line)
            continue
        skip, address = int(match[2]), match[3]
        if match[1] == b"ALLOC":
            counts[0] += 1
            counts[2] += int(match[5])
            if address in live:
                problems.append(b"allocated twice: " + line)
            live.add(address)
        else:
            counts[1] += 1
            if address not in live:
                problems.append(b"free of unknown block: " + line)
            live.discard(address)
    return counts, problems


def check_text(tap, name, argv):
    """A failed realloc is a FREE and an ALLOC in this log, so the programs here have none."""
    log = tempfile.mktemp(prefix="valtest-text-")
    run = Run(["sh", "-c", f"exec 7>{log}; VALTRACE_SINK=text:7 exec {' '.join(argv)}"], "bare")
    with open(log, "rb") as file:
        counts, problems = read_text(file.read())
    want = [i.counts for i in run.images() if i.exe == argv[0]][-1]
    tap.equal(counts, [want.allocations, want.frees, want.allocated_bytes], f"text log of {name}: every event")
    tap.equal(problems[:3], [], f"text log of {name}: well formed")
    run.remove()
    os.unlink(log)


def main():
    tap = Tap()
    for mode in MODES:
        check_full(tap, mode, "64k")
        check_full(tap, mode, "1m")
    if "bare" in MODES:
        check_unwritable(tap)
        check_text(tap, "apis", program("apis", "basic"))
        check_text(tap, "threads", program("threads", "cross"))
    tap.done()


main()
