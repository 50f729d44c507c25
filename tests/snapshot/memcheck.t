#!/usr/bin/python3
"""What real programs have lost at their end: the same blocks as valgrind memcheck says."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from lost import PROGRAMS, by_us  # noqa: E402
from valtest import Tap, VALTRACE, program  # noqa: E402

# gcc: an old value in a live block points into two blocks; they are possible here. docs/snapshot.md tells of it.
OTHERWISE = {"gcc"}
LINE = re.compile(r"(definitely|indirectly) lost: ([\d,]+) bytes in ([\d,]+) blocks")


def by_memcheck(argv):
    out = subprocess.run(["valgrind", "--leak-check=full", *argv], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = {kind: (int(size.replace(",", "")), int(cnt.replace(",", ""))) for kind, size, cnt in LINE.findall(out.stderr)}
    return found.get("definitely", (0, 0)), found.get("indirectly", (0, 0))


def check_inside(tap, folder):
    """A program that runs in valgrind may be recorded: there is no look at its end, which valgrind would not let it have."""
    argv = ["valgrind", "-q", *program("hello")]
    plain = subprocess.run(argv, capture_output=True, check=False)
    for options in ([], ["--snapshots"]):
        recorded = subprocess.run([VALTRACE, "run", "-q", *options, "-o", f"{folder}/inside.vtr", "--", *argv], capture_output=True, check=False)
        ours = b"inside valgrind, whose tool replaces malloc"
        own = [line for line in recorded.stderr.splitlines(keepends=True) if ours in line]
        tap.equal((recorded.returncode, recorded.stdout, recorded.stderr.replace(b"".join(own), b"")), (plain.returncode, plain.stdout, plain.stderr),
                  f"recorded in valgrind {options}: as without us")
        checked = subprocess.run([VALTRACE, "check", f"{folder}/inside.vtr"], capture_output=True, check=False)
        tap.ok(len(own) == 1 and checked.returncode == 3 and ours in checked.stdout, f"recorded in valgrind {options}: that nothing is seen is said", [own, checked])


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="memcheck-")
    for argv in PROGRAMS:
        if not shutil.which("valgrind") or not shutil.which(argv[0]):
            tap.skip(argv[0], "not installed")
            continue
        if argv[0] in OTHERWISE:
            continue
        tap.equal(by_us(argv, folder), by_memcheck(argv), f"{argv[0]}: definite and indirect, bytes and blocks")
    if shutil.which("valgrind"):
        check_inside(tap, folder)
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)
    tap.done()


main()
