"""What tests of steering share: a program that is driven line by line (steered.c) while its recording is steered."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import PROGRAMS, VALTRACE  # noqa: E402

STEERED = os.path.join(PROGRAMS, "steered")


def ctl(*args):
    out = subprocess.run([VALTRACE, "ctl", *map(str, args)], capture_output=True, text=True)
    return out.returncode, out.stdout, out.stderr


def valtrace(*args, status=0):
    out = subprocess.run([VALTRACE, *map(str, args)], capture_output=True, text=True)
    assert status is None or out.returncode == status, (args, out)
    return out.stdout


def report(path, *more):
    return json.loads(valtrace("report", "--json", *more, path))


class Steered:
    """The program under `valtrace run`. tell() returns when the program has done it."""

    def __init__(self, *options, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="steer-")
        self.path = os.path.join(self.folder, "t.vtr")
        self.run = subprocess.Popen([VALTRACE, "run", "-q", *options, "-o", self.path, "--", STEERED],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.run.stdout.readline() == b"ready\n"
        with open(f"/proc/{self.run.pid}/task/{self.run.pid}/children", encoding="utf-8") as file:
            self.pid = [int(n) for n in file.read().split() if os.readlink(f"/proc/{n}/exe") == os.path.realpath(STEERED)][0]

    def tell(self, *lines):
        answer = ""
        for line in lines:
            self.run.stdin.write(line.encode() + b"\n")
            self.run.stdin.flush()
            answer = self.run.stdout.readline()
        return answer.decode().strip()

    def ctl(self, *words):
        out = ctl(self.pid, *words)
        assert out[0] == 0, out
        return out[1]

    def end(self):
        self.run.stdin.write(b"q\n")
        self.run.stdin.close()
        self.run.stdout.read()
        return self.run.wait()
