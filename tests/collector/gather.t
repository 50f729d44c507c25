#!/usr/bin/env python3
"""Where `run` puts traces when it is not told: a file for one process, a folder for several; a pattern of the user's
is never made one. --children and --min-events: which processes have a trace, and what is said of the others."""
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
sys.path.insert(0, "tests/oracle")
import vtr  # noqa: E402
from tap import COUNT, ok  # noqa: E402

VALTRACE = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "valtrace"))
SEVERAL = "/bin/ls /; /bin/cat /dev/null; v=1; /bin/true; echo $v"


def run(folder, *args):
    return subprocess.run([VALTRACE, "run", *args], cwd=folder, capture_output=True, text=True, check=False)


def files(folder):
    return sorted(os.path.relpath(p, folder) for p in glob.glob(f"{folder}/**", recursive=True) if os.path.isfile(p))


def programs(folder):
    """{program: events} of all traces below a folder, by the independent reader; all of them whole."""
    found = {}
    for path in glob.glob(f"{folder}/**/*.vtr", recursive=True):
        trace = vtr.Trace(path)
        assert not trace.errors and trace.torn is None and trace.ended, path
        found[os.path.basename(trace.exe)] = vtr.Model(trace).event_count
    return found


def fresh(top):
    return tempfile.mkdtemp(dir=top)


def check_one(top):
    folder = fresh(top)
    done = run(folder, "--", "/bin/ls", "/dev/null")
    ok([re.sub(r"\d+", "N", f) for f in files(folder)] == ["valtrace.ls.N.vtr"] and files(folder)[0] in done.stderr, "one process: a file", files(folder), done)
    folder = fresh(top)
    run(folder, "--", "/usr/bin/env", "A=1", "/bin/true")
    ok([re.sub(r"\d+", "N", f) for f in files(folder)] == ["valtrace.env.N.vtr", "valtrace.true.N.vtr"], "images of one process: files", files(folder))


def check_several(top):
    folder, other = fresh(top), fresh(top)
    done = run(folder, "--", "/bin/sh", "-c", SEVERAL)
    found = files(folder)
    name = found[0].split("/")[0] if found else ""
    shell = "sh"
    pid = name.split(".")[-1]
    ok(name == f"valtrace.{shell}.{pid}" and len(found) == 4 and all(re.fullmatch(rf"{name}/\w+\.\d+\.vtr", f) for f in found),
       "several processes: a folder named after the first, nothing else", found)
    ok(f"into {folder}/{name}," in done.stderr and done.stderr.rstrip().endswith(f"{folder}/{name}/{shell}.{pid}.vtr"), "the note names both", done.stderr)
    run(other, "-d", "d", "--", "/bin/sh", "-c", SEVERAL)
    ok(programs(folder) == programs(other), "as many events as with -d, before and after the folder was made", programs(folder), programs(other))
    folder = fresh(top)
    run(folder, "--", "/usr/bin/env", "A=1", "/bin/sh", "-c", SEVERAL)
    found = files(folder)
    ok(len(found) == 5 and all(f.startswith(f"valtrace.{shell}.") for f in found) and any("/env." in f for f in found),
       "what the first process was before is moved, too", found)
    folder = fresh(top)
    done = run(folder, "--report", "--", "/bin/sh", "-c", SEVERAL)
    ok(done.returncode == 0 and "\nsh  pid" in done.stdout, "--report finds the trace", done)
    folder = os.path.join(fresh(top), "100%p %n")
    os.mkdir(folder)
    run(folder, "--", "/bin/sh", "-c", SEVERAL)
    ok(len(files(folder)) == 4 and len({f.split("/")[0] for f in files(folder)}) == 1, "percent signs in the folder's name", files(folder))


def check_taken(top):
    """A folder of that name that is there already belongs to another run."""
    folder = fresh(top)
    script = ("import glob, os, time\n"
              "while not glob.glob(f'valtrace.*.{os.getpid()}.vtr'): time.sleep(0.01)\n"
              "old = glob.glob(f'valtrace.*.{os.getpid()}.vtr')[0][:-4]\n"
              "os.mkdir(old)\n"
              "open(old + '/old.vtr', 'w').close()\n"
              "os.system('/bin/ls / >/dev/null')\n")
    run(folder, "--", "/usr/bin/python3", "-c", script)
    found = files(folder)
    taken = [f for f in found if f.endswith("old.vtr")]
    ok(len(taken) == 1, "a folder was there", found)
    old = taken[0].split("/")[0] if taken else ""
    mine = {f.split("/")[0] for f in found} - {old}
    ok([f for f in found if f.startswith(f"{old}/")] == taken and mine == {f"{old}.2"}, "traces of two runs are not mixed", found)


def check_pattern(top):
    folder = fresh(top)
    run(folder, "-o", "valtrace.%n.%p.vtr", "--", "/bin/sh", "-c", SEVERAL)
    ok(len(files(folder)) == 4 and not any("/" in f for f in files(folder)), "-o: a pattern is what it says", files(folder))


def check_children(top):
    folder = fresh(top)
    done = run(folder, "--children", "l*", "--", "/bin/sh", "-c", SEVERAL)
    shell = os.path.basename(os.path.realpath("/bin/sh"))
    ok(set(programs(folder)) == {shell, "ls"} and "as --children says: 2 programs" in done.stderr, "--children: by name; the rest is counted", programs(folder), done.stderr)
    folder = fresh(top)
    done = run(folder, "--children", "no-such", "--", "/bin/sh", "-c", SEVERAL)
    ok([f.count("/") for f in files(folder)] == [0], "--children: a process without a trace makes no folder", files(folder))
    folder = fresh(top)
    run(folder, "--children", "cat", "-d", "d", "--", "/bin/sh", "-c", "(exec /usr/bin/env /bin/cat /dev/null); :")
    ok(set(programs(folder)) == {shell, "cat"}, "--children: exec is followed to a name that matches", programs(folder))
    for args in (["--children", "x", "--no-children"], ["--min-events", "few"], ["--min-events", "-1"]):
        done = run(folder, *args, "--", "true")
        ok(done.returncode == 2 and done.stderr.count("\n") == 1, f"{' '.join(args)}: refused", done)


def check_min_events(top):
    whole, folder = fresh(top), fresh(top)
    run(whole, "-d", "d", "--", "/bin/sh", "-c", SEVERAL)
    counts = programs(whole)
    least = counts["ls"]
    done = run(folder, "--min-events", str(least), "--", "/bin/sh", "-c", SEVERAL)
    shell = os.path.basename(os.path.realpath("/bin/sh"))
    want = {p for p, n in counts.items() if n >= least or p == shell}
    ok(set(programs(folder)) == want and len(want) < len(counts), "--min-events: smaller ones are dropped, not the program's own", programs(folder), counts)
    ok(f"fewer events than --min-events: {len(counts) - len(want)} trace" in done.stderr, "--min-events: and counted", done.stderr)


def main():
    with tempfile.TemporaryDirectory() as top:
        top = os.path.realpath(top)
        for check in (check_one, check_several, check_taken, check_pattern, check_children, check_min_events):
            check(top)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
