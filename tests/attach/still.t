#!/usr/bin/python3
"""Snapshots of a process that was attached to: when asked for, when recording ends, when the process does. What a block from
before holds is never lost, nor what a thread has in a register only; what nothing holds is. Nothing of it stays."""
import json
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
sys.path.insert(0, "tests/attach")
from attaching import Attach, valtrace  # noqa: E402
from valtest import Tap, VALTRACE, children, program, vtr  # noqa: E402

ADDED, LOST = 100, 50  # of still.c


class Still:
    """The program, and attach beside it, which records."""

    def __init__(self, path, threads, *options, env=None):
        self.process = subprocess.Popen(program("still", threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=env)
        self.pid = self.process.pid
        self.order("x")  # it has begun
        self.path = path
        self.attach = Attach(self.pid, path, *options)
        self.attach.until("stood still")
        self.order("a")
        self.attach.until("is being recorded")
        self.order("a")

    def order(self, letter):
        self.process.stdin.write(letter.encode())
        return self.process.stdout.read(1)

    def end(self, letter=None):
        """Ends the recording, or by that order the program; exit statuses of both."""
        if letter:
            self.process.stdin.write(letter.encode())
        else:
            self.attach.process.send_signal(signal.SIGINT)
        status = self.attach.wait()
        self.process.stdin.close()
        return status, self.process.wait()


def report(path, *args):
    out = subprocess.run([VALTRACE, "report", *args, "--json", path], capture_output=True, check=True)
    return json.loads(out.stdout)


def lost_sizes(path, *args):
    """Of the lost blocks: how many, and their bytes; null where that is not known."""
    totals = report(path, "leaks", *args)["totals"]
    return totals["lost_blocks"], totals["lost_bytes"]


def check_moments(tap, path):
    still = Still(path, 3)
    still.order("h")
    out = subprocess.run([VALTRACE, "ctl", str(still.pid), "snapshot"], capture_output=True, text=True, check=False)
    tap.ok(out.returncode == 0 and out.stdout == 'snapshot 1: report leaks --at "snapshot 1"\n' and "stood still for" in out.stderr,
           "a snapshot can be asked for", [out])
    tap.equal(children(still.pid), [], "nothing of it stays in the process")
    before = lost_sizes(path, "--at", "snapshot 1")
    still.order("a")
    tap.equal(still.end(), (0, 0), "recording ends, and the program")
    after = lost_sizes(path)
    tap.equal([after[0] - before[0], after[1] - before[1]], [LOST, LOST * 1000], "what was lost since the snapshot is, at the end")
    trace = vtr.Trace(path)
    sizes = {address: block[0] for (_, address), block in vtr.Model(trace).live.items()}
    [(_, leaks)] = trace.leaks_at
    for name, found in (("snapshot", leaks), ("end", trace.leaks)):
        kinds = {}
        for address, (kind, _) in found.blocks.items():
            kinds.setdefault(sizes[address], set()).add(kind)
        tap.equal(kinds, {48: {"reachable"}, 1000: {"definite"}, 5000: {"reachable"}},
                  f"{name}: a list whose head is from before is reachable, and what a register holds; the rest is lost")
    said = [report(path, "leaks", *at)["traces"][0]["verdict"]["moment"] for at in (("--at", "snapshot 1"), ())]
    tap.equal(said, ["request", "detach"], "which moments' memory was looked at")
    text = subprocess.run([VALTRACE, "report", "memory", path], capture_output=True, text=True, check=True).stdout
    tap.ok("snapshot 1" in text and "at the end" in text, "the memory of both moments is accounted for", [text])


def check_ends(tap, path):
    for letter, known in (("e", True), ("_", False)):
        still = Still(path, 0)
        tap.equal(still.end(letter), (0, 0), f"{letter}: ends")
        first = lost_sizes(path)
        # The allocation at which the recorder is loaded is not recorded itself.
        tap.ok(first[0] in (2 * LOST, 2 * LOST - 1) if known else first == (None, None), f"{letter}: what is lost is known, or null", first)
    still = Still(path, 1, "--no-snapshot")
    status, text = valtrace("ctl", still.pid, "snapshot")
    tap.ok(status == 1 and "this recording has none" in text and text.count("\n") == 1, "--no-snapshot: there is none", text)
    still.end()
    tap.equal(lost_sizes(path), (None, None), "nor at the end")
    still = Still(path, 1)
    tap.equal(valtrace("detach", still.pid)[0], 0, "detach from another shell")
    still.attach.wait()
    tap.ok(LOST <= lost_sizes(path)[0] <= 2 * LOST, "has a snapshot, too", lost_sizes(path))
    still.end()
    status, text = valtrace("attach", "--snapshot-timeout", "x", os.getpid())
    tap.ok(status == 2 and text.count("\n") == 1, "a usage error: --snapshot-timeout", text)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="valtest-still-") as folder:
        check_moments(tap, os.path.join(folder, "moments.vtr"))
        check_ends(tap, os.path.join(folder, "ends.vtr"))
    tap.done()


if __name__ == "__main__":
    main()
