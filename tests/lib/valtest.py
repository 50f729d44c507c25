"""What the integration tests share: TAP output, running a program plain and traced, comparing.

A program is run plain, then once per recording mode together with the counting oracle, which sits
behind the shim. `Case.check` compares standard output, standard error, exit status, and for every
process image the counts in its trace (read by the independent reader) with the oracle's.
"""
import collections
import ctypes
import glob
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.getcwd()
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
SHIM = os.path.join(BUILD, "lib", "libvaltrace.so")
ORACLE = os.path.join(BUILD, "lib", "libcount.so")
VALTRACE = os.path.join(BUILD, "bin", "valtrace")
PROGRAMS = os.path.join(BUILD, "programs")
MODES = tuple(os.environ.get("VALTEST_MODES", "bare,run").split(","))
AROUND = []  # a command that runs what is recorded, and in mode "run" the collector
HANG_S = 60  # a run that takes longer is a hang; no assertion on time below that

sys.path[:0] = [os.path.join(ROOT, "tests", "oracle"), os.path.join(ROOT, "tests", "lib")]
import signals  # noqa: E402,F401
import vtr  # noqa: E402

Counts = collections.namedtuple("Counts", "allocations frees reallocs allocated_bytes")
Image = collections.namedtuple("Image", "pid exe counts")


class Tap:
    """Test Anything Protocol on standard output."""

    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name, diagnostics=()):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        for line in [] if good else diagnostics:
            print("#", str(line).replace("\n", "\n# "), flush=True)
        return good

    def equal(self, got, want, name):
        return self.ok(got == want, name, [f"got  {got!r}", f"want {want!r}"])

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}", flush=True)

    def done(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def program(name, *args):
    return [os.path.join(PROGRAMS, name), *map(str, args)]


def child_in_pause(run, exe):
    """The process of that executable that `run` (a Popen of valtrace) has started, when its first thread waits in pause()."""
    end = time.monotonic() + HANG_S
    while time.monotonic() < end:
        for pid in children(run.pid):
            try:
                with open(f"/proc/{pid}/syscall", encoding="utf-8") as file:
                    if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(exe) and file.read().startswith("34 "):
                        return pid
            except OSError:
                pass
        time.sleep(0.01)
    raise RuntimeError(f"{exe} did not get to pause()")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(n) for n in file.read().split()]


def collector_has_looked(pid):
    """Returns when the collector of that process has done all it does each time, since now: it answers in between."""
    for _ in range(2):
        subprocess.run([VALTRACE, "ctl", str(pid), "status"], check=True, capture_output=True)


def open_to_others(path):
    """May another user execute it? Not below a closed folder, such as root's home."""
    path = os.path.abspath(path)
    while path != "/" and os.stat(path).st_mode & 1:
        path = os.path.dirname(path)
    return path == "/"


def adopt_orphans():
    """Descendants that outlive their parent become ours, so that a run can wait for all of them."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def environment(mode, folder, extra):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("VALTRACE_", "VALTEST_")) and k != "LD_PRELOAD"}
    preload = []
    if mode == "bare":
        env["VALTRACE_OUTPUT"] = os.path.join(folder, "%n.%p.vtr")
        preload.append(SHIM)
    if mode != "plain":
        env["VALTEST_COUNT"] = os.path.join(folder, "counts")
        os.mkdir(env["VALTEST_COUNT"])
        os.chmod(env["VALTEST_COUNT"], 0o777)
        preload.append(ORACLE)
    if mode in ("bare", "run"):
        env["VALTRACE_NO_PYTHON"] = "1"  # the oracle sees calls of malloc only
    env.update({k: v for k, v in (extra or {}).items() if k != "LD_PRELOAD"})
    preload += [lib for lib in [(extra or {}).get("LD_PRELOAD")] if lib]
    if preload:
        env["LD_PRELOAD"] = ":".join(preload)
    return env


class Run:
    """One finished run: status (negative signal numbers), stdout, stderr, traces, oracle images."""

    def __init__(self, argv, mode="plain", env=None, options=(), stdin=None, cwd=None, live=None):
        self.folder = tempfile.mkdtemp(prefix="valtest-")
        os.chmod(self.folder, 0o777)
        self.mode, self.argv = mode, argv
        self.trace_path = os.path.join(self.folder, "t.vtr")
        if mode == "run":
            argv = [VALTRACE, "run", "-q", "-o", self.trace_path, *options, "--", *argv]
        argv = [*AROUND, *argv]
        self.out, self.err = (os.path.join(self.folder, n) for n in ("stdout", "stderr"))
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                argv, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                env=environment(mode, self.folder, env), start_new_session=True)
        self.hung = False
        if live:
            live(self)
        self.wait()

    def wait(self):
        def on_alarm(_signo, _frame):
            self.hung = True
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # what hangs is a collector, which has a group of its own
        before = signal.signal(signal.SIGALRM, on_alarm)
        signal.alarm(HANG_S)
        self.status = self.process.wait()
        while not self.hung:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        if self.mode == "run" and self.status > 128:
            self.status = 128 - self.status
        with open(self.out, "rb") as file:
            self.stdout = file.read()
        with open(self.err, "rb") as file:
            self.stderr = file.read()

    def trace_paths(self):
        return sorted(glob.glob(os.path.join(self.folder, "**", "*.vtr"), recursive=True))

    def traces(self, verify=True):
        """Every trace of the run, in order of process and start."""
        traces = [vtr.Trace(path, verify) for path in self.trace_paths()]
        return sorted(traces, key=lambda t: (t.pid, t.start_unix_ns))

    def main_trace(self):
        """The trace of the program itself: the last image of the first process."""
        pid = self.process.pid
        if self.mode == "run":
            return vtr.Trace(self.trace_path)
        return [t for t in self.traces() if t.pid == pid][-1]

    def images(self):
        """What the oracle saw of the program (not of valtrace itself), in the same order."""
        images = []
        for path in sorted(glob.glob(os.path.join(self.folder, "counts", "*")),
                           key=lambda p: [int(n) for n in os.path.basename(p).split(".")]):
            with open(path, "rb") as file:
                data = file.read()
            _magic, pid, *counts = struct.unpack_from("<6Q", data)
            exe = data[48:].split(b"\0")[0].decode()
            if (counts[0] or counts[1]) and exe != VALTRACE:
                images.append(Image(pid, exe, Counts(*counts)))
        return images

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def trace_problems(trace, model, lost_allowed, unmatched):
    problems = [f"{trace.path}: damaged at {at}" for at in trace.errors]
    if trace.torn is not None:
        problems.append(f"{trace.path}: torn tail at {trace.torn}")
    forked = any(p[1] == "forked" for p in trace.process)  # then it frees blocks of its parent
    if not forked and model.unmatched_frees != unmatched or model.overwritten:
        problems.append(f"{trace.path}: {model.unmatched_frees} frees of unknown blocks, "
                        f"{model.overwritten} blocks allocated twice")
    lost = trace.lost + trace.counters.get("lost", 0) + trace.counters.get("nested_lost", 0)
    if lost and not lost_allowed:
        problems.append(f"{trace.path}: {lost} events lost")
    return problems


def counts_of(model):
    return Counts(model.allocations, model.frees, model.reallocs, model.allocated_bytes)


def count_problems(run, lost_allowed=False, unrecorded=(), unmatched=0, slack=0):
    """Where traces and oracle disagree.

    unrecorded: executables that have no trace; unmatched: frees of unknown blocks that the program
    really makes; slack: calls that may be between record and oracle when threads are killed."""
    problems, by_pid = [], collections.defaultdict(list)
    for trace in run.traces():
        model = vtr.Model(trace)
        if model.event_count:
            by_pid[trace.pid].append((trace, model))
        problems += trace_problems(trace, model, lost_allowed, unmatched)
    for image in run.images():
        if os.path.basename(image.exe) in unrecorded:
            continue
        if not by_pid[image.pid]:
            problems.append(f"no trace for {image.exe} (pid {image.pid}, {image.counts})")
            continue
        trace, model = by_pid[image.pid].pop(0)
        if os.path.basename(trace.exe) != os.path.basename(image.exe):
            problems.append(f"{trace.path} is of {trace.exe}, want {image.exe}")
        if lost_allowed:
            continue
        off = max(abs(a - b) for a, b in zip(counts_of(model)[:3], image.counts))
        if off > slack or not slack and counts_of(model) != image.counts:
            problems.append(f"{image.exe}: trace  {counts_of(model)}")
            problems.append(f"{image.exe}: oracle {image.counts}")
    return problems


class Case:
    """A program to be run plain and traced; options say what may differ."""

    def __init__(self, tap, name, argv, env=None, **options):
        self.tap, self.name, self.argv, self.env = tap, name, argv, env
        self.modes = options.pop("modes", MODES)
        self.stderr = options.pop("stderr", True)
        self.counts = options.pop("counts", True)
        self.count_options = {name: options.pop(name) for name in
                              ("lost_allowed", "unrecorded", "unmatched", "slack") if name in options}
        self.extra = options.pop("extra", None)  # extra(run): a list of problems
        self.run_options = options

    def problems(self, plain, run):
        problems = ["it hangs"] if run.hung else []
        if run.status != plain.status:
            problems.append(f"exit status {run.status}, plain {plain.status}")
        if run.stdout != plain.stdout:
            problems += [f"stdout {run.stdout[-300:]!r}", f"plain  {plain.stdout[-300:]!r}"]
        if self.stderr and run.stderr != plain.stderr:
            problems += [f"stderr {run.stderr[-300:]!r}", f"plain  {plain.stderr[-300:]!r}"]
        if self.counts:
            problems += count_problems(run, **self.count_options)
        if self.counts and not run.images():
            problems.append("the oracle saw nothing")
        if self.extra:
            problems += self.extra(run)
        return problems

    def check(self):
        plain = Run(self.argv, "plain", self.env, **self.run_options)
        for mode in (m for m in self.modes if m in MODES):
            run = Run(self.argv, mode, self.env, **self.run_options)
            try:
                problems = self.problems(plain, run)
            except vtr.BadTrace as error:
                problems = [f"unreadable trace: {error}"]
            self.tap.ok(not problems, f"{self.name} [{mode}]", problems)
            run.remove()
        plain.remove()


def check(tap, name, argv, env=None, **options):
    Case(tap, name, argv, env, **options).check()


def need(tap, *programs):
    """True when all programs are installed; otherwise says what is skipped."""
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        tap.skip(programs[0], f"{' '.join(missing)} not installed")
    return not missing


adopt_orphans()
