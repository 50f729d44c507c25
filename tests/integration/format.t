#!/usr/bin/python3
"""pack, import, dump and check from the command line: nothing is lost on the way, every documented failure
is one line and one exit status, and memory does not grow with the length of a trace."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import PROGRAMS, SHIM, VALTRACE, Run, Tap, program, vtr  # noqa: E402

PLANTED = re.compile(r"PLANTED leak (\w+) (\d+) (\d+)")


def valtrace(*args, **kwargs):
    return subprocess.run([VALTRACE, *args], capture_output=True, check=False, **kwargs)


def events_of(path):
    """Each thread's events without times, stacks as addresses: ids differ between traces."""
    pcs, threads = {}, {}
    for line in valtrace("dump", "--json", path).stdout.splitlines():
        event = json.loads(line)
        if event["kind"] == "stack":
            pcs[event["id"]] = event["pc"]
            continue
        event["stack"] = [pcs[i] for i in event["stack"]]
        event.pop("t_ns")
        threads.setdefault(event.pop("thread"), []).append(event)
    return threads


def check_pack(tap, folder):
    run = Run(program("planted", os.path.join(PROGRAMS, "libplanted.so")), "bare")
    raw = run.main_trace().path
    packed, again = (os.path.join(folder, n) for n in ("packed.vtr", "again.vtr"))
    done = valtrace("pack", raw, "-o", packed)
    tap.equal((done.returncode, done.stderr), (0, b""), "pack succeeds")
    tap.ok(events_of(raw) and events_of(raw) == events_of(packed), "a packed trace has the same events")
    tap.ok(os.path.getsize(packed) * 4 < os.path.getsize(raw), "and is smaller",
           [os.path.getsize(raw), os.path.getsize(packed)])
    names = {f[0] for frames in vtr.Trace(packed).symbols.values() for f in frames}
    tap.ok("plant_simple" in names, "its symbols are embedded", sorted(names)[:5])
    check = json.loads(valtrace("check", "--json", packed).stdout)[0]
    tap.ok(check["intact"] and check["complete"] and not check["lost_events"], "check finds it intact", [check])
    tap.equal(valtrace("pack", packed, "-o", again).returncode, 0, "a packed trace can be packed")
    tap.equal(events_of(again), events_of(packed), "with the same events")
    tap.equal(valtrace("pack", raw).returncode, 0, "pack without -o")
    tap.equal(events_of(raw), events_of(packed), "replaces the trace")
    run.remove()
    return packed


def check_import(tap, folder):
    log, trace = (os.path.join(folder, n) for n in ("log", "imported.vtr"))
    with open(log, "wb") as file:
        env = dict(os.environ, LD_PRELOAD=SHIM, VALTRACE_SINK=f"text:{file.fileno()}")
        subprocess.run(program("planted", os.path.join(PROGRAMS, "libplanted.so")), env=env, check=True,
                       pass_fds=[file.fileno()], stdout=subprocess.DEVNULL)
    done = valtrace("import", log, "-o", trace)
    tap.equal((done.returncode, done.stderr), (0, b""), "import succeeds")
    with open(log, encoding="utf-8") as file:
        text = file.read()
    heads = {kind: text.count(f"+++ {kind}:") for kind in ("ALLOC", "FREE")}
    (events,) = events_of(trace).values()
    tap.equal([sum(e["kind"] == kind for e in events) for kind in ("alloc", "free")],
              [heads["ALLOC"], heads["FREE"]], "every record is an event")
    with open("tests/programs/planted.c", encoding="utf-8") as file:
        leaks = {name: (int(n), int(sz)) for name, n, sz in PLANTED.findall(file.read())}
    leaks["plant_failed_realloc"] = (1, 408)  # the log has no realloc: the block that stays has its usable size
    report = json.loads(valtrace("report", "leaks", "--json", "--limit", "100000", trace).stdout)
    found = {}
    for site in report["sites"]:
        name = next((f["function"] for f in site["stack"] if (f["function"] or "").startswith("plant_")), None)
        if name and site["leaked_blocks"]:
            blocks, sz = found.get(name, (0, 0))
            found[name] = (blocks + site["leaked_blocks"], sz + site["leaked_bytes"])
    tap.equal(found, leaks, "the planted leaks are found by way of the log")
    with open(log, "rb+") as file:
        file.truncate(os.path.getsize(log) - 20)
    done = valtrace("import", log, "-o", trace)
    tap.ok(done.returncode == 0 and done.stderr.count(b"\n") == 1 and b"1 record is cut" in done.stderr,
           "a cut record is left out and said", [done.stderr])


def check_torn(tap, folder, packed):
    torn = os.path.join(folder, "torn.vtr")
    with open(packed, "rb") as file:
        data = file.read()
    with open(torn, "wb") as file:
        file.write(data[:-8])  # up to 7 bytes are padding, which nobody misses
    dump, check = valtrace("dump", torn), valtrace("check", torn)
    tap.ok(dump.returncode == 0 and dump.stderr.count(b"\n") == 1 and b"torn tail at byte" in dump.stderr,
           "dump of a torn trace says where", [dump.returncode, dump.stderr])
    tap.ok(check.returncode == 3 and b"torn tail" in check.stdout, "check of a torn trace fails", [check.stdout])


def check_failures(tap, folder, packed):
    text = os.path.join(folder, "text")
    with open(text, "w", encoding="utf-8") as file:
        file.write("not a trace\n")
    cases = [(["dump", "/no/such"], 3, "No such file"), (["dump", text], 3, "not a valtrace trace"),
             (["dump", tempfile.mkdtemp(dir=folder)], 3, "no trace in this folder"), (["check", "/dev/null"], 3, "not a regular file"),
             (["check"], 2, "no trace given"), (["dump"], 2, "exactly one"), (["pack"], 2, "exactly one"),
             (["pack", packed, "-o", "/proc/x.vtr"], 4, "(what|No such file)"),
             (["pack", text, "-o", os.path.join(folder, "o")], 3, "not a valtrace trace"),
             (["import", text, "-o", os.path.join(folder, "o")], 3, "has no record"),
             (["import", "/no/such", "-o", os.path.join(folder, "o")], 3, "No such file"),
             (["import", text], 2, "wanted"), (["nonsense"], 2, "no such command"),
             (["run"], 2, "no program"), (["run", "--", "/no/such/program"], 127, "No such file"),
             (["run", "--", folder], 126, "Permission denied|Is a directory")]
    for argv, status, why in cases:
        done = valtrace(*argv, cwd=folder)
        good = done.returncode == status and done.stderr.count(b"\n") == 1 and re.search(why, done.stderr.decode())
        tap.ok(good, f"valtrace {' '.join(os.path.basename(a) for a in argv)}: status {status}, one line",
               [done.returncode, done.stderr])
    for command in ("run", "dump", "check", "pack", "import"):
        done = valtrace(command, "--help")
        tap.ok(done.returncode == 0 and done.stdout.startswith(b"usage: valtrace " + command.encode()) and not done.stderr,
               f"{command} --help")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([VALTRACE, "dump", packed], stdout=full, stderr=subprocess.PIPE, check=False)
    tap.equal(done.returncode, 4, "dump to a full disk: status 4")


def check_memory(tap, folder):
    peak = []
    for name, rounds in (("short", 5), ("long", 80)):
        path = os.path.join(folder, name + ".vtr")
        code = f"for i in range({rounds}): x = [[str(k)] for k in range(3000)]"
        valtrace("run", "-q", "--no-symbols", "-o", path, "--", "/usr/bin/python3", "-S", "-c", code,
                 env=dict(os.environ, PYTHONMALLOC="malloc"))
        process = subprocess.Popen([VALTRACE, "check", path], stdout=subprocess.DEVNULL)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        events = vtr_events(path)
        peak.append((events, usage.ru_maxrss))
    (few, small), (many, large) = peak
    tap.ok(many > 7 * few, "one trace is many times as long as the other", peak)
    tap.ok(large < small * 1.5 + 4096, "reading it takes no more memory", peak)


def vtr_events(path):
    return json.loads(valtrace("check", "--json", path).stdout)[0]["events"]


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="valtest-") as folder:
        packed = check_pack(tap, folder)
        check_import(tap, folder)
        check_torn(tap, folder, packed)
        check_failures(tap, folder, packed)
        check_memory(tap, folder)
    tap.done()


main()
