#!/usr/bin/python3
"""System calls of the command itself fail in turn (strace injects the errors): reading commands say one line and
the documented status, `run` records or starts nothing, the collector's troubles never reach the program; nothing
hangs or spins.

One call of each kind with a likely error, or with VALTEST_LONG every kind by itself with every error: all calls of
a kind up to 40, of more an even sample that VALTEST_SEED moves. With it also the slowest fault of each point."""
import collections
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from valtest import SHIM, VALTRACE, Tap, adopt_orphans, need, program, vtr  # noqa: E402

LONG = os.environ.get("VALTEST_LONG")
SEED = int(os.environ.get("VALTEST_SEED") or time.time_ns() % 1000000)
OF_A_KIND = 40 if LONG else 2
HANG_S = 30
SPIN_S = 2  # of processor time: what is run here needs a tenth of a second
HANGS_MAX = 3  # of one point; it has failed by then
ERRORS = ("ENOMEM", "ENOSPC", "EMFILE", "EACCES", "EINTR")
LIKELY = collections.defaultdict(lambda: "EACCES", mmap="ENOMEM", brk="ENOMEM", pwrite64="ENOSPC", write="ENOSPC", read="EIO",
                                 openat="EMFILE", pipe2="EMFILE", socketpair="EMFILE", memfd_create="EMFILE", ftruncate="ENOSPC",
                                 clone="EAGAIN", wait4="EINTR", poll="EINTR", recvfrom="EINTR", sendto="ENOMEM", clone3="EAGAIN")
# The kernel never fails these, or they are the end, or libc gives up by itself.
NEVER = {"exit_group", "rt_sigreturn", "getpid", "gettid", "geteuid", "getegid", "getuid", "execve", "munmap", "close", "brk",
         "futex", "exit", "arch_prctl", "set_tid_address", "restart_syscall", "rt_sigprocmask", "rt_sigaction", "rt_sigtimedwait"}
CALL = re.compile(r"^(?:\d+ +)?(\w+)\(")


def calls(args, marker, folder, options=()):
    """[(name, nth of that name)] of the calls from the first one that mentions `marker` on."""
    log = folder + "/strace.log"
    subprocess.run(["strace", *options, "-o", log, VALTRACE, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   stdin=subprocess.DEVNULL, check=False)
    seen, found, ours = collections.Counter(), [], False
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = CALL.match(line)
            if not match:
                continue
            seen[match[1]] += 1
            ours |= marker in line
            if ours and match[1] not in NEVER and not line.startswith("write(2"):
                found.append((match[1], seen[match[1]]))
    return found


def sample(nths):
    """All, or as many as wanted, one from each of as many equal parts."""
    if len(nths) <= OF_A_KIND or not LONG:
        return nths[:OF_A_KIND]
    step, start = len(nths) / OF_A_KIND, random.random()
    return [nths[int((i + start) * step)] for i in range(OF_A_KIND)]


def faults(found):
    """[(title, ["call:error=what:when=nth"])] of the points to make of these calls."""
    nths = collections.defaultdict(list)
    for name, nth in found:
        nths[name].append(nth)
    kinds = {name: [f"{name}:error={error}:when={nth}" for nth in sample(those) for error in (ERRORS if LONG else (LIKELY[name],))]
             for name, those in nths.items()}
    return [(f", {name}", kinds[name]) for name in kinds] if LONG else [("", sum(kinds.values(), []))]


Done = collections.namedtuple("Done", "returncode stdout stderr seconds cpu")


def children(pid):
    try:
        return [int(n) for task in os.listdir(f"/proc/{pid}/task") for n in open(f"/proc/{pid}/task/{task}/children", "rb").read().split()]
    except OSError:
        return []


def kill_all(pid):
    """What lives below this process; strace's death would let it run on."""
    for child in children(pid):
        kill_all(child)
        os.kill(child, signal.SIGKILL)


def all_ended(deadline):
    """Waits for those that outlived their parent."""
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
        except ChildProcessError:
            return True
    return False


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def injected(args, fault, options=()):
    """One run, to the end of every process of it."""
    start, cpu = time.monotonic(), cpu_of_children()
    process = subprocess.Popen(["strace", *options, "-o", "/dev/null", "-e", "inject=" + fault, VALTRACE, *args],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=HANG_S)
        status = process.returncode if all_ended(start + HANG_S) else "hang"
    except subprocess.TimeoutExpired:
        out, err, status = b"", b"", "hang"
    while status == "hang" and children(os.getpid()):
        kill_all(os.getpid())
        process.poll()
        all_ended(time.monotonic() + 1)
    return Done(status, out, err, time.monotonic() - start, cpu_of_children() - cpu)


def check(tap, title, args, injections, problem, options=()):
    """A point: problem(done) is what is wrong with a run, "" if nothing is."""
    bad, hangs, slowest = [], 0, (0, "", 0)
    for fault in injections:
        done = injected(args, fault, options)
        hung = done.returncode == "hang"
        wrong = "spins" if done.cpu > SPIN_S else "hangs" if hung else problem(done)
        hangs += hung
        if wrong:
            bad.append(f"{fault}: {wrong}: status {done.returncode} after {done.seconds:.1f} s with {done.cpu:.1f} s of processor, "
                       f"stdout {done.stdout[-100:]}, stderr {done.stderr[-300:]}")
        slowest = max(slowest, (done.seconds, fault, done.cpu))
        if hangs == HANGS_MAX:
            break
    tap.ok(injections and not bad, f"{title}: {len(injections)} faults", bad[:20])
    if LONG:
        print(f"# slowest {slowest[1]}: {slowest[0]:.1f} s, {slowest[2]:.1f} s of processor", flush=True)


def lines_of(done):
    return [line for line in done.stderr.splitlines() if line.startswith(b"valtrace: ")]


def told(done, plain):
    """Was a failure said on standard error or in the report, or cost it names only, which are best effort?"""
    if len(lines_of(done)) == 1:
        return done.returncode in (0, 3, 4)
    if re.search(rb"incomplete|damaged|torn", done.stdout):
        return done.returncode in (0, 3)
    numbers = [re.findall(rb"^  \w+ +[\d,.]+", out, re.M) for out in (done.stdout, plain.stdout)]
    return done.returncode == 0 and numbers[0] == numbers[1] and not done.stderr


def check_reader(tap, command, args, marker, folder):
    plain = subprocess.run([VALTRACE, *args], capture_output=True, check=False)
    for kind, injections in faults(calls(args, marker, folder)):
        check(tap, command + kind, args, injections, lambda done: "" if told(done, plain) else "not told")


def recorded(path, events):
    """What is wrong with a trace that should be whole and have so many events at least."""
    if not os.path.exists(path):
        return "no trace"
    trace = vtr.Trace(path)
    count, lost = vtr.Model(trace).event_count, trace.lost + trace.counters.get("lost", 0)
    return "" if trace.ended and not lost and count >= events else f"{count} events, {lost} lost, {trace.process}"


def run_problem(path):
    def problem(done):
        said = len(lines_of(done))
        if done.returncode in (125, 126, 127):
            return "" if not done.stdout and said == 1 else "not one line, or the program ran"
        if (done.returncode, done.stdout) != (0, b"hello\n") or said > 1:
            return "not as the program"
        wrong = "" if said else recorded(path, 100)
        if os.path.exists(path):
            os.unlink(path)
        return wrong
    return problem


def check_run(tap, folder):
    path = folder + "/r.vtr"
    args = ["run", "-q", "-o", path, *program("hello", 100)]
    for kind, injections in faults(calls(args, "readlink(", folder)):
        check(tap, "run" + kind, args, injections, run_problem(path))
    args[-2:] = ["sh", "-c", "sleep 0.1; exec " + " ".join(args[-2:])]
    check(tap, "run, the wait for a program that has ended", args, ["wait4:error=EACCES:when=2"], run_problem(path))


def collector_problem(path):
    def problem(done):
        if done.stdout != b"storm: done\n" and done.returncode != 125 or done.returncode not in (0, 125):
            return "not as the program"
        try:
            if os.path.exists(path) and os.path.getsize(path):
                vtr.Model(vtr.Trace(path))
        except vtr.BadTrace as error:
            return str(error)
        return ""
    return problem


def check_collector(tap, folder):
    """strace follows all; these calls are the collector's alone."""
    args = ["run", "-o", folder + "/c.vtr", *program("threads", "storm", 3000)]
    kinds = ("error=ENOSPC:when=2", "error=ENOSPC:when=1+", "error=EINTR:when=1", "error=EINTR:when=2", "error=EIO:when=3+",
             "signal=KILL:when=1", "signal=KILL:when=2")
    for name in ("pwrite64", "pidfd_open", "accept4", "recvfrom", "ftruncate") if LONG else ("pwrite64", "pidfd_open"):
        shared = name in ("recvfrom", "ftruncate")  # run makes that call too
        check(tap, f"the collector's {name} fails: the program is unharmed, the trace readable", args,
              [f"{name}:{kind}" for kind in kinds if not (shared and "KILL" in kind)], collector_problem(folder + "/c.vtr"), ["-f"])


def check_deaf(tap, folder):
    """A program has closed what it inherited and executes another, which asks the collector for the ring."""
    argv = program("hello", 100)
    code = f"import os; os.closerange(3, 70000); os.execv({argv[0]!r}, {argv!r})"
    args = ["run", "-q", "-o", folder + "/d.vtr", sys.executable, "-c", code]
    for path, when, how in ((folder + "/d.vtr", "1..20", "for a while: the program is recorded"),
                            (None, "1+", "for good: the program goes on, the collector sleeps")):
        check(tap, f"the collector's accept4 fails {how}", args, [f"accept4:error=EMFILE:when={when}"],
              run_problem(path) if path else lambda done: "" if done.stdout == b"hello\n" else "not as the program", ["-f"])


def events_of(path):
    """The events of a trace that is intact and complete, as `check` counts them; None: it is not."""
    said = subprocess.run([VALTRACE, "check", path], capture_output=True, check=False)
    found = re.search(rb" (\d+) events", said.stdout)
    whole = said.returncode == 0 and b": intact\n" in said.stdout and b"file complete" in said.stdout
    return int(found[1]) if found and whole and b"lost" not in said.stdout else None


def check_whole(tap, folder, title, fault, options=()):
    """Far more events than the ring holds: those that wait for the collector wait, and none is lost."""
    path = folder + "/whole.vtr"
    args = ["run", "-q", "-o", path, "--no-symbols", *program("threads", "storm", 60000)]
    subprocess.run([VALTRACE, *args], stdout=subprocess.DEVNULL, check=True)
    usual = events_of(path)

    def problem(done):
        events = events_of(path)
        wrong = f"status {done.returncode}, {events} events, usually {usual}"
        return (recorded(path, usual) if LONG else "") if done.returncode == 0 and events and events == usual else wrong
    check(tap, title + ": every event is recorded", args, [fault], problem, options)


def main():
    tap = Tap()
    print(f"# VALTEST_SEED={SEED}", flush=True)
    random.seed(SEED)
    adopt_orphans()
    if not need(tap, "strace"):
        tap.done()
    folder = tempfile.mkdtemp(prefix="valtest-strace-")
    packed, bare = folder + "/packed.vtr", folder + "/bare.vtr"
    subprocess.run([VALTRACE, "run", "-q", "-o", packed, *program("apis", "basic")], stdout=subprocess.DEVNULL, check=True)
    subprocess.run(program("apis", "basic"), stdout=subprocess.DEVNULL, env=dict(os.environ, LD_PRELOAD=SHIM, VALTRACE_OUTPUT=bare),
                   check=True)
    check_reader(tap, "report", ["report", packed], "packed.vtr", folder)
    check_reader(tap, "report of a trace without symbols", ["report", bare], "bare.vtr", folder)
    check_reader(tap, "check", ["check", bare], "bare.vtr", folder)
    check_reader(tap, "pack", ["pack", bare, "-o", folder + "/out.vtr"], "bare.vtr", folder)
    check_run(tap, folder)
    check_collector(tap, folder)
    if LONG:
        check_deaf(tap, folder)
    check_whole(tap, folder, "the first word to the collector fails", "sendto:error=ENOMEM:when=1")
    check_whole(tap, folder, "a disk that takes nothing for 2.5 s", "pwrite64,write:delay_enter=2500000:when=2", ["-f"])
    shutil.rmtree(folder, ignore_errors=True)
    tap.done()


main()
