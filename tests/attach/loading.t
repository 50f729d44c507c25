#!/usr/bin/python3
"""Attached to while the loader is at work: libraries come and go whose constructors take a lock that others hold around malloc,
threads and processes are made, the loader's list is read. Nothing hangs. cycles.t does it two hundred times. Then, step by step:
a thread that allocates has a lock of the loader's and must not be asked for more."""
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
sys.path.insert(0, "tests/attach")
import attaching  # noqa: E402
from attaching import Attach  # noqa: E402
from valtest import PROGRAMS, Tap, VALTRACE, program  # noqa: E402

CYCLES = 3


def start(name, library):
    return subprocess.Popen(program(name, os.path.join(PROGRAMS, library)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def go_on(process, order=b"x"):
    """All its threads have."""
    process.stdin.write(order)
    return process.stdout.read(1) == order


def check_iterating(tap, folder):
    process = start("iterating", "libbump.so")
    go_on(process)
    attach = Attach(process.pid, os.path.join(folder, "i.vtr"))
    placed = attach.until("stood still") and go_on(process)
    begun = placed and go_on(process, b"l") and attach.until("is being recorded") and go_on(process)
    process.stdin.close()
    tap.equal((placed, begun, process.wait(), attach.wait()), (True, True, 0, 0),
              "below dl_iterate_phdr nothing is loaded, and behind it all is")


def check_taken(tap, folder):
    """Somebody takes the room that the plan had for the copies before it is used: another plan is made."""
    process = start("loading", "libloading.so")
    attaching.VALTRACE = program("valtrace_taken")[0]
    attach = Attach(process.pid, os.path.join(folder, "t.vtr"), "--duration", "20ms")
    status = attach.wait()
    attaching.VALTRACE = VALTRACE
    process.stdin.close()
    process.wait()
    trace = attach.trace() if not status else None
    tap.ok(trace and trace.complete, "room that was taken meanwhile is looked for anew", attach.said)


def main():
    tap = Tap()
    process = start("loading", "libloading.so")
    go_on(process)
    with tempfile.TemporaryDirectory(prefix="valtest-loading-") as folder:
        for i in range(CYCLES):
            attach = Attach(process.pid, os.path.join(folder, "l.vtr"), "--no-children")
            begun = attach.until("is being recorded") and go_on(process)
            attach.process.send_signal(signal.SIGINT)
            status = attach.wait()
            tap.ok(begun and not status and attach.trace().complete and go_on(process),
                   f"cycle {i + 1}: recorded, and all its threads go on", [begun, status, attach.said])
        check_taken(tap, folder)
        check_iterating(tap, folder)
    process.stdin.close()
    tap.equal(process.wait(), 0, "it ends as it would")
    tap.done()


if __name__ == "__main__":
    main()
