#!/usr/bin/python3
"""ctl when its collector does not answer at once: it has hung up, it is stopped, it is another user's."""
import os
import select
import shutil
import signal
import socket
import subprocess
import sys

sys.path[:0] = ["tests/lib", "tests/steer"]
from steer import Steered, ctl, report  # noqa: E402
from valtest import PROGRAMS, VALTRACE, Tap, vtr  # noqa: E402


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(n) for n in file.read().split()]


def stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def check_late(tap, s):
    """A collector that has had no patience is spoken to again."""
    out = subprocess.run([VALTRACE, "ctl", str(s.pid), "mark", "late"], capture_output=True, text=True,
                         env={**os.environ, "LD_PRELOAD": f"{PROGRAMS}/liblate.so"})
    tap.equal((out.returncode, out.stdout, out.stderr), (0, "marked\n", ""), "a command that came too late is said again")
    tap.equal([text for *_, text in vtr.Trace(s.path).markers].count("late"), 1, "and done once")


def check_unheard(tap):
    """A collector that hangs up with what was said unread has done nothing: it is said again."""
    name = f"asking-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}-ctl")
        server.listen()
        other = subprocess.Popen(["sleep", "1000"], env={"VALTRACE_COLLECTOR": f"3:{name}:1"})
        asker = subprocess.Popen([VALTRACE, "ctl", str(other.pid), "status"], stdout=subprocess.PIPE, text=True)
        first = server.accept()[0]
        select.select([first], [], [])
        first.close()
        second = server.accept()[0]
        line = second.recv(100)
        second.send(b"0 heard\n")
        second.close()
        tap.equal((line, asker.communicate()[0]), (f"{other.pid} status\n".encode(), "heard\n"), "what was not read is said again")
    other.kill()
    other.wait()


def check_stopped(tap, s):
    collector = [pid for pid in children(s.run.pid) if pid != s.pid][0]
    os.kill(collector, signal.SIGSTOP)
    while not stopped(collector):
        os.sched_yield()
    status, out, err = ctl(s.pid, "status")
    tap.ok((status, out) == (1, "") and err.count("\n") == 1 and f"{collector}, is stopped by a signal" in err,
           "a collector that is stopped is not waited for", [status, out, err])
    os.kill(collector, signal.SIGCONT)
    tap.equal(ctl(s.pid, "status")[0], 0, "it answers when it goes on")


def check_other(tap, s):
    """Who may read the process's environment but does not record it: the collector itself says no."""
    if os.geteuid():
        return tap.skip("another user", "needs root")
    with open(f"/proc/{s.pid}/environ", "rb") as file:
        variables = dict(v.split(b"=", 1) for v in file.read().split(b"\0") if b"=" in v)
    mine = subprocess.Popen(["setpriv", "--reuid=65534", "--clear-groups", "sleep", "1000"],
                            env={"VALTRACE_COLLECTOR": variables[b"VALTRACE_COLLECTOR"].decode()})
    while os.path.basename(os.readlink(f"/proc/{mine.pid}/exe")) != "sleep":
        os.sched_yield()
    for pid, why in ((mine.pid, "its recording is another user's"), (s.pid, "its environment may not be read")):
        out = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "/proc/self/fd/3", "ctl", str(pid), "status"], capture_output=True,
                             text=True, pass_fds=[3])
        tap.ok(out.returncode == 1 and why in out.stderr and "who started a recording" in out.stderr, f"another user: {why}", [out])
    mine.kill()
    mine.wait()
    return None


def main():
    tap = Tap()
    os.dup2(os.open(VALTRACE, os.O_RDONLY), 3, inheritable=True)  # another user may not come by its folders
    s = Steered("--no-snapshot")
    check_late(tap, s)
    check_unheard(tap)
    check_stopped(tap, s)
    check_other(tap, s)
    s.end()
    tap.equal(report(s.path)["completeness"]["complete"], True, "nothing of it is lost")
    shutil.rmtree(s.folder)
    tap.done()


main()
