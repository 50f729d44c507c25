#!/usr/bin/python3
"""`valtrace run` under an interactive shell on a terminal of its own: Ctrl-Z stops program and run, fg and bg
continue both, Ctrl-C and Ctrl-\\ end them with the usual status, reading and modes work as without."""
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, VALTRACE, Tap, program, vtr  # noqa: E402

PROMPT = b"ready> "


class Shell:
    """bash on a pseudo-terminal."""

    def __init__(self, folder):
        self.rest = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            for signo in (signal.SIGINT, signal.SIGQUIT):  # ignored where the tests run in the background
                signal.signal(signo, signal.SIG_DFL)
            env = {"PS1": PROMPT.decode(), "PATH": os.path.dirname(VALTRACE) + ":/usr/bin:/bin", "TERM": "dumb"}
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], env)
        self.until(PROMPT)

    def until(self, what):
        """Reads until `what` has come; returns all up to it, or None after too long."""
        seen, deadline = self.rest, time.monotonic() + HANG_S
        while what not in seen:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                print("# waited for", what, "got", seen)
                return None
            try:
                seen += os.read(self.fd, 4096)
            except OSError:
                return None
        got, self.rest = seen.split(what, 1)
        return got + what

    def type(self, text):
        os.write(self.fd, text)

    def command(self, text):
        """Runs a command to its end; returns what it printed."""
        self.type(text.encode() + b"\n")
        got = self.until(PROMPT)
        return got and got.split(b"\n", 1)[-1].replace(PROMPT, b"").replace(b"\r", b"")

    def status(self):
        return self.command("echo $?")

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def states(shell):
    """{name of process: state} of what the shell has started, but for the collector, which is never stopped; the
    state of one that has the terminal has a + behind it, as in ps."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        state, parent, group, session, _terminal, foreground = rest.split()[:6]
        if int(session) == shell.pid and (name != "valtrace" or int(parent) == shell.pid):
            found[name] = state + "+" * (group == foreground)
    return found


def wait_states(shell, want):
    deadline = time.monotonic() + HANG_S
    while time.monotonic() < deadline:
        got = states(shell)
        if all(got.get(n) == s for n, s in want.items()):
            return True
        time.sleep(0.02)
    print("# states", states(shell), "want", want)
    return False


def check_job_control(tap, folder):
    shell = Shell(folder)
    modes = shell.command("stty -g")
    both = ("valtrace", "sleep")
    shell.type(b"valtrace run -q -o job.vtr sleep 1000\n")
    tap.ok(wait_states(shell, dict.fromkeys(both, "S+")), "runs in the foreground")
    shell.type(b"\x1a")
    tap.ok(shell.until(b"Stopped") and shell.until(PROMPT), "Ctrl-Z gives the shell back")
    tap.ok(wait_states(shell, dict.fromkeys(both, "T")), "Ctrl-Z stops program and run")
    shell.command("bg")
    tap.ok(wait_states(shell, dict.fromkeys(both, "S")), "bg continues both")
    shell.type(b"fg\n")
    wait_states(shell, dict.fromkeys(both, "S+"))  # the shell names the job before it hands the terminal over
    shell.type(b"\x1a")
    tap.ok(shell.until(b"Stopped") and shell.until(PROMPT), "Ctrl-Z again")
    shell.type(b"fg\n")
    tap.ok(wait_states(shell, dict.fromkeys(both, "S+")), "fg continues both")
    shell.type(b"\x03")
    shell.until(PROMPT)
    tap.equal(shell.status(), b"130\n", "Ctrl-C ends with status 130")
    trace = vtr.Trace(os.path.join(folder, "job.vtr"))
    tap.ok(trace.ended and ("signal", 2) in [p[1:3] for p in trace.process], "Ctrl-C: the trace is whole", [trace.process])
    shell.type(b"valtrace run -q -o quit.vtr sleep 1000\n")
    wait_states(shell, dict.fromkeys(both, "S+"))
    shell.type(b"\x1c")
    shell.until(PROMPT)
    tap.equal(shell.status(), b"131\n", "Ctrl-\\ ends with status 131")
    tap.equal(shell.command("stty -g"), modes, "the terminal's modes are as before")
    shell.close()


def check_reading(tap, folder):
    shell = Shell(folder)
    shell.type(b"valtrace run -q -o cat.vtr cat\n")
    wait_states(shell, {"valtrace": "S+", "cat": "S+"})
    shell.type(b"a line\n")
    tap.ok(shell.until(b"a line\r\na line\r\n"), "the program reads the terminal")
    shell.type(b"\x04")
    shell.until(PROMPT)
    tap.equal(shell.status(), b"0\n", "end of input")
    shell.command("valtrace run -q -o cat2.vtr cat &")
    tap.ok(wait_states(shell, {"valtrace": "T", "cat": "T"}), "reading in the background stops both")
    shell.type(b"fg\n")
    wait_states(shell, {"valtrace": "S+", "cat": "S+"})
    shell.type(b"more\n")
    tap.ok(shell.until(b"more\r\nmore\r\n"), "fg lets it read")
    shell.type(b"\x04")
    shell.until(PROMPT)
    own = shell.command("valtrace run -q -o v.vtr " + " ".join(program("hello")) + " | cat; echo ${PIPESTATUS[*]}")
    tap.equal(own, b"hello\n0 0\n", "in a pipe")
    trap = "sh -c 'trap \"echo caught; exit 7\" INT; echo up; while :; do sleep 0.05; done'"
    shell.type(f"valtrace run -q -o trap.vtr {trap}\n".encode())
    shell.until(b"up\r\n")
    shell.type(b"\x03")
    tap.ok(shell.until(b"caught") and shell.until(PROMPT), "Ctrl-C reaches a handler, once")
    tap.equal(shell.status(), b"7\n", "and the program's status comes back")
    shell.close()


def check_inherited(tap, folder):
    """Who ignores SIGCHLD cannot be waited for; the disposition is inherited, by us and by the program."""
    argv = ["sh", "-c", "grep SigIgn /proc/self/status; sleep 0.1; exit 5"]
    got = [subprocess.run([*around, *argv], stdout=subprocess.PIPE, timeout=HANG_S, check=False,
                          preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
           for around in ([], [VALTRACE, "run", "-q", "-o", folder + "/i.vtr"])]
    tap.equal((got[1].returncode, got[1].stdout), (5, got[0].stdout), "started with SIGCHLD ignored")


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-terminal-")
    check_job_control(tap, folder)
    check_reading(tap, folder)
    check_inherited(tap, folder)
    shutil.rmtree(folder, ignore_errors=True)
    tap.done()


main()
