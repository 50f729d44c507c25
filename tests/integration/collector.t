#!/usr/bin/python3
"""`valtrace run` as a neighbour: a stopped or killed collector never wedges the program, signals and
statuses pass through, names and refusals are as documented."""
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, SHIM, VALTRACE, Run, Tap, adopt_orphans, program, vtr  # noqa: E402

SLEEPS = 5  # times that it wakes and sleeps again, at least: one that spins does not


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


def collector_of(run):
    """The process that `run` has forked before the program."""
    with open(f"/proc/{run}/task/{run}/children", encoding="ascii") as file:
        return int(file.read().split()[0])


def storm_while(signo, back=None, whom=collector_of, rounds=12000):
    """Runs the eight-thread storm, of as many rounds for each, after the collector, or whom(pid of run), got a signal."""
    reader, writer = os.pipe()
    seen = {}

    def live(run):
        seen["ready"] = started(run)
        pid = whom(run.process.pid)
        os.kill(pid, signo)
        wait_for(lambda: state(pid) in "TZ")
        os.write(writer, b"\n")
        os.close(writer)
        seen["finished"] = finished(run)
        if back:
            os.kill(pid, back)
    storm = " ".join(program("threads", "storm", rounds))
    run = Run(["sh", "-c", f"echo ready; read x; exec {storm}"], "run", stdin=reader, live=live)
    os.close(reader)
    return run, seen


def check_stopped(tap):
    run, seen = storm_while(signal.SIGSTOP, signal.SIGCONT)
    tap.ok(seen.get("finished") and run.status == 0, "stopped collector: the program ends", [seen, run.status])
    trace = vtr.Trace(run.trace_path)
    stopped = [p[2] for p in trace.process if p[1] == "stopped"]
    lost = trace.lost + trace.counters.get("lost", 0)
    whole = vtr.Model(trace).event_count
    tap.ok(stopped or lost or whole > 240000, "stopped collector: recording stopped with a mark, or is whole",
           [trace.process, trace.counters, whole])
    run.remove()


def check_stopped_exec(tap):
    """The program has closed what it inherited, so the next one asks the collector for the ring: nobody answers."""
    def live(run):
        started(run)
        pid = collector_of(run.process.pid)
        os.kill(pid, signal.SIGSTOP)
        os.write(writer, b"\n")
        seen.append(wait_for(lambda: b"hello" in open(run.out, "rb").read()))
        os.kill(pid, signal.SIGCONT)
    seen = []
    reader, writer = os.pipe()
    code = "import os; print('ready', flush=True); os.read(0, 1); os.closerange(3, 70000); os.execv(%r, %r)"
    hello = program("hello", 100)
    run = Run([sys.executable, "-c", code % (hello[0], hello)], "run", stdin=reader, live=live)
    os.close(reader)
    os.close(writer)
    counts = [vtr.Model(t).event_count for t in run.traces() if t.exe.endswith("/hello")]
    tap.ok(seen == [True] and run.status == 0 and len(counts) == 1 and counts[0] >= 100,
           "stopped collector: a program that asks for the ring goes on, into its own file", [seen, run.status, counts])
    run.remove()


def check_killed(tap):
    run, seen = storm_while(signal.SIGKILL)
    tap.ok(seen.get("finished") and run.status == 0, "killed collector: the program ends", [seen, run.status])
    try:
        for path in run.trace_paths():
            vtr.Model(vtr.Trace(path))
        tap.ok(True, "killed collector: what was written can be read")
    except vtr.BadTrace as error:
        tap.ok(False, "killed collector: what was written can be read", [error])
    run.remove()


def check_run_killed(tap):
    """The collector, now a child of ours, serves the program to its end."""
    run, seen = storm_while(signal.SIGKILL, whom=lambda run: run, rounds=2000)
    traces = run.traces()
    trace = traces[-1]  # of the shell's process, what it became
    lost = trace.lost + trace.counters.get("lost", 0)
    events = vtr.Model(trace).event_count
    ends = [p[1] for image in traces for p in image.process]
    tap.ok(seen.get("finished") and not run.hung and trace.ended and not lost and events > 40000 and "killed" not in ends,
           "run is killed: the program ends, every event of it is recorded", [seen, run.hung, ends, lost, events])
    run.remove()


def check_run_stopped(tap):
    """The program is over, `run` has not seen it: the collector waits, it does not spin."""
    def live(run):
        started(run)
        pid = collector_of(run.process.pid)
        os.kill(run.process.pid, signal.SIGSTOP)
        os.write(writer, b"\n")
        wait_for(lambda: state(pid) == "S")  # it has served what there was
        slept = sleeps(pid)
        seen.append(wait_for(lambda: sleeps(pid) >= slept + SLEEPS))
        os.kill(run.process.pid, signal.SIGCONT)
    seen = []
    reader, writer = os.pipe()
    run = Run(["sh", "-c", "echo ready; read x"], "run", stdin=reader, live=live)
    os.close(reader)
    os.close(writer)
    tap.ok((run.status, seen) == (0, [True]), "run is stopped: the collector sleeps", [run.status, seen])
    run.remove()


def sleeps(pid):
    """How often it went to sleep by itself."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(re.search(r"^voluntary_ctxt_switches:\s(\d+)", file.read(), re.MULTILINE).group(1))


def state(pid):
    """R: runs, S: sleeps, Z: has ended, or is not there any more"""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


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
    with open(path, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
    got = valtrace("run", "-o", path, "env", "A=1", *program("hello", 3))
    trace = vtr.Trace(path)
    tap.ok(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "existing file replaced, mode 0600")
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


def check_file_limit(tap, folder):
    """A limit on the size of files is an error where `run` and the collector meet it; the program keeps its signal."""
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and what is ignored is inherited
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    trace = os.path.join(folder, "limited.vtr")
    got = valtrace("run", "-q", "-o", trace, "--", *program("threads", "storm", 12000), preexec_fn=limited)
    tap.ok(got.returncode == 0 and b"storm: done" in got.stdout and b"File too large" in got.stderr,
           "limit on file size: the program runs, the error is said", [got.returncode, got.stderr])
    big = os.path.join(folder, "big")
    with open(big, "wb") as file:
        got = subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", "head", "-c", "100000", "/dev/zero"], stdout=file,
                             stderr=subprocess.DEVNULL, preexec_fn=limited, check=False)
    tap.equal(got.returncode, 128 + signal.SIGXFSZ, "limit on file size: the program's own signal is as it was")
    if os.getuid() == 0 and shutil.which("setpriv"):  # else run lifts the limit for its shared memory
        for mib, wanted in ((3, (0, True)), (1, (125, False))):
            script = f"ulimit -f {mib * 1024}; exec \"$@\""
            got = subprocess.run(["setpriv", "--bounding-set=-sys_resource", "bash", "-c", script, "bash", VALTRACE, "run", "-q",
                                  "-o", trace, "--", *program("threads", "storm", 2000)], capture_output=True, check=False)
            whole = not got.returncode and valtrace("check", trace).returncode == 0
            tap.ok((got.returncode, whole) == wanted and got.stderr.count(b"\n") == (got.returncode == 125),
                   f"hard limit of {mib} MiB on file size: {'recorded' if whole else 'one line, and nothing is started'}", [got])
    else:
        tap.skip("hard limit on file size", "needs root and setpriv")
    env = dict(os.environ, LD_PRELOAD=os.path.abspath(SHIM), VALTRACE_OUTPUT=os.path.join(folder, "bare.vtr"))
    got = subprocess.run(program("hello"), env=env, preexec_fn=limited, capture_output=True, check=False)
    tap.ok(got.returncode == 0 and b"size of files" in got.stderr and got.stderr.count(b"\n") == 1,
           "limit on file size: without a collector the program runs, and hears why it is not recorded", [got])


def main():
    adopt_orphans()
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-collector-")
    check_refusals(tap, folder)
    check_names(tap, folder)
    check_said(tap, folder)
    check_signals(tap)
    check_file_limit(tap, folder)
    for check in (check_stopped, check_stopped_exec, check_killed, check_run_killed, check_run_stopped):
        check(tap)
    subprocess.run(["rm", "-rf", folder], check=True)
    tap.done()


main()
