"""The program tests/programs/watched.c under `valtrace run`: does what a test says, step by step."""
import atexit
import os
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from valtest import VALTRACE, children, program  # noqa: E402


class Watched:
    """A recorded process. say() has it do one thing and waits until that is done."""

    def __init__(self, trace, *options, around=()):
        """`around` is a command that executes what follows it."""
        self.run = subprocess.Popen([*around, VALTRACE, "run", "-q", *options, "-o", trace, "--", *program("watched")],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(self.run.kill)  # if the test fails: its end of the pipe ends the program
        self.say("0")
        self.pid = next(pid for pid in children(self.run.pid)
                        if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "watched")

    def say(self, line):
        self.run.stdin.write(line.encode() + b"\n")
        self.run.stdin.flush()
        if self.run.stdout.readline() != b"done\n":
            raise RuntimeError("the watched program ended")

    def ctl(self, *command):
        """Has the collector write what it has, too."""
        return subprocess.run([VALTRACE, "ctl", str(self.pid), *command], capture_output=True, text=True, check=True).stdout

    def end(self):
        self.run.stdin.close()
        self.run.stdout.close()
        return self.run.wait()
