#!/usr/bin/python3
"""System calls of the command itself fail in turn (strace injects the errors): reading commands say one line and
the documented status, `run` records or starts nothing, the collector's troubles never reach the program.

VALTEST_LONG tries every call with every error, otherwise a sample with a likely one."""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import SHIM, VALTRACE, Tap, need, program, vtr  # noqa: E402

LONG = os.environ.get("VALTEST_LONG")
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


def chosen(found, limit):
    count = collections.Counter()
    for name, nth in found:
        count[name] += 1
        if LONG and count[name] <= 20 or count[name] <= limit:
            for error in ERRORS if LONG else (LIKELY[name],):
                yield name, nth, error


def injected(args, name, nth, what, options=()):
    try:
        return subprocess.run(["strace", *options, "-o", "/dev/null", "-e", f"inject={name}:{what}:when={nth}", VALTRACE, *args],
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(args, "hang", b"", b"")


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
    bad, tried = [], 0
    for name, nth, error in chosen(calls(args, marker, folder), 2):
        done = injected(args, name, nth, f"error={error}")
        tried += 1
        if not told(done, plain):
            bad.append(f"{name} {nth} {error}: status {done.returncode}, stdout {'as' if done.stdout == plain.stdout else 'not as'} "
                       f"usual, stderr {done.stderr[-300:]}")
    tap.ok(tried and not bad, f"{command}: {tried} faults", bad[:20])


def check_run(tap, folder):
    args = ["run", "-q", "-o", folder + "/r.vtr", *program("hello", 100)]
    bad, tried = [], 0
    for name, nth, error in chosen(calls(args, "readlink(", folder), 2):
        done = injected(args, name, nth, f"error={error}")
        tried += 1
        said = len(lines_of(done))
        ran, refused = (done.returncode, done.stdout) == (0, b"hello\n"), done.returncode in (125, 126, 127) and not done.stdout and said == 1
        if not (ran and said <= 1 or refused):
            bad.append(f"{name} {nth} {error}: status {done.returncode} {done.stdout} {done.stderr[-300:]}")
    tap.ok(tried and not bad, f"run: {tried} faults", bad[:20])


def check_collector(tap, folder):
    """strace follows all; these calls are the collector's alone."""
    args = ["run", "-o", folder + "/c.vtr", *program("threads", "storm", 3000)]
    kinds = {"error=ENOSPC": ("2", "1+"), "error=EINTR": ("1", "2"), "error=EIO": ("1", "3+"), "signal=KILL": ("1", "2")}
    for name in ("pwrite64", "pidfd_open", "accept4", "recvfrom", "ftruncate") if LONG else ("pwrite64", "pidfd_open"):
        bad = []
        for kind in kinds:
            for nth in kinds[kind]:
                if name in ("recvfrom", "ftruncate") and kind == "signal=KILL":
                    continue  # run makes that call too
                done = injected(args, name, nth, kind, ["-f"])
                if done.stdout != b"storm: done\n" and done.returncode != 125 or done.returncode not in (0, 125):
                    bad.append(f"{kind}:{nth}: status {done.returncode} {done.stdout} {done.stderr[-300:]}")
                try:
                    if os.path.exists(folder + "/c.vtr") and os.path.getsize(folder + "/c.vtr"):
                        vtr.Model(vtr.Trace(folder + "/c.vtr"))
                except vtr.BadTrace as error:
                    bad.append(f"{kind}:{nth}: {error}")
        tap.ok(not bad, f"the collector's {name} fails: the program is unharmed, the trace readable", bad[:20])


def check_slow_disk(tap, folder):
    """The disk takes nothing for a while: threads wait for the collector, which lives, and lose nothing."""
    path = folder + "/slow.vtr"
    args = ["run", "-o", path, "--no-symbols", *program("threads", "storm", 60000)]
    done = injected(args, "pwrite64,write", "2", "delay_enter=2500000", ["-f"])
    trace = vtr.Trace(path)
    lost = trace.lost + trace.counters.get("lost", 0)
    tap.ok(done.returncode == 0 and not lost and vtr.Model(trace).event_count > 600000,
           "a disk that takes nothing for 2.5 s: every event is recorded",
           [done.returncode, lost, vtr.Model(trace).event_count, done.stderr[-300:]])


def main():
    tap = Tap()
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
    check_slow_disk(tap, folder)
    shutil.rmtree(folder, ignore_errors=True)
    tap.done()


main()
