#!/usr/bin/env python3
"""Folders as traces, and `valtrace ls`. What a listing says of a process is compared with what the
independent reader finds in its trace; what a folder gives, with its traces named one by one."""
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
sys.path.insert(0, "tests/oracle")
import vtr  # noqa: E402
from tap import COUNT, ok  # noqa: E402

VALTRACE = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "valtrace"))
HANG_S = 120
SCRIPT = "/bin/ls /; (/bin/true; exec /bin/date >/dev/null); exec /bin/sh -c '/bin/cat /dev/null; exit 3'"


def run(*args):
    return subprocess.run([VALTRACE, *args], capture_output=True, text=True, check=False)


def facts(path):
    trace = vtr.Trace(path)
    model = vtr.Model(trace)
    return {"pid": trace.pid, "parent_pid": trace.ppid, "program": trace.exe, "name": os.path.basename(trace.started or trace.exe), "command": trace.command,
            "events": model.event_count,
            "live_blocks": len(model.live), "live_bytes": sum(b[0] for b in model.live.values())}


def check_listing(folder):
    done = run("ls", "--json", folder)
    rows = json.loads(done.stdout)["traces"]
    ok(done.returncode == 0 and sorted(r["path"] for r in rows) == sorted(glob.glob(f"{folder}/*.vtr")), "every trace, once", done)
    for row in rows:
        want = facts(row["path"])
        got = {key: row[key] for key in want}
        ok(got == want, f"{row['path']}: what its trace says", got, want)
        known = row["lost_bytes"] is not None
        ok(known or row["live_blocks"], f"{row['path']}: lost is a number, or null with live blocks", row)
    by_path = {r["path"]: r for r in rows}
    top = [r for r in rows if r["depth"] == 0]
    ok(len({r["pid"] for r in top}) == 1 and len(top) == 2 and all(r["parent_path"] is None for r in top)
       and [r["ended"] for r in top] == ["exec", "exit"], "at the top: both images of the shell", top)
    below = [r for r in rows if r["depth"]]
    ok(all(by_path[r["parent_path"]]["pid"] == r["parent_pid"] and by_path[r["parent_path"]]["depth"] == r["depth"] - 1
           for r in below), "every other trace is below its parent", below)
    names = {os.path.basename(r["program"]): r for r in rows}
    ok(names["true"]["depth"] == 2 and names["date"]["depth"] == 1 and names["cat"]["parent_path"] == top[1]["path"],
       "true is the subshell's child, date its second image, cat the second shell's", names)
    text = run("ls", folder).stdout.splitlines()
    ok([line.split()[0] for line in text[1:]] == [r["name"] for r in rows], "text: the same order", text)
    ok([len(line) - len(line.lstrip()) for line in text[1:]] == [2 * r["depth"] for r in rows], "text: indented by depth", text)
    ok([r["path"] for r in json.loads(run("ls", "--json", *sorted(glob.glob(f"{folder}/*.vtr"))).stdout)["traces"]] ==
       [r["path"] for r in rows], "the same when the traces are named")
    here = subprocess.run([VALTRACE, "ls"], cwd=folder, capture_output=True, text=True, check=False)
    ok(here.stdout.splitlines() == text, "without a folder: the current one", here)
    return [r["path"] for r in sorted(rows, key=lambda r: r["start_unix_ns"])]


def orphan(folder):
    """A run in which a process outlives its parent and then executes cat: its status, and the rows of it before and after."""
    script = 'v=$(/bin/sh -c "(while [ -e /proc/\\$\\$/exe ]; do :; done; exec /bin/cat /dev/null) & :"); /bin/true'
    made = run("run", "-q", "-d", folder, "--", "/bin/sh", "-c", script)
    cat, rows = [], []
    while not (cat and cat[0]["ended"] == "exit"):  # it may outlive the program, and is served on then
        rows = json.loads(run("ls", "--json", folder).stdout)["traces"]
        cat = [r for r in rows if r["program"].endswith("/cat")]
    return made.returncode, [r for r in rows if r["pid"] == cat[0]["pid"] and r["ended"] == "exec"], cat


def check_orphan(folder):
    """What a process executes after its parent has ended has another parent by number, but it is the same process. One
    whose parent ended before it began to be recorded has no other to tell of: then once more."""
    for i in range(20):
        status, before, cat = orphan(f"{folder}/{i}")
        if before and before[0]["parent_path"]:
            break
    ok(status == 0 and len(cat) == len(before) == 1 and cat[0]["parent_pid"] != before[0]["parent_pid"]
       and cat[0]["parent_path"] == before[0]["parent_path"] is not None, "an orphan stays where it was", before, cat)


def check_readers(folder, paths):
    for command in (["report"], ["report", "leaks", "--json"], ["flame"], ["export", "--format", "csv"], ["check"], ["check", "--json"],
                    ["check-budget", "--max-live", "1", "--json"], ["html", "--json"]):
        if command[0] != "html":
            one, many = run(*command, f"{folder}/"), run(*command, *paths)
            ok(one.stdout and (one.stdout, one.returncode) == (many.stdout, many.returncode),
               f"{' '.join(command)}: a folder is its traces in order of start", one, many)
        else:
            ok(len(json.loads(run(*command, folder).stdout)["sides"][0]["traces"]) == len(paths), "html: all traces of the folder")
    done = run("diff", "--json", folder, folder)
    total = json.loads(done.stdout)["totals"]
    ok(done.returncode == 0 and all(total[key.replace("_before", "_after")] == value for key, value in total.items()
                                    if key.endswith("_before")), "diff: a folder on either side", done.stderr, total)
    whole = sum(json.loads(run("report", "--json", p).stdout)["totals"]["allocations"] for p in paths)
    report = json.loads(run("report", "--json", folder).stdout)
    ok(report["totals"]["allocations"] == whole, "the sum over its traces", report["totals"], whole)
    ended = [json.loads(run("report", "--json", p).stdout)["completeness"]["ended"] for p in paths]
    said = re.search(r"ended: (.*)", run("report", folder).stdout).group(1)
    ok([t["ended"] for t in report["traces"]] == ended and sum(int(n) for n in re.findall(r"(?:^|, )(\d+) ", said)) == len(paths) and
       f"{ended.count('exit')} by itself" in said, "how each process ended", said, ended)
    samples = json.loads(run("report", "timeline", "--json", folder).stdout)["timeline"]["memory"]
    ok([sum(m["trace"] == t for m in samples) for t in range(len(paths))] ==
       [len(json.loads(run("report", "timeline", "--json", p).stdout)["timeline"]["memory"]) for p in paths], "timeline: the samples of each process")
    lines = run("dump", folder).stdout.splitlines()
    ok([line.split()[1] for line in lines if line.startswith("trace ")] == paths, "dump: one trace after the other, each named")
    counts = [len([1 for line in run("dump", p).stdout.splitlines() if not line.startswith("frame ")]) for p in paths]
    ok(len([1 for line in lines if not line.startswith(("frame ", "trace "))]) == sum(counts), "dump: all events", counts)
    ok(len([1 for line in run("dump", "--limit", "3", folder).stdout.splitlines() if " stack" in line]) == 3, "dump: the limit is for all")
    kinds = [json.loads(line)["kind"] for line in run("dump", "--json", folder).stdout.splitlines()]
    ok(kinds.count("trace") == len(paths), "dump --json: an object for each trace")


def check_errors(folder):
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    for command in (["report"], ["dump"], ["check"], ["ls"], ["flame"], ["block", "0x10"], ["check-budget", "--max-live", "1"]):
        done = run(*command, empty)
        ok(done.returncode == 3 and done.stderr.count("\n") == 1 and "no trace in this folder" in done.stderr,
           f"{command[0]}: a folder without traces is one line", done)
    with open(f"{empty}/bad.vtr", "w", encoding="utf-8") as file:
        file.write("no trace")
    for command in (["report"], ["ls"]):
        done = run(*command, folder if command == ["ls"] else empty, *([empty] if command == ["ls"] else []))
        ok(done.returncode == 3 and done.stderr.count("\n") == 1 and "bad.vtr" in done.stderr, f"{command[0]}: the bad file is named", done)
    ok("date" in run("ls", folder, empty).stdout, "ls: the others are listed")
    done = run("ls", "--from", "1", folder)
    ok(done.returncode == 2 and done.stderr.count("\n") == 1, "ls: no filters", done)


def main():
    signal.alarm(HANG_S)
    with tempfile.TemporaryDirectory() as folder:
        made = run("run", "-q", "-d", f"{folder}/d", "--", "/bin/sh", "-c", SCRIPT)
        ok(made.returncode == 3, "recorded", made)
        paths = check_listing(f"{folder}/d")
        check_readers(f"{folder}/d", paths)
        check_errors(f"{folder}/d")
        check_orphan(f"{folder}/o")
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
