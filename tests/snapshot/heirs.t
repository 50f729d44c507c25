#!/usr/bin/python3
"""The memory that a program leaves behind is noticed by nobody, and never stays."""
import collections
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, PROGRAMS, Tap, VALTRACE, children, collector_has_looked, open_to_others, program, vtr  # noqa: E402

HEIRS = os.path.join(PROGRAMS, "heirs")


def heirs():
    """Processes that hold memory of ended ones of our program."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        pid = path.split("/")[2]
        try:
            with open(path, encoding="utf-8") as file:
                held = file.read() == "valtrace-heir\n" and os.readlink(f"/proc/{pid}/exe") == os.path.realpath(HEIRS)
        except OSError:
            held = False
        if held:
            found.append(int(pid))
    return found


def awaited(condition):
    end = time.monotonic() + HANG_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def collector_of(run):
    """The process that `valtrace run` has forked to collect: its child with the same command line."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file, open(f"/proc/{run.pid}/cmdline", "rb") as own:
                same = file.read() == own.read()
            with open(path.replace("cmdline", "stat"), encoding="utf-8") as file:
                same &= int(file.read().rsplit(")", 1)[1].split()[1]) == run.pid
        except OSError:
            same = False
        if same and int(path.split("/")[2]) != run.pid:
            found.append(int(path.split("/")[2]))
    return found[0]


def traced(folder, *args, options=()):
    out = subprocess.run([VALTRACE, "run", "-q", *options, "-o", f"{folder}/%p.vtr", "--", *args], capture_output=True)
    traces = [vtr.Trace(path) for path in glob.glob(f"{folder}/*.vtr")]
    for path in glob.glob(f"{folder}/*.vtr"):
        os.unlink(path)
    return out, traces


def check_unseen(tap, folder):
    """A sentinel is a child that only waiting with __WALL sees; an heir is none that the program could see at all."""
    for options, how in (([], []), (["--snapshots"], ["plain"])):
        for way in ("waiter", "failing"):
            plain = subprocess.run([HEIRS, way, *how], capture_output=True)
            out, traces = traced(folder, HEIRS, way, *how, options=options)
            tap.equal((out.returncode, out.stdout, out.stderr), (plain.returncode, plain.stdout, plain.stderr),
                      f"{way} {''.join(options)}: as without")
            tap.ok(all(t.leaks and not t.leaks.why for t in traces), f"{way} {''.join(options)}: every process was looked at",
                   [(t.pid, t.leaks) for t in traces])


def check_sentinel(tap, folder):
    out, traces = traced(folder, HEIRS, "gives up", options=["--snapshots"])
    tap.equal(out.stdout.decode().splitlines(), [f"{i}: 1, then 0" for i in range(12)], "calls that make a process less end its sentinel")
    tap.equal([t.leaks and t.leaks.why for t in traces], [""] * 13, "and it has an heir all the same")
    run, collector, reader = start(folder, ["--snapshots"])
    tap.ok(awaited(lambda: len(heirs()) == 1), "one sentinel for one image", heirs())
    os.kill(collector, signal.SIGKILL)
    run.kill()
    run.wait()
    tap.ok(awaited(lambda: not heirs()), "it ends by itself when valtrace is killed, while the program goes on")
    run.stdin.close()
    reader.read()
    if os.path.exists(f"{folder}/e.vtr"):
        os.unlink(f"{folder}/e.vtr")


def check_inherited(tap, folder):
    _, traces = traced(folder, HEIRS, "inherits")
    child = [t for t in traces if t.process[0][1] == "forked"][0]
    kinds = collections.Counter(kind for kind, _ in child.leaks.blocks.values())
    tap.equal(dict(kinds), {"reachable": 10}, "a forked child's blocks on its parent's are reachable")


def check_kinds(tap, folder):
    """Whatever was not recorded: what is lost is told, and nothing else is called so."""
    for way, want in (("unseen", {"definite": 10, "reachable": 1}), ("pauses", {"definite": 10, "reachable": 11}),
                      ("reserves", {"reachable": 1})):
        out, traces = traced(folder, HEIRS, way)
        leaks = traces[0].leaks
        live = {address for (heap, address), block in vtr.Model(traces[0]).live.items() if heap is None and block[0] != 1024}
        kinds = collections.Counter(kind for address, (kind, _) in leaks.blocks.items() if address in live)
        kinds["reachable"] = min(kinds["reachable"], want["reachable"])  # dlopen has some, too
        tap.equal((out.returncode, leaks.why, dict(kinds)), (0, "", want), f"{way}: classes of the blocks")


def check_shares(tap, folder):
    """Who lived on in the memory of a killed process is asked for again when the first process has ended."""
    run = subprocess.Popen([VALTRACE, "run", "-o", f"{folder}/%p.vtr", "--", HEIRS, "shares"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    run.stdout.readline()
    collector_has_looked(next(pid for pid in children(run.pid) if os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(HEIRS)))
    said = run.communicate()[1]
    traces = [vtr.Trace(path) for path in glob.glob(f"{folder}/*.vtr")]
    for path in glob.glob(f"{folder}/*.vtr"):
        os.unlink(path)
    tap.equal((run.returncode, len(traces), [t.path for t in traces if not t.ended]), (0, 2, []),
              "run returns when all traces are whole")
    tap.ok("live on" not in said, "and does not say that a process lives on", [said])


def start(folder, options=()):
    """Of `run`, which has opened the pipe and waits for a byte: itself, its collector, the pipe's reading end."""
    pipe = f"{folder}/pipe"
    if not os.path.exists(pipe):
        os.mkfifo(pipe)
    run = subprocess.Popen([VALTRACE, "run", "-q", *options, "-o", f"{folder}/e.vtr", "--", HEIRS, "ends", pipe],
                           stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    reader = open(pipe, "rb")
    reader.read(5)
    return run, collector_of(run), reader


def check_pipe(tap, folder):
    """A stopped collector keeps the heir; the reader of the program's output sees its end all the same."""
    run, collector, reader = start(folder)
    os.kill(collector, signal.SIGSTOP)
    run.stdin.write(b"x")
    run.stdin.close()
    end = reader.read()
    held = heirs()
    tap.equal((end, len(held)), (b"", 1), "the pipe ends while an heir lives")
    tap.ok(held and os.getsid(held[0]) == held[0], "which is in a session of its own")
    tap.ok(awaited(lambda: not heirs()), "and ends by itself when the collector shows no life")
    os.kill(collector, signal.SIGCONT)
    tap.equal(run.wait(), 7, "the status is the program's")
    leaks = vtr.Trace(f"{folder}/e.vtr").leaks
    tap.ok(leaks is None or leaks.why, "there is no verdict then")
    tap.ok(vtr.Trace(f"{folder}/e.vtr").ended, "but the trace is whole")


def check_killed(tap, folder):
    run, collector, reader = start(folder)
    os.kill(collector, signal.SIGSTOP)
    run.stdin.write(b"x")
    run.stdin.close()
    reader.read()
    tap.equal(len(heirs()), 1, "an heir lives when valtrace is killed")
    os.kill(collector, signal.SIGKILL)
    run.kill()
    run.wait()
    tap.ok(awaited(lambda: not heirs()), "and ends by itself")
    os.unlink(f"{folder}/e.vtr")  # written or not: `run` may have seen its collector's end


def check_late(tap, folder):
    """The heir's time is over before the collector comes."""
    run, collector, reader = start(folder, ["--snapshot-timeout", "1ns"])
    os.kill(collector, signal.SIGSTOP)
    run.stdin.write(b"x")
    run.stdin.close()
    reader.read()
    tap.ok(awaited(lambda: not heirs()), "a time limit that is over before the collector looks: the heir has ended")
    os.kill(collector, signal.SIGCONT)
    run.wait()
    leaks = vtr.Trace(f"{folder}/e.vtr").leaks
    tap.ok(leaks and "the time for the snapshot was over" in leaks.why, "and why is said", [leaks])
    text = subprocess.run([VALTRACE, "report", "memory", f"{folder}/e.vtr"], capture_output=True, text=True).stdout.split("\nMEMORY")[1]
    tap.ok("the time for the snapshot was over" in text and "left no memory" not in text, "and why the end's pages were not looked at", [text])
    os.unlink(f"{folder}/e.vtr")


def check_options(tap, folder):
    _, traces = traced(folder, *program("hello"), options=["--no-snapshot"])
    tap.equal([(t.path, t.leaks, t.snapshots) for t in traces if t.leaks or t.snapshots], [], "--no-snapshot: no look")
    _, traces = traced(folder, *program("hello"), options=["--snapshot-timeout", "1ns"])
    tap.ok(all(t.leaks and "time" in t.leaks.why for t in traces), "a time limit that is over: why is said",
           [t.leaks for t in traces])
    for bad in ("0", "x", "-1"):
        out = subprocess.run([VALTRACE, "run", "--snapshot-timeout", bad, "true"], capture_output=True)
        tap.equal((out.returncode, out.stderr.count(b"\n")), (2, 1), f"--snapshot-timeout {bad}: refused in one line")


def check_limit(tap, folder):
    """Where no process may be made, nothing is kept, and it is said."""
    if not shutil.which("bash") or (os.geteuid() == 0 and not open_to_others(VALTRACE)):
        tap.skip("a limit on processes", "no bash, or a folder that another user cannot enter")
        return
    os.chmod(folder, 0o777)
    path = f"{folder}/limit.vtr"
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    out = subprocess.run([VALTRACE, "run", "-q", "-o", path, "--", "bash", "-c", f"ulimit -u 1; exec {program('hello')[0]}"],
                         capture_output=True, **user)
    tap.equal((out.returncode, out.stdout, out.stderr), (0, b"hello\n", b""), "a limit on processes: as without")
    tap.equal(vtr.Trace(path).leaks, None, "there is no verdict")
    said = subprocess.run([VALTRACE, "report", "--leak-kind", "lost", path], capture_output=True, text=True)
    tap.ok(said.returncode == 0 and "could not be kept" in said.stdout, "and why is said", [said])


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="heirs-")
    check_unseen(tap, folder)
    check_inherited(tap, folder)
    check_sentinel(tap, folder)
    check_kinds(tap, folder)
    check_shares(tap, folder)
    check_pipe(tap, folder)
    check_killed(tap, folder)
    check_late(tap, folder)
    check_options(tap, folder)
    check_limit(tap, folder)
    shutil.rmtree(folder)
    tap.done()


main()
