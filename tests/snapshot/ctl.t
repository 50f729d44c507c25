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
import time

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, PROGRAMS, Tap, VALTRACE, child_in_pause, children, open_to_others, vtr  # noqa: E402

HEIRS = os.path.join(PROGRAMS, "heirs")
SNAPSHOTS, BLOCKS = 3, 2000
RISEN, LOST = 96, 100  # blocks of `heirs rises`
MOST = RISEN * 8 // 10 + LOST  # that live in the last look at its peak, at least


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
    for name in ("snapshot 2", "peak"):
        out = ctl(pid, "mark", name)
        tap.ok(out[0] == 2 and "set by snapshots" in out[2] and out[2].count("\n") == 1, f"a marker cannot be called like a snapshot: {name}", [out])
    tap.equal(len(children(pid)), 1, "no copy is left, only the sentinel")
    out = ctl(pid, "status")
    tap.ok(out[0] == 0 and path in out[1] and f"{BLOCKS} events" in out[1] or "events" in out[1], "status", [out])
    end(run, pid)
    trace = vtr.Trace(path)
    tap.equal([text for _, _, text in trace.markers if text != "peak"], ["before"] + [f"snapshot {n}" for n in range(1, SNAPSHOTS + 1)],
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


def await_peak(path):
    """When a look is there that has seen nearly all; some while it rises may come before."""
    for _ in range(HANG_S * 20):
        if os.path.exists(path):
            taken = vtr.Trace(path, verify=False).leaks_at
            if taken and len(taken[-1][1].blocks) >= MOST:
                return
        time.sleep(0.05)
    raise RuntimeError("no look at the highest moment")


def check_peak(tap, path):
    """With --snapshots, without anybody asking: near the highest resident size it is known what can be reached, and which
    pages are there."""
    run = subprocess.Popen([VALTRACE, "run", "-q", "--snapshots", "-o", path, "--", HEIRS, "rises"], stdin=subprocess.PIPE)
    await_peak(path)
    run.communicate(b"x")
    trace = vtr.Trace(path)
    looks = [sum(area.resident for area in pages.areas) for pages in trace.pages if pages.kind == 4]
    tap.ok(len(looks) == len(trace.markers) and {text for _, _, text in trace.markers} == {"peak"}
           and looks == sorted(looks), "looks at peaks, each at more than the one before", [looks, trace.markers])
    memory = json.loads(report("memory", "--json", path))["memory"][0]
    [peak] = [m for m in memory["moments"] if m["peak"]]
    [end] = [m for m in memory["moments"] if m["end"]]
    tap.ok(memory["peak_rss_bytes"] * 8 <= peak["resident_bytes"] * 9 and end["resident_bytes"] * 2 < peak["resident_bytes"]
           and not peak["frozen"] and abs(peak["sum_bytes"] - peak["resident_bytes"]) <= peak["resident_bytes"] // 50,
           "the account of the peak, of which only the last is shown", [peak, end])
    for at, moment, least, most in ((["--at", "peak"], "peak", MOST, RISEN + LOST), ([], "exit", LOST, LOST)):
        document = json.loads(report("leaks", "--json", "--function", "rises", *at, path))
        found = document["totals"]
        tap.ok(found["lost_blocks"] == LOST and least <= found["leaked_blocks"] <= most, f"what is lost, and what lives {at}", [found])
        tap.equal(document["traces"][0]["verdict"]["moment"], moment, f"which moment's memory was looked at {at}")
    text = report("leaks", "--at", "peak", path)
    tap.ok("as it was near its highest resident size" in text, "and in words", [text])
    pages = json.loads(report("pages", "--json", "--at", "peak", path))["pages"][0]
    [blocks] = [row["blocks"] for row in pages["holding"] if row["function"] == "rises"]
    tap.ok(blocks >= MOST - LOST, "who has pages at the peak", [blocks])
    out = subprocess.run([VALTRACE, "report", "pages", "--at", "0.01", path], capture_output=True, text=True)
    tap.ok(out.returncode == 0 and "only snapshots are moments" in out.stdout, "no pages of another moment", [out])


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
            except OSError:
                pass  # it has not waited for the line; its answer is there
            os.write(write, connection.recv(100))
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
    check_peak(tap, f"{folder}/p.vtr")
    check_refused(tap, f"{folder}/r.vtr")
    shutil.rmtree(folder)
    tap.done()


main()
