#!/usr/bin/python3
"""Attached to while the loader is at work: libraries come and go whose constructors take a lock that others hold around malloc,
threads and processes are made, the loader's list is read. Nothing hangs. cycles.t does it two hundred times."""
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
sys.path.insert(0, "tests/attach")
from attaching import Attach  # noqa: E402
from valtest import PROGRAMS, Tap, program  # noqa: E402

CYCLES = 3


def go_on(process):
    """All its threads have."""
    process.stdin.write(b"x")
    return process.stdout.read(1) == b"x"


def main():
    tap = Tap()
    process = subprocess.Popen(program("loading", os.path.join(PROGRAMS, "libloading.so")), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               bufsize=0)
    go_on(process)
    with tempfile.TemporaryDirectory(prefix="valtest-loading-") as folder:
        for i in range(CYCLES):
            attach = Attach(process.pid, os.path.join(folder, "l.vtr"), "--no-children")
            begun = attach.until("is being recorded") and go_on(process)
            attach.process.send_signal(signal.SIGINT)
            status = attach.wait()
            tap.ok(begun and not status and attach.trace().complete and go_on(process),
                   f"cycle {i + 1}: recorded, and all its threads go on", [begun, status, attach.said])
    process.stdin.close()
    tap.equal(process.wait(), 0, "it ends as it would")
    tap.done()


if __name__ == "__main__":
    main()
