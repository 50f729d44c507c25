"""What the tests of attaching share: the program `churn`, which keeps its own count, and `valtrace attach` beside it."""
import os
import subprocess

from valtest import VALTRACE, program, vtr


class Churn:
    """churn, as a child of this process."""

    def __init__(self, threads, argv=None, env=None):
        self.process = subprocess.Popen([*(argv or program("churn")), str(threads)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        bufsize=0)
        self.pid = self.process.pid
        self.order("p")  # it has begun

    def order(self, letter):
        """Gives an order; its answer, allocations and frees so far, for all but g and x."""
        self.process.stdin.write(letter.encode())
        return None if letter in "gx" else tuple(map(int, self.process.stdout.readline().split()))

    def code(self):
        """The bytes of the C library's code in its memory."""
        with open(f"/proc/{self.pid}/maps", encoding="utf-8") as maps, open(f"/proc/{self.pid}/mem", "rb") as mem:
            code = [line.split()[0].split("-") for line in maps if "/libc.so.6" in line and " r-xp " in line]
            out = b""
            for start, end in code:
                mem.seek(int(start, 16))
                out += mem.read(int(end, 16) - int(start, 16))
        return out

    def kept(self):
        """How many mappings it has, and descriptors."""
        with open(f"/proc/{self.pid}/maps", encoding="utf-8") as maps:
            return len(maps.readlines()), len(os.listdir(f"/proc/{self.pid}/fd"))

    def end(self):
        """Its exit status."""
        self.process.stdin.close()
        return self.process.wait()


class Attach:
    """valtrace attach, in the background."""

    def __init__(self, pid, path, *options):
        self.path = path
        self.said = []
        self.process = subprocess.Popen([VALTRACE, "attach", "--no-symbols", *options, "-o", path, str(pid)], stderr=subprocess.PIPE, text=True)

    def until(self, words):
        """Reads what it says until these words come; False: it ended before."""
        for line in self.process.stderr:
            self.said.append(line)
            if words in line:
                return True
        return False

    def wait(self):
        self.said += self.process.stderr.readlines()
        return self.process.wait()

    def trace(self):
        return vtr.Trace(self.path)


def valtrace(*args):
    """Exit status and standard error of a command."""
    done = subprocess.run([VALTRACE, *map(str, args)], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr
