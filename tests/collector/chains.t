#!/usr/bin/python3
"""Images that take each other's place, or have each other's number: each has its own whole trace.

With VALTEST_LONG=1 a thousand chains; without, some of each kind. Every image is compared with the
counting oracle: in a chain position by position, as the same programs follow each other each time."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from valtest import (HANG_S, PROGRAMS, VALTRACE, Run, Tap, adopt_orphans, check, children, collector_has_looked, program,  # noqa: E402
                     trace_problems, vtr)

LONG = bool(os.environ.get("VALTEST_LONG"))
RUN_OPTIONS = ("--no-symbols",)
PYTHON = "x = [str(i) for i in range(20000)]; import os; os.write(1, b'done\\n')"


def image_of(trace):
    """What a trace says of its image, and what is wrong with it."""
    model = vtr.Model(trace)
    ends = [p[1] for p in trace.process if p[1] in ("exec", "exit", "killed", "signal", "stopped")]
    problems = trace_problems(trace, model, False, 0)
    if not trace.ended:
        problems.append(f"{trace.path}: no END")
    return (os.path.basename(trace.exe), ends, model.allocations, model.frees, model.reallocs), problems


def chain(argv):
    """Runs once; returns the images in order, problems, and the oracle's images."""
    run = Run(argv, "run", options=RUN_OPTIONS)
    images, problems = [], ["it hangs"] if run.hung else []
    for trace in sorted(run.traces(), key=lambda t: t.start_tick):
        image, wrong = image_of(trace)
        images.append(image)
        problems += wrong
    last = vtr.Trace(run.trace_path) if os.path.exists(run.trace_path) else None
    if not last or last.start_tick != max(t.start_tick for t in run.traces()):
        problems.append("the name of the run is not the last image's")
    if run.stderr:
        problems.append(run.stderr[-300:])
    oracle = [(os.path.basename(i.exe), *i.counts[:3]) for i in run.images()]
    run.remove()
    return images, problems, oracle


def chains(tap, name, argv, times):
    """Every run has the images that the oracle saw, each with its end and all of its events."""
    wrong = []
    for _ in range(times):
        images, problems, oracle = chain(argv)
        ends = [["exec"]] * (len(images) - 1) + [["exit"]]
        if [(i[0], *i[2:]) for i in images if any(i[2:])] != oracle or [i[1] for i in images] != ends:
            problems.append((images, oracle))
        if problems:
            wrong.append(problems)
    tap.ok(not wrong, f"{name}, {times} times", wrong[:3])


def may_unshare():
    return subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode == 0


def outlives(tap):
    """It goes on when the collector has seen its parent's end."""
    reader, writer = os.pipe()

    def live(run):
        def killed():
            with open(run.out, "rb") as file:
                return b"killed parent" in file.read()
        while not killed():
            time.sleep(0.01)
        if run.mode == "run":
            forks = os.path.realpath(program("forks")[0])
            collector_has_looked(next(pid for pid in children(run.process.pid) if os.path.realpath(f"/proc/{pid}/exe") == forks))
        os.write(writer, b"\n")
    check(tap, "a vfork child outlives its parent", program("forks", "vfork-killed"), modes=["run"], stdin=reader, live=live)
    os.close(reader)
    os.close(writer)


def namespaces(tap, times):
    """Two namespaces at a time, in which the numbers are the same; each program counts to another number."""
    if not shutil.which("unshare") or not may_unshare():
        tap.skip("equal numbers in two namespaces", "unshare --pid is not permitted")
        return
    hello = program("hello")[0]
    script = (f"for n in 100 200; do unshare --pid --fork sh -c '{hello} '$n'0; {hello} '$n'1; true' & done; wait")
    want = {}
    for n in (1000, 1001, 2000, 2001):
        run = Run([hello, str(n)], "run", options=RUN_OPTIONS)
        want[n] = run.images()[0].counts[:3]
        run.remove()
    wrong = []
    for _ in range(times):
        run = Run(["sh", "-c", script], "run", options=RUN_OPTIONS)
        got, problems = {}, ["it hangs"] if run.hung else []
        for trace in run.traces():
            image, bad = image_of(trace)
            problems += bad
            if image[0] == "hello":
                got[int(trace.command[1])] = image[2:]
                problems += [] if image[1] == ["exit"] else [image]
        if got != want or run.stdout.count(b"hello") != 4:
            problems.append((got, want))
        if problems:
            wrong.append(problems)
        run.remove()
    tap.ok(not wrong, f"equal numbers in two namespaces, {times} times", wrong[:3])


def first_only(tap):
    """With --no-children, a child that has the first process's number in a namespace of its own is none the less a child."""
    if not shutil.which("unshare") or not may_unshare():
        tap.skip("--no-children and equal numbers", "unshare --pid is not permitted")
        return
    hello = program("hello")[0]
    script = "echo $$; " + f"{hello}; " * 8 + "true"
    wrong = []
    for _ in range(5):  # the kernel's start times are in ticks: most runs have none that are equal
        folder = tempfile.mkdtemp(prefix="valtest-chains-")
        got = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", VALTRACE, "run", "-q", "--no-children", "-o",
                              folder + "/%n.%p.vtr", "unshare", "--pid", "--fork", "sh", "-c", script],
                             capture_output=True, stdin=subprocess.DEVNULL)
        made = [n.split(".")[0] for n in os.listdir(folder)]
        if got.stdout != b"1\n" + 8 * b"hello\n" or made != ["unshare"]:
            wrong.append([got, made])
        shutil.rmtree(folder)
    tap.equal(wrong, [], "--no-children and equal numbers")


def emulator(tap):
    """An emulator and its guest are two images in one process."""
    qemu = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
    if not qemu or os.uname().machine != "x86_64":
        tap.skip("an emulator with its guest", "qemu-user is not installed")
        return
    run = Run([qemu, *program("hello", 5000)], "run", options=RUN_OPTIONS)
    images = [image_of(t) for t in run.traces()]
    guest = [i for i, _ in images if i[0] == "hello"]
    tap.ok(run.status == 0 and len(guest) == 1 and guest[0][2] >= 5000 and not [p for _, p in images if p],
           "an emulator with its guest", [run.status, images, run.stderr[-300:]])
    run.remove()


def holders(path):
    """Collectors that outlived their run and have this file open."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        ours = [f"/proc/{pid}" for pid in file.read().split()]
    valtrace = os.stat(VALTRACE)
    return [pid for pid in ours if os.path.exists(pid + "/exe") and os.path.samestat(os.stat(pid + "/exe"), valtrace)
            and any(os.path.samefile(fd.path, path) for fd in os.scandir(pid + "/fd") if os.path.exists(fd.path))]


def lives_on(tap):
    """Who reads the output of a run to its end does not wait for processes that closed it, nor who
    waits for a lock that the run was started with. What a library has opened in valtrace is the library's."""
    folder = tempfile.mkdtemp(prefix="valtest-chains-")
    fifo, lock = os.path.join(folder, "fifo"), os.path.join(folder, "lock")
    os.mkfifo(fifo)
    held = os.open(lock, os.O_RDWR | os.O_CREAT)
    subprocess.run(["flock", str(held)], pass_fds=[held], check=True)
    script = f"echo said; (exec {held}>&-; read x <{fifo}; ls >/dev/null) >/dev/null 2>&1 </dev/null &"
    own = os.path.join(folder, "own")
    os.close(os.open(own, os.O_CREAT))
    env = dict(os.environ, LD_PRELOAD=os.path.abspath(os.path.join(PROGRAMS, "libopens.so")), VALTEST_OWN_FILE=own)
    run = subprocess.Popen([VALTRACE, "run", "-q", "-o", folder + "/t.vtr", "sh", "-c", script], env=env,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[held])
    os.close(held)
    out, _ = run.communicate(timeout=HANG_S)
    free = subprocess.run(["flock", "-n", lock, "true"]).returncode == 0
    tap.ok(run.returncode == 0 and out == b"said\n" and free, "a process that lives on holds nothing of the run's caller",
           [run.returncode, out, free])
    tap.equal(len(holders(own)), 1, "but keeps what a preloaded library opened in it")
    with open(fifo, "wb") as file:
        file.write(b"x\n")
    while True:  # the collector and what it serves are our children now
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    kept = [image_of(vtr.Trace(os.path.join(folder, n))) for n in os.listdir(folder) if n.endswith(".vtr")]
    tap.ok("ls" in [i[0] for i, _ in kept] and not [p for _, p in kept if p], "and is recorded to its end", kept)
    shutil.rmtree(folder)


def main():
    adopt_orphans()
    tap = Tap()
    chains(tap, "env x 10, true", ["env"] * 10 + ["true"], 700 if LONG else 5)
    chains(tap, "env x 8, python3", ["env"] * 8 + [sys.executable, "-S", "-c", PYTHON], 200 if LONG else 2)
    namespaces(tap, 100 if LONG else 3)
    outlives(tap)
    if shutil.which("erl"):
        check(tap, "erl", ["erl", "-noshell", "-noinput", "-eval", "halt(3)."], modes=["run"], counts=False)
    else:
        tap.skip("erl", "not installed")
    first_only(tap)
    emulator(tap)
    lives_on(tap)
    tap.done()


main()
