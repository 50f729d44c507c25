#!/usr/bin/python3
"""What real programs have lost at their end: the same blocks as valgrind memcheck says."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from lost import NO_OLD_VALUES, PROGRAMS, by_us  # noqa: E402
from valtest import Tap, VALTRACE, program  # noqa: E402

# Ruby's end unmaps half of its heap, another half in valgrind (docs/snapshot.md): it ends without. What gdb has lost is
# held by old values in part.
MORE = [(argv, None) for argv in PROGRAMS] + [(["ruby", "-e", "Process.exit!(0)"], None), (["gdb", "--version"], NO_OLD_VALUES)]
# They point into blocks by chance, or as often as they have variables of the environment, of which valgrind makes some.
ANY_POSSIBLE = {"perl", "gdb"}
LINE = re.compile(r"(definitely|indirectly|possibly) lost: ([\d,]+) bytes in ([\d,]+) blocks")


def by_memcheck(argv):
    """As by_us. The C library is not to free its memory first: with it go its lists, as of the environment's strings."""
    out = subprocess.run(["valgrind", "--run-libc-freeres=no", "--leak-check=full", *argv], capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, errors="replace", check=False)
    found = {kind: (int(size.replace(",", "")), int(cnt.replace(",", ""))) for kind, size, cnt in LINE.findall(out.stderr)}
    return tuple(found.get(kind, (0, 0)) for kind in ("definitely", "indirectly", "possibly"))


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
    for argv, env in MORE:
        if not shutil.which("valgrind") or not shutil.which(argv[0]):
            tap.skip(argv[0], "not installed")
            continue
        kinds = 2 if argv[0] in ANY_POSSIBLE else 3
        tap.equal(by_us(argv, folder, env)[:kinds], by_memcheck(argv)[:kinds],
                  f"{argv[0]}: {', '.join(('definite', 'indirect', 'possible')[:kinds])}, bytes and blocks")
    if shutil.which("valgrind"):
        check_inside(tap, folder)
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)
    tap.done()


main()
