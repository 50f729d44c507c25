#!/usr/bin/python3
"""A trace that is still being written is read by every command, up to what `ctl` was last answered; none calls it broken.
With VALTEST_LONG by every kind of view and of exporter, too."""
import json
import os
import shutil
import subprocess
import sys

sys.path[:0] = ["tests/lib", "tests/steer"]
from steer import Steered, report, valtrace  # noqa: E402
from valtest import VALTRACE, Tap, vtr  # noqa: E402

SIZE = 4321
LONG = os.environ.get("VALTEST_LONG")
VIEWS = "leaks memory growth frees timeline --full".split() if LONG else ["timeline"]
# Of each kind of exporter one: sums, lifetimes, time line, changes, blocks.
FORMATS = "pprof dhat massif firefox sqlite".split() if LONG else ["massif"]


def commands(path, folder):
    """(arguments, exit status, what is said of it)"""
    events = map(json.loads, valtrace("dump", "--json", path).splitlines())
    block = next(event["address"] for event in events if event.get("size") == SIZE)
    still = "still being recorded"
    yield from ((["report", view, path], 0, "so far") for view in VIEWS)
    yield ["report", "--json", path], 0, '"ended": "running"'
    yield ["report", "leaks", "--at", "here", path], 0, "recording"
    yield ["report", folder], 0, "so far"
    yield ["html", path, "-o", f"{folder}/x.html"], 0, ""
    yield ["flame", path], 0, still
    yield from ((["export", "--format", name, "-o", f"{folder}/x.{name}", path], 0, still) for name in FORMATS)
    yield ["diff", path, path], 0, still
    yield ["diff", path, "--at", "0", "here"], 0, still
    yield ["dump", path], 0, still
    yield ["check", path], 3, ": recording"
    yield ["check-budget", "--max-live", "1G", path], 1, still
    yield ["block", hex(block), path], 0, "live"
    yield ["pack", path, "-o", f"{folder}/packed"], 0, still
    yield ["check", f"{folder}/packed"], 3, "copied before its end"
    yield ["pack", path], 2, "cannot be replaced"
    yield ["ls", folder], 0, "running"


def main():
    tap = Tap()
    s = Steered()
    s.tell(f"a 1000 {SIZE}", "f 10", "l 3", "t 1", "w 20")  # a thread goes on, so that the file grows while it is read
    s.ctl("mark", "here")
    for args, status, said in commands(s.path, s.folder):
        out = subprocess.run([VALTRACE, *map(str, args)], capture_output=True, text=True)
        text = out.stdout + out.stderr
        good = out.returncode == status and said in text and "damaged" not in text and "torn tail" not in text
        tap.ok(good, f"{args[0]} {args[1]}".replace(s.folder, ""), [out.returncode, out.stderr, out.stdout[:2000]])
    tap.ok(os.path.getsize(f"{s.folder}/x.html") > 100000, "the page is there")
    tap.equal(len([e for e in vtr.Trace(f"{s.folder}/packed").events() if e.size == SIZE]), 1000, "a packed copy has what was there")
    s.tell("T")
    s.end()
    shutil.rmtree(s.folder)
    s = Steered("--no-snapshot")
    for number, command in enumerate((["mark", "x"], ["stop"], ["start"], ["stop"]), 1):
        s.tell(f"a 100 {SIZE}")
        s.ctl(*command)
        seen = sum(event.size == SIZE for event in vtr.Trace(s.path).events())
        tap.equal(seen, 100 * (number - (number > 2)), f"ctl {command[0]}: all until then is in the file")
    tap.equal(report(s.path)["completeness"]["ended"], "running", "it is still being recorded")
    s.end()
    shutil.rmtree(s.folder)
    tap.done()


main()
