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
# Ruby that never collects at its start: what it then loses does not go by the sizes that its malloc says, which are others in valgrind.
RUBY = {"RUBY_GC_HEAP_INIT_SLOTS": "400000", **{f"RUBY_GC_{name}": "900000000" for name in (
    "MALLOC_LIMIT", "MALLOC_LIMIT_MAX", "OLDMALLOC_LIMIT", "OLDMALLOC_LIMIT_MAX")}}
LINE = re.compile(r"(definitely|indirectly|possibly) lost: ([\d,]+) bytes in ([\d,]+) blocks")


def by_memcheck(argv, env=None):
    """As by_us. The C library is not to free its memory first: with it go its lists, as of the environment's strings."""
    out = subprocess.run(["valgrind", "--run-libc-freeres=no", "--leak-check=full", *argv], capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, errors="replace", check=False, env={**os.environ, **(env or {})})
    found = {kind: (int(size.replace(",", "")), int(cnt.replace(",", ""))) for kind, size, cnt in LINE.findall(out.stderr)}
    return tuple(found.get(kind, (0, 0)) for kind in ("definitely", "indirectly", "possibly"))


def check_ruby(tap, folder):
    """The end that unmaps half of the heap, which is the same half if Linux maps upwards, too. Old values keep a list of the
    parser's possible, that are indirect in valgrind."""
    argv = ["ruby", "-e", "1"]
    ours, theirs = by_us(["setarch", "-L", *argv], folder, {**NO_OLD_VALUES, **RUBY}), by_memcheck(argv, RUBY)
    sums = [sum(blocks for _, blocks in kinds) for kinds in (ours, theirs)]
    tap.ok(abs(ours[0][1] - theirs[0][1]) * 500 <= theirs[0][1] > 2000 and abs(sums[0] - sums[1]) * 200 <= sums[1],
           "ruby without collections: definite blocks but for 0.2 %, all that nothing reaches for sure but for 0.5 %", [ours, theirs])


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
    if shutil.which("valgrind") and shutil.which("ruby"):
        check_ruby(tap, folder)
    if shutil.which("valgrind"):
        check_inside(tap, folder)
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)
    tap.done()


main()
