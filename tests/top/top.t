#!/usr/bin/python3
"""valtrace top on a screen of tmux: its numbers are those of the report, keys do what they say, and it says what it
cannot do."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/top")
from screen import Screen  # noqa: E402
from shown import of_report, rows, totals  # noqa: E402
from watched import Watched  # noqa: E402
from valtest import Tap, VALTRACE, vtr  # noqa: E402


def check_living(tap, folder):
    path = os.path.join(folder, "living.vtr")
    watched = Watched(path)
    watched.say("1000 100")
    watched.say("~500")
    screen = Screen([VALTRACE, "top", str(watched.pid)])
    seen = screen.wait_for("1,000 blocks", "recording")
    before = int(re.search(r"allocations +([\d,]+)", seen).group(1).replace(",", ""))
    tap.equal(totals(seen)["frees"], 500, "by pid: frees")
    tap.equal(rows(seen).get("grow"), ("97.7 KiB", "+97.7 KiB", 0), "by pid: what a function holds")
    tap.equal(rows(seen).get("churn"), ("0 B", "0 B", 100), "by pid: what is temporary")
    tap.ok(all(len(line) <= 80 for line in seen.split("\n")) and "q quit" in seen.split("\n")[23], "it fits 80 x 24", [seen])
    tap.equal(before, 1500, "by pid: allocations")
    check_keys(tap, watched, screen, folder)
    screen.keys("G")
    screen.wait_for("growth since the start")
    watched.say("-200")
    screen.wait_for("1,300 blocks")
    tap.equal(watched.end(), 0, "the program was not disturbed")
    seen = screen.wait_for("has ended: these numbers are final")
    tap.equal(totals(seen), of_report(path), "after its end the numbers are those of the report")
    screen.keys("q")
    screen.wait_for("status 0")
    screen.close()
    tap.ok("here" in [text for _, _, text in vtr.Trace(path).markers], "the marker is in the trace")
    return path


def check_keys(tap, watched, screen, folder):
    screen.keys("s")
    tap.ok(screen.wait_for("sorted by growth"), "s sorts")
    screen.keys("s", "s")
    seen = screen.wait_for("sorted by temporary")
    lines = [line for line in seen.split("\n") if re.search(r"\d%  \w", line)]
    tap.ok("churn" in lines[0] and "grow" in lines[1], "most temporary ones are first then", lines)
    screen.keys("b")
    tap.equal(list(rows(screen.wait_for("by module"))), ["watched"], "b folds by module")
    screen.keys("b")
    tap.ok(f"thread {watched.pid}" in screen.wait_for("by thread"), "and by thread")
    screen.keys("b")
    tap.ok("watched.c:" in screen.wait_for("by site"), "and not at all: sites have lines")
    screen.keys("b")
    screen.wait_for("by function")
    screen.keys("f")
    screen.type("GRO")
    tap.equal(list(rows(screen.wait_for('only "GRO"', ": 1 row"))), ["grow"], "a filter works while it is typed")
    screen.keys("Escape")
    screen.wait(lambda text: "only" not in text and "2 rows" in text, "no filter")
    screen.keys("g")
    seen = screen.wait_for("growth since now")
    tap.equal(rows(seen)["grow"][1], "0 B", "growth is counted from now on")
    screen.keys("p")
    screen.wait_for("[paused]")
    watched.say("300 1000")
    watched.ctl("status")
    watched.ctl("status")  # now top could have seen it
    screen.keys("s")
    tap.ok("1,000 blocks" in screen.wait_for("sorted by live"), "nothing new is looked at in a pause")
    screen.keys("p")
    seen = screen.wait_for("1,300 blocks")
    tap.equal(rows(seen)["grow"][1], "+293 KiB", "what has grown since")
    screen.keys("m")
    screen.type("here")
    screen.keys("Enter")
    tap.ok(screen.wait_for('marker "here" is set', "growth since here"), "a marker")
    screen.resize(200, 60)
    seen = screen.wait_for("ALLOCATIONS")
    tap.ok(re.search(r"1,300 +1,300 +\S+ +0%  grow", seen), "a wide screen has more columns", [seen])
    screen.resize(80, 24)
    screen.wait(lambda text: "ALLOCATIONS" not in text, "narrow")
    screen.keys("w", "C-h")
    screen.keys(*["BSpace"] * 40)
    screen.type(os.path.join(folder, "rows.txt"))
    screen.keys("Enter")
    screen.wait_for("written to")
    with open(os.path.join(folder, "rows.txt"), encoding="utf-8") as file:
        text = file.read()
    tap.equal((rows(text)["grow"][0], totals(text)["temporary"]), ("391 KiB", 500), "w writes what is shown")
    screen.keys("Home", "Enter")
    tap.ok("main" in screen.wait_for("innermost first"), "the stack of a row")
    screen.keys("h")
    tap.ok(screen.wait_for("Keys", "count growth from now"), "help")
    screen.keys("h")
    screen.wait_for("LIVE")


def check_finished(tap, path):
    want = of_report(path)
    for name, env in (("200 x 60", {"LC_ALL": "C.UTF-8"}), ("vt100 without UTF-8", {"LC_ALL": "C", "TERM": "vt100"}),
                      ("no colours", {"LC_ALL": "C.UTF-8", "NO_COLOR": "1"})):
        screen = Screen([VALTRACE, "top", path], 200, 60, env)
        seen = screen.wait_for("final", "grow")
        tap.equal(totals(seen), want, f"finished trace, {name}: the report's numbers")
        tap.ok("?" not in seen, f"finished trace, {name}: nothing that cannot be shown", [seen])
        tap.equal(seen.isascii(), env["LC_ALL"] == "C", f"finished trace, {name}: characters of the locale only")
        screen.keys("C-c")
        screen.wait_for("status 0")
        screen.close()


def check_refusals(tap, folder):
    broken = os.path.join(folder, "no.vtr")
    with open(broken, "w", encoding="utf-8") as file:
        file.write("no trace\n")
    for name, argv, status, why in (
            ("no terminal", [broken.replace("no.vtr", "living.vtr")], 2, "no terminal"), ("no file", ["/nowhere.vtr"], 3, "No such file"),
            ("no trace", [broken], 3, "valtrace: "), ("not recorded, no terminal", [str(os.getpid())], 2, "no terminal"),
            ("no such process", ["4194305"], 1, "no such process"), ("nothing", [], 2, "needs"), ("two", ["a", "b"], 2, "takes"),
            ("option", ["--fast"], 2, "no such option")):
        out = subprocess.run([VALTRACE, "top", *argv], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        tap.ok(out.returncode == status and why in out.stderr and out.stderr.count("\n") == 1, f"refused: {name}", [out])
    screen = Screen([VALTRACE, "top", os.path.join(folder, "living.vtr")], env={"TERM": "nothing-known"})
    tap.ok(screen.wait_for("status 2", "not known"), "refused: a terminal that is not known")
    screen.close()


tap = Tap()
if not shutil.which("tmux"):
    tap.skip("valtrace top on a screen", "tmux is not installed")
else:
    folder = tempfile.mkdtemp(prefix="valtest-")
    path = check_living(tap, folder)
    check_finished(tap, path)
    check_refusals(tap, folder)
    shutil.rmtree(folder)
tap.done()
