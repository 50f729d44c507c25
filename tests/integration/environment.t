#!/usr/bin/python3
"""What a program sees of its environment under `run` is what it sees without, and the programs that it starts are
recorded in spite of that, whatever it does to its environment. A bare LD_PRELOAD hides nothing."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
import valtest  # noqa: E402
from valtest import SHIM, VALTRACE, Tap, program, vtr  # noqa: E402

PLAIN = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("VALT")}
LIBRARY, OTHER = "/lib/x86_64-linux-gnu/libz.so.1", "/lib/x86_64-linux-gnu/libm.so.6"
PRELOADS = {"none": None, "an empty one": "", "one": LIBRARY, "two": f"{LIBRARY} {OTHER}"}
SHOWS = {"env": ["env"], "a shell": ["bash", "-c", "env; env | cat"],
         "python": ["python3", "-S", "-c", "import os; print(os.environ); os.system('env')"],
         "perl": ["perl", "-e", "system 'env'; print `env`, $ENV{LD_PRELOAD}"],
         "a shell with another": ["sh", "-c", f"LD_PRELOAD={OTHER} env"]}
LONG = os.environ.get("VALTEST_LONG")  # all ways; else one of a kind
SHELLS = ("system", "emptied", "popen", "threads", "wordexp")[:5 if LONG else 3]
EXECS = ("own", "cleared", "set", "call", "vfork", "search", "list", "saved", "null", "descriptor", "spawn")[:11 if LONG else 5]


def output(argv, env):
    done = subprocess.run(argv, env=env, capture_output=True)
    return done.returncode, done.stdout, done.stderr


def recorded(folder):
    """Names of the executables that left a trace."""
    return sorted(os.path.basename(vtr.Trace(os.path.join(folder, f)).exe) for f in os.listdir(folder))


def under_run(argv, env):
    with tempfile.TemporaryDirectory(prefix="valtest-env-") as folder:
        return output([VALTRACE, "run", "-q", "--no-symbols", "-o", folder + "/%p.vtr", "--", *argv], env), recorded(folder)


def check_seen(tap):
    for has, value in PRELOADS.items():
        env = PLAIN if value is None else dict(PLAIN, LD_PRELOAD=value)
        for name, argv in SHOWS.items():
            if has != "none" and name != "env" and not LONG:
                continue
            got, _ = under_run(argv, env)
            tap.equal(got, output(argv, env), f"{name}, LD_PRELOAD: {has}")
    tap.equal(under_run(["printenv", "LD_PRELOAD"], PLAIN)[0], (1, b"", b""), "printenv LD_PRELOAD has nothing to print")


def check_kept(tap):
    hello = program("hello")
    for way in EXECS + SHELLS:
        argv = program("environment", way, *hello)
        got, names = under_run(argv, PLAIN)
        tap.equal(got, output(argv, PLAIN), f"{way}: nothing is seen")
        shell = [os.path.basename(os.path.realpath("/bin/sh"))]
        want = sorted(["environment", "hello"] + (shell if way in SHELLS else []))
        tap.ok(sorted(set(names)) == sorted(set(want)), f"{way}: and the program is recorded", [names])
    _, names = under_run(["env", "-i", *program("hello")], PLAIN)
    tap.equal(names, ["env", "hello"], "env -i: the program is recorded")


def check_proc(tap):
    """The kernel's block of the environment is not touched."""
    with tempfile.TemporaryDirectory(prefix="valtest-env-") as folder:
        argv = [VALTRACE, "run", "-q", "-o", folder + "/%p.vtr", "--", "cat", "/proc/self/environ"]
        block = subprocess.run(argv, env=PLAIN, capture_output=True).stdout.split(b"\0")
    own = [v for v in block if v and not v.startswith((b"VALTRACE_", b"LD_PRELOAD="))]
    tap.equal(own, [f"{k}={v}".encode() for k, v in PLAIN.items()], "/proc/PID/environ: the program's variables, unchanged")
    tap.ok(f"LD_PRELOAD={SHIM}".encode() in block, "and ours", block)


def bare(argv):
    with tempfile.TemporaryDirectory(prefix="valtest-env-") as folder:
        env = dict(PLAIN, LD_PRELOAD=SHIM, VALTRACE_OUTPUT=folder + "/%p.vtr")
        return output(argv, env), recorded(folder)


def check_bare(tap):
    (_, out, _), names = bare(["env"])
    tap.ok(f"LD_PRELOAD={SHIM}\n".encode() in out and b"VALTRACE_OUTPUT" in out, "bare: nothing is hidden", [out])
    _, names = bare(["sh", "-c", "unset LD_PRELOAD; exec " + program("hello")[0]])
    tap.ok("hello" not in names, "bare: who takes the shim out of LD_PRELOAD is followed no further", [names])
    _, names = bare(program("environment", "own", *program("hello")))
    tap.ok("hello" in names, "bare: an environment made for one program is no such wish", [names])


def main():
    tap = Tap()
    check_seen(tap)
    check_kept(tap)
    check_proc(tap)
    check_bare(tap)
    tap.done()


main()
