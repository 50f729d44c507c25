#!/usr/bin/python3
"""`valtrace run` as a neighbour: a stopped or killed collector never wedges the program, signals and
statuses pass through, names and refusals are as documented."""
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, VALTRACE, Run, Tap, program, vtr  # noqa: E402


def wait_for(condition):
    deadline = time.monotonic() + HANG_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def started(run):
    """The program's shell is waiting for its line."""
    def ready():
        with open(run.out, "rb") as file:
            return b"ready" in file.read()
    return wait_for(ready)


def finished(run):
    def done():
        with open(run.out, "rb") as file:
            return b"storm: done" in file.read()
    return wait_for(done)


def storm_while(signo, back=None):
    """Runs the eight-thread storm after the collector got a signal."""
    reader, writer = os.pipe()
    seen = {}

    def live(run):
        seen["ready"] = started(run)
        os.kill(run.process.pid, signo)
        os.write(writer, b"\n")
        os.close(writer)
        seen["finished"] = finished(run)
        if back:
            os.kill(run.process.pid, back)
    storm = " ".join(program("threads", "storm", 30000))
    run = Run(["sh", "-c", f"echo ready; read x; exec {storm}"], "run", stdin=reader, live=live)
    os.close(reader)
    return run, seen


def check_neighbour(tap):
    run, seen = storm_while(signal.SIGSTOP, signal.SIGCONT)
    tap.ok(seen.get("finished") and run.status == 0, "stopped collector: the program ends", [seen, run.status])
    trace = vtr.Trace(run.trace_path)
    stopped = [p[2] for p in trace.process if p[1] == "stopped"]
    lost = trace.lost + trace.counters.get("lost", 0)
    whole = vtr.Model(trace).event_count
    tap.ok(stopped or lost or whole > 600000, "stopped collector: recording stopped with a mark, or is whole",
           [trace.process, trace.counters, whole])
    run.remove()
    run, seen = storm_while(signal.SIGKILL)
    tap.ok(seen.get("finished"), "killed collector: the program ends", [seen, run.status])
    try:
        for path in run.trace_paths():
            vtr.Model(vtr.Trace(path))
        tap.ok(True, "killed collector: what was written can be read")
    except vtr.BadTrace as error:
        tap.ok(False, "killed collector: what was written can be read", [error])
    run.remove()


def valtrace(*args, **options):
    return subprocess.run([VALTRACE, *args], capture_output=True, stdin=subprocess.DEVNULL, **options)


def one_line(data):
    return data.count(b"\n") == 1 and data.startswith(b"valtrace: ")


def check_refusals(tap, folder):
    plain_file = os.path.join(folder, "file")
    with open(plain_file, "w", encoding="utf-8") as file:
        file.write("x")
    for name, status, args in (("not found", 127, ["run", "no-such-program"]), ("not executable", 126, ["run", plain_file]),
                               ("output impossible", 125, ["run", "-o", plain_file + "/x.vtr", "true"]),
                               ("unknown option", 2, ["run", "--no-such-option", "true"]),
                               ("no program", 2, ["run"]), ("not a trace", 3, ["report", plain_file]),
                               ("no trace", 3, ["report", folder + "/none"]), ("unknown command", 2, ["frobnicate"])):
        got = valtrace(*args, cwd=folder)
        tap.ok(got.returncode == status and got.stderr.startswith(b"valtrace: "), f"{name}: status {status}",
               [got.returncode, got.stderr])
        if status != 2:
            tap.ok(one_line(got.stderr), f"{name}: one line", [got.stderr])


def check_names(tap, folder):
    got = valtrace("run", "-o", folder + "/deep/er/%n-%p.vtr", *program("hello"))
    made = os.listdir(folder + "/deep/er") if os.path.isdir(folder + "/deep/er") else []
    tap.ok(got.returncode == 0 and len(made) == 1 and re.match(r"hello-\d+\.vtr$", made[0]), "pattern and missing folders",
           [got, made])
    path = folder + "/t.vtr"
    os.symlink("/dev/full", path)
    got = valtrace("run", "-o", path, "env", "A=1", *program("hello", 3))
    trace = vtr.Trace(path)
    tap.ok(not os.path.islink(path) and stat.S_IMODE(os.stat(path).st_mode) == 0o600, "existing file replaced, mode 0600")
    tap.ok(trace.exe.endswith("/hello"), "without %p the name is the last image's", [trace.exe])
    tap.ok(trace.ended and ("exit", 0) in [p[1:3] for p in trace.process], "end reason recorded", [trace.process])
    tap.ok(got.stdout == b"hello\n" and one_line(got.stderr), "one line at the end", [got.stderr])
    got = valtrace("run", "-q", "--no-children", "-o", folder + "/n.%p.vtr", "sh", "-c",
                   " ".join(program("hello")) + "; true")
    made = [n for n in os.listdir(folder) if n.startswith("n.")]
    tap.ok(len(made) == 1, "--no-children leaves one trace", [made, got.stderr])


def check_said(tap, folder):
    got = valtrace("run", "-o", folder + "/s.vtr", *program("static"))
    tap.ok(got.returncode == 0 and got.stdout == b"hello\n" and b"static" in got.stderr, "static program: said, runs",
           [got])
    for mode in ("bare", "run"):
        run = Run(program("ownmalloc"), mode)
        found = [t.counters.get("allocator_in_executable") for t in run.traces()]
        tap.ok(run.stdout == b"1\n" and 1 in found, f"allocator inside the executable: said [{mode}]", [run.stdout, found])
        run.remove()


def check_signals(tap):
    def live(run):
        started(run)
        os.kill(run.process.pid, signal.SIGTERM)
    run = Run(["sh", "-c", "trap 'echo got term; exit 9' TERM; echo ready; while :; do sleep 0.05; done"], "run", live=live)
    tap.equal((run.stdout, run.status), (b"ready\ngot term\n", 9), "SIGTERM is passed on, the status comes back")
    run.remove()


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-collector-")
    check_refusals(tap, folder)
    check_names(tap, folder)
    check_said(tap, folder)
    check_signals(tap)
    check_neighbour(tap)
    subprocess.run(["rm", "-rf", folder], check=True)
    tap.done()


main()
