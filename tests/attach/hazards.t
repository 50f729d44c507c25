#!/usr/bin/python3
"""What could break a process that is attached to: threads that stand, or will return, in the middle of what changes; a parent
that waits for a child of vfork; valtrace being killed anywhere. The first two are hazards indeed: without their remedies
the program dies. Long."""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
sys.path.insert(0, "tests/attach")
import attaching  # noqa: E402
from attaching import Attach, Churn, valtrace  # noqa: E402
from valtest import Tap, VALTRACE, children, program  # noqa: E402

CYCLES = 60
KILLS = 200
CALLS_MAX = 120  # that valtrace attach makes of ptrace


def cycles(how, folder, command):
    """Attaches to `inside` so often; the process's exit status and how often it lived through it."""
    attaching.VALTRACE = command
    process = subprocess.Popen(program("inside", how), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    process.stdout.read(1)
    lived = 0
    while lived < CYCLES and process.poll() is None:
        attach = Attach(process.pid, os.path.join(folder, "t.vtr"), "--duration", "20ms")
        try:
            if attach.until("stood still"):
                process.stdin.write(b"a")
        except BrokenPipeError:
            pass
        lived += attach.wait() == 0 and process.poll() is None
    process.stdin.close()
    attaching.VALTRACE = VALTRACE
    return process.wait(), lived


def check_inside(tap, folder):
    for how, remedy in (("first", "move_out"), ("signal", "returned_to"), ("vfork", None)):
        tap.equal(cycles(how, folder, VALTRACE), (0, CYCLES), f"{how}: {CYCLES} times attached and detached")
        if remedy:
            status, lived = cycles(how, folder, program(f"valtrace_without_{remedy}")[0])
            tap.ok(status < 0, f"{how}: without the remedy ({remedy}) the program dies", [status, lived])


class Victim:
    """A program beside which valtrace is killed."""

    def __init__(self, threads):
        self.churn = Churn(threads)
        self.before = self.churn.code()
        self.churn.order("g")

    def lives(self):
        """It runs on, and detach makes it what it was."""
        first = self.churn.order("p")
        self.churn.order("g")
        _, text = valtrace("detach", self.churn.pid)
        if self.churn.code() != self.before or self.churn.process.poll() is not None:
            return [first, text]
        return None

    def end(self):
        self.churn.order("p")
        return self.churn.end()


def check_random_kills(tap, folder):
    seed = random.randrange(1 << 30)
    print(f"# seed {seed}")
    random.seed(seed)
    victim, problems = Victim(8), []
    for _ in range(KILLS):
        command = [VALTRACE, "attach", "-q", "--no-symbols", "-o", os.path.join(folder, "k.vtr"), str(victim.churn.pid)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(random.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        problems += filter(None, [victim.lives()])
    tap.equal(problems, [], f"{KILLS} times killed at a random moment: the program runs on, its code is as it was")
    tap.equal(victim.end(), 0, "it ends as it would")


def check_kills_at_calls(tap, folder, call, most):
    if not shutil.which("strace"):
        return tap.skip(f"killed at a call of {call}", "no strace")
    victim, problems, killed = Victim(0), [], 0
    for n in range(1, most):
        command = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={n}",
                   VALTRACE, "attach", "-q", "--duration", "20ms", "--no-symbols", "-o", os.path.join(folder, "k.vtr"), str(victim.churn.pid)]
        killed += subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == -signal.SIGKILL
        problems += filter(None, [victim.lives()])
    tap.ok(killed > most // 3, f"killed at each of the first {most} calls of {call}: {killed} times")
    tap.equal(problems, [], "the program runs on, its code is as it was")
    return tap.equal(victim.end(), 0, "it ends as it would")


def check_kills_in_snapshots(tap, folder):
    """Who has a snapshot taken is killed at any of its calls: the program runs on, and the next one has its snapshot."""
    if not shutil.which("strace"):
        return tap.skip("killed while a snapshot is taken", "no strace")
    churn, killed, problems = Churn(3), 0, []
    attach = Attach(churn.pid, os.path.join(folder, "s.vtr"))
    attach.until("stood still")
    churn.order("r")
    attach.until("Ctrl-C ends that")
    for call, most in (("ptrace", 60), ("pwrite64", 8)):
        for n in range(1, most):
            command = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={n}",
                       VALTRACE, "ctl", str(churn.pid), "snapshot"]
            killed += subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
            churn.order("r")
            status, text = valtrace("ctl", churn.pid, "snapshot")
            while "one is being taken already" in text or "an earlier one is not over" in text:  # what was copied is looked at
                status, text = valtrace("ctl", churn.pid, "snapshot")
            if status or children(churn.pid):
                problems.append([call, n, status, text, children(churn.pid)])
    tap.ok(killed > 30, f"killed {killed} times while a snapshot was taken")
    tap.equal(problems, [], "the program runs on, with nobody beside it, and the next snapshot is taken")
    attach.process.send_signal(signal.SIGINT)
    tap.equal((attach.wait(), churn.end(), attach.trace().complete), (0, 0, True), "recording ends as it would")


def check_killed_target(tap, folder):
    """The program is killed at a random moment: valtrace notices, and ends."""
    seen = []
    for _ in range(KILLS // 2):
        churn = Churn(6)
        churn.order("g")
        attach = Attach(churn.pid, os.path.join(folder, "k.vtr"))
        time.sleep(random.random() * 0.3)
        churn.process.kill()
        churn.process.wait()
        seen.append(attach.wait())
    tap.ok(set(seen) <= {0, 125}, f"{len(seen)} programs killed meanwhile: valtrace ends", seen)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="valtest-hazards-") as folder:
        check_inside(tap, folder)
        check_random_kills(tap, folder)
        check_killed_target(tap, folder)
        check_kills_in_snapshots(tap, folder)
        check_kills_at_calls(tap, folder, "ptrace", CALLS_MAX)
        check_kills_at_calls(tap, folder, "pwrite64", 70)
    tap.done()


if __name__ == "__main__":
    main()
