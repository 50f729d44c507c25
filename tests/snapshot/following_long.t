#!/usr/bin/python3
"""The live blocks of a program that writes much are followed while it runs: what is found is what a reading of the finished
trace finds, and nobody who follows stays, whatever ends first."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
sys.path.insert(0, "tests/top")
from watched import Watched  # noqa: E402
from valtest import HANG_S, Tap, VALTRACE, children, vtr  # noqa: E402

MANY = "=50000"  # three threads hand blocks to each other: 300,000 events, more than a trace has that is not followed


def comm(pid):
    """Name of a process; "" of one that has ended, whether somebody has waited for it or not."""
    try:
        os.readlink(f"/proc/{pid}/exe")
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def below(pid):
    try:
        return [p for child in children(pid) for p in [child, *below(child)]]
    except OSError:
        return []


def awaited(condition):
    end = time.monotonic() + HANG_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def followers(watched):
    return [pid for pid in below(watched.run.pid) if comm(pid) == "valtrace-follow"]


def ended(pid):
    return awaited(lambda: comm(pid) != "valtrace-follow")


def begin(trace, *options):
    """A program that is followed, and who follows."""
    watched = Watched(trace, "--no-symbols", *options)
    watched.say("100 64")
    watched.say(MANY)
    for _ in range(2):
        watched.ctl("status")  # the collector has seen what there is, and minded its business since
    return watched, followers(watched)


class Verdict(vtr.Trace):
    """Of a trace what was found in the memory, and nothing else: events take long."""
    HANDLERS = {vtr.LEAKS: vtr.Trace.on_leaks}


def verdict(trace):
    """How many blocks live as the finished trace tells; how many were judged, and how many of the live ones."""
    totals = json.loads(subprocess.run([VALTRACE, "report", "summary", "--json", trace], capture_output=True, check=True,
                                       text=True).stdout)["totals"]
    leaks = Verdict(trace).leaks
    return totals["leaked_blocks"], len(leaks.blocks), totals["leaked_blocks"] - totals["unjudged_blocks"]


def same(tap, trace, name):
    why = Verdict(trace).leaks.why
    if why:
        tap.ok(False, f"{name}: there is a verdict", [why])
        return
    live, judged, known = verdict(trace)
    tap.ok(live > 100 and judged == live and known == live, f"{name}: {live} blocks live, {judged} judged, {known} of the live ones")


tap = Tap()
folder = tempfile.mkdtemp(prefix="valtest-")
trace = f"{folder}/t.vtr"

watched, who = begin(trace)
tap.ok(len(who) == 1, "a program that writes much is followed")
watched.say("-50")
watched.say(MANY)
watched.say("70 32")
still = followers(watched)
tap.ok(watched.end() == 0 and still == who, "to its end")
tap.ok(all(ended(pid) for pid in who), "and not beyond")
same(tap, trace, "followed")

watched, who = begin(trace)
watched.ctl("stop")
watched.say("-50")
watched.ctl("start")
watched.say(MANY)
watched.say("70 32")
watched.end()
live, judged, known = verdict(trace)
tap.ok(64 + 70 <= judged < live - 50 and all(ended(pid) for pid in who),
       f"paused in between: {live} live, {judged} judged")

watched, who = begin(trace)
for pid in who:
    os.kill(pid, signal.SIGKILL)
watched.say("-50")
watched.say(MANY)
tap.ok(watched.end() == 0, "who follows is killed: the program ends as it would")
same(tap, trace, "killed")

watched, who = begin(trace)
os.kill(watched.pid, signal.SIGKILL)
tap.ok(watched.run.wait() == 128 + signal.SIGKILL and all(ended(pid) for pid in who), "the program is killed: nobody stays")

watched, who = begin(trace)
os.kill(int(next(pid for pid in children(watched.run.pid) if pid != watched.pid)), signal.SIGKILL)
tap.ok(all(ended(pid) for pid in who), "the collector is killed: nobody stays")
watched.end()

# Each of these ends when somebody has just begun to follow, who is seldom told of more before the end.
ENOUGH = "my @x; push @x, 'x' x 40 for 1 .. 145000;"
for _ in range(8):
    subprocess.run([VALTRACE, "run", "-q", "--no-symbols", "-o", trace, "--", "perl", "-e", ENOUGH], check=True)
    same(tap, trace, "ended with who follows not yet told of anything")

watched, who = begin(trace, "--keep", "1M")
tap.ok(not who, "a flight recorder is not followed")
watched.end()
shutil.rmtree(folder)
tap.done()
