#!/usr/bin/python3
"""Beside LeakSanitizer. On the planted program rebuilt with it the same blocks are lost, but for the differences that
docs/snapshot.md explains, each of which is there; on real programs, into which it is preloaded, the same bytes in as many
blocks."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from lost import PROGRAMS, by_us as lost_in  # noqa: E402
from valtest import BUILD, Tap, VALTRACE, vtr  # noqa: E402

SOURCE, LIBRARY = "tests/snapshot/planted.c", os.path.join(BUILD, "programs", "libkeeps.so")
OBJECT = re.compile(rb"^(0x[0-9a-f]+) \(\d+ bytes\)", re.M)
# It does not look at what a program maps, at unaligned words, at what only the kernel knows, at mangled pointers.
LOST_THERE = {"private mapping", "shared mapping", "memfd", "System V segment", "page without access", "program break",
              "private mapping of a file", "in code, not aligned", "data of epoll", "value of a timer", "alternate signal stack",
              "register in a jmp_buf"}
# Its allocator puts blocks side by side: a pointer just beyond one is one to another; the pipe's end comes back on a stack.
LOST_HERE = {"one past the end", "before the start", "in a pipe"}


def build(folder, name, *flags):
    path = os.path.join(folder, name)
    done = subprocess.run(["gcc", "-O0", "-g", "-fno-builtin", "-w", "-Wl,-z,now", *flags, "-o", path, SOURCE, "-pthread", "-ldl"])
    return path if done.returncode == 0 else None


def said(stdout):
    return [(name, int(address, 0)) for _, name, address in (line.split("\t") for line in stdout.decode().splitlines())]


def by_lsan(path, thread):
    out = subprocess.run([path, "exit", LIBRARY, *thread], capture_output=True, env={**os.environ, "LSAN_OPTIONS": "report_objects=1"})
    leaked = {int(address, 0) for address in OBJECT.findall(out.stderr)}
    return sorted((name, address in leaked) for name, address in said(out.stdout))


def by_us(path, thread, folder):
    out = subprocess.run([VALTRACE, "run", "-q", "-o", f"{folder}/t.vtr", "--", path, "exit", LIBRARY, *thread], capture_output=True)
    blocks = vtr.Trace(f"{folder}/t.vtr").leaks.blocks
    return sorted((name, blocks[address][0] in ("definite", "indirect")) for name, address in said(out.stdout))


# It crashes when it is preloaded into these.
CRASHED = {"perl", "sqlite3"}
SUMMARY = re.compile(r"SUMMARY: LeakSanitizer: (\d+) byte\(s\) leaked in (\d+) allocation")


def by_preload(argv, folder):
    """Lost bytes and blocks; what it says goes to files, since tar and sort close their standard error first."""
    library = subprocess.run(["gcc", "-print-file-name=liblsan.so"], capture_output=True, text=True, check=True).stdout.strip()
    said = f"{folder}/said"
    os.mkdir(said)
    env = {**os.environ, "LD_PRELOAD": os.path.realpath(library), "LSAN_OPTIONS": f"exitcode=0:log_path={said}/of"}
    status = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
    found = []
    for path in glob.glob(f"{said}/*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            found += SUMMARY.findall(file.read())
    shutil.rmtree(said)
    return status, [tuple(map(int, pair)) for pair in found] or [(0, 0)]


def check_real(tap, folder):
    for argv in PROGRAMS:
        if argv[0] in CRASHED or not shutil.which(argv[0]):
            tap.skip(argv[0], "LeakSanitizer crashes in it, or it is not installed")
            continue
        definite, indirect, _ = lost_in(argv, folder)
        tap.equal((0, [tuple(map(sum, zip(definite, indirect)))]), by_preload(argv, folder), f"{argv[0]}: lost bytes and blocks")


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="lsan-")
    plain, sanitized = build(folder, "planted"), build(folder, "sanitized", "-fsanitize=leak")
    for thread in ([], ["thread"]) if sanitized else ():
        theirs, ours = by_lsan(sanitized, thread), by_us(plain, thread, folder)
        tap.equal([name for name, _ in theirs], [name for name, _ in ours], f"the same blocks {''.join(thread)}")
        differ = {(a[0], a[1]) for a, b in zip(theirs, ours) if a != b}
        tap.equal({name for name, there in differ if there}, LOST_THERE, "lost for LeakSanitizer only")
        tap.ok({name for name, there in differ if not there} <= LOST_HERE, "lost here only", [differ])
    if not sanitized:
        tap.skip("LeakSanitizer", "not installed")
    else:
        check_real(tap, folder)
    shutil.rmtree(folder)
    tap.done()


main()
