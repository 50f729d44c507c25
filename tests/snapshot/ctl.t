#!/usr/bin/python3
"""valtrace ctl: snapshots of a running program are of one moment, and nobody else may steer a recording."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import PROGRAMS, Tap, VALTRACE, child_in_pause, children, open_to_others, vtr  # noqa: E402

HEIRS = os.path.join(PROGRAMS, "heirs")
SNAPSHOTS, BLOCKS = 3, 2000


def ctl(*args, **options):
    out = subprocess.run([VALTRACE, "ctl", *map(str, args)], capture_output=True, text=True, **options)
    return out.returncode, out.stdout, out.stderr


def report(*args):
    return subprocess.run([VALTRACE, "report", *args], capture_output=True, text=True, check=True).stdout


def start(path, *options):
    run = subprocess.Popen([VALTRACE, "run", "-q", *options, "-o", path, "--", HEIRS, "moves"])
    return run, child_in_pause(run, HEIRS)


def end(run, pid):
    os.kill(pid, signal.SIGKILL)
    run.wait()


def check_moves(tap, path):
    run, pid = start(path, "--snapshots")
    out = ctl(pid, "mark", "before")
    tap.equal(out, (0, "marked\n", ""), "mark")
    for number in range(1, SNAPSHOTS + 1):
        out = ctl(pid, "snapshot")
        tap.ok(out[0] == 0 and f"snapshot {number}" in out[1], f"snapshot {number}", [out])
        if number == 1:
            with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
                resident = next(int(line.split()[1]) << 10 for line in file if line.startswith("Rss:"))
            [moment] = [m for m in json.loads(report("memory", "--json", path))["memory"][0]["moments"] if m["snapshot"] == 1]
            tap.ok(abs(moment["resident_bytes"] - resident) <= resident // 50 and not moment["frozen"],
                   "a snapshot's account is that of the process, not of the copy", [moment["resident_bytes"], resident])
    text = " ".join(line.rstrip() for line in report("memory", path).splitlines())
    tap.ok(all(text.count(f"snapshot {n}") >= 1 for n in range(1, SNAPSHOTS + 1)), "each snapshot has a column of its name", [text])
    out = ctl(pid, "mark", "snapshot 2")
    tap.ok(out[0] == 2 and "set by snapshots" in out[2] and out[2].count("\n") == 1, "a marker cannot be called like a snapshot", [out])
    tap.equal(len(children(pid)), 1, "no copy is left, only the sentinel")
    out = ctl(pid, "status")
    tap.ok(out[0] == 0 and path in out[1] and f"{BLOCKS} events" in out[1] or "events" in out[1], "status", [out])
    end(run, pid)
    trace = vtr.Trace(path)
    tap.equal([text for _, _, text in trace.markers], ["before"] + [f"snapshot {n}" for n in range(1, SNAPSHOTS + 1)],
              "each moment has a marker")
    tap.equal([time for time, _, text in trace.markers if text != "before"], [time for time, _ in trace.leaks_at], "at its time")
    kinds = [sorted(kind for kind, _ in leaks.blocks.values() if kind != "reachable") for _, leaks in trace.leaks_at]
    tap.ok(all(len(few) <= 2 and "definite" not in few for few in kinds), "two threads have at most two blocks in their hands", kinds)
    tap.ok(all(len(leaks.blocks) >= BLOCKS for _, leaks in trace.leaks_at), "all blocks were judged",
           [len(leaks.blocks) for _, leaks in trace.leaks_at])
    text = report("pages", path)
    tap.ok("when killed" in text and "at the end" not in text.split("PAGES")[1], "the pages of a killed process are of when it was killed", [text])
    text = report("memory", path)
    tap.ok("when killed" in text and not any(line.endswith(" ") for line in text.splitlines()), "so is its account; no line ends with a blank", [text])
    text = report("leaks", "--at", "before", path)
    tap.ok("LIVE: live at that moment" in text and "at the end" not in text, "what lived at a moment is not called live at the end", [text])


def stranger(pid):
    """What another user gets who knows the collector's socket."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        name = [v for v in file.read().split(b"\0") if v.startswith(b"VALTRACE_COLLECTOR=")][0].split(b":")[1] + b"-ctl"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setresuid(65534, 65534, 65534)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(b"\0" + name)
            try:
                connection.sendall(f"{pid} mark stranger\n".encode())
                os.write(write, connection.recv(100))
            except OSError:
                pass
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        return file.read()


def check_refused(tap, path):
    run, pid = start(path)
    out = ctl(pid, "snapshot")
    tap.ok(out[0] == 1 and "start with --snapshots" in out[2] and out[2].count("\n") == 1, "without --snapshots: 1, and why", [out])
    if os.geteuid() == 0:
        tap.equal(stranger(pid)[:1], b"3", "another user is refused")
    if os.geteuid() == 0 and open_to_others(VALTRACE):
        out = ctl(pid, "status", user=65534, group=65534, extra_groups=[])
        tap.ok(out[0] == 1 and out[2].count("\n") == 1, "nor finds out", [out])
    else:
        tap.skip("nor finds out", "not root, or a folder that another user cannot enter")
    end(run, pid)
    tap.equal(vtr.Trace(path).markers, [], "and changes nothing")
    out = ctl(os.getpid(), "status")
    tap.ok(out[0] == 1 and "not recorded" in out[2], "a process that is not recorded", [out])
    for args in ((), ("x", "status"), ("1", "none"), ("1", "mark"), ("1", "mark", ""), ("1", "status", "more")):
        out = ctl(*args)
        tap.ok(out[0] == 2 and out[2].count("\n") == 1, f"ctl {' '.join(args)}: usage", [out])


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="ctl-")
    os.chmod(folder, 0o755)
    check_moves(tap, f"{folder}/m.vtr")
    check_refused(tap, f"{folder}/r.vtr")
    shutil.rmtree(folder)
    tap.done()


main()
