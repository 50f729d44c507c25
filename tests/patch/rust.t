#!/usr/bin/python3
"""A Rust program whose allocator is linked in: its own counts are the measure; a panic unwinds through it. Long."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import Run, Tap, vtr  # noqa: E402

LIBC = 40  # what libc allocates for threads, and what lives or dies after the counts were read


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-rust-")
    archive = subprocess.run(["gcc", "-print-file-name=libjemalloc.a"], capture_output=True, text=True, check=True).stdout.strip()
    if not shutil.which("rustc"):
        tap.skip("a Rust program", "no rustc")
        tap.done()
    for level in ("0", "3"):
        path = os.path.join(folder, "own")
        subprocess.run(["rustc", "-C", f"opt-level={level}", "-g", "-o", path, "tests/patch/own.rs", "-C", f"link-arg={archive}",
                        "-C", "link-arg=-lpthread", "-C", "link-arg=-lm"], check=True, capture_output=True)
        run = Run([path], "run", cwd=folder)
        words = run.stderr.splitlines()[-1].split() if run.stderr else []
        trace = run.main_trace()
        model = vtr.Model(trace)
        taken, given = (int(w) for w in words[:2])
        tap.ok(run.status == 0 and words[3] == b"true" and trace.complete, f"opt-level {level}: runs, and unwinds a panic",
               [run.stderr, run.status, trace.counters])
        tap.ok(0 <= model.allocations - taken <= LIBC and 0 <= model.frees - given <= LIBC and model.overwritten == 0,
               f"opt-level {level}: its own count", [model.allocations, taken, model.frees, given, model.overwritten])
        run.remove()
    shutil.rmtree(folder)
    tap.done()


if __name__ == "__main__":
    main()
