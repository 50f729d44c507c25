#!/usr/bin/python3
"""Programs that cannot be recorded: neither the loader nor the shim writes to their standard error; `run`
says at its end how many they were."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import SHIM, VALTRACE, Tap, program  # noqa: E402

HELLO = program("hello")[0]
UNREACHABLE = "import os, sys; os.closerange(3, 70000); os.execv(sys.argv[1], sys.argv[1:])"


def run(folder, *argv, env=None):
    got = subprocess.run([VALTRACE, "run", "-o", folder + "/t.vtr", *argv], capture_output=True,
                         stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    lines = got.stderr.decode().splitlines()
    return got, [line for line in lines if not line.startswith("valtrace: wrote ")]


def make_jail(folder):
    """A folder to be the root, with one program and what it loads."""
    jail = os.path.join(folder, "jail")
    listed = subprocess.run(["ldd", HELLO], capture_output=True, text=True, check=True).stdout
    for path in [w for w in listed.split() if w.startswith("/")] + [HELLO]:
        os.makedirs(jail + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, jail + path)
    return jail


def check_chroot(tap, folder):
    if os.getuid() or not shutil.which("chroot"):
        tap.skip("chroot", "needs root")
        return
    jail = make_jail(folder)
    got, lines = run(folder, "chroot", jail, HELLO)
    tap.ok(got.returncode == 0 and got.stdout == b"hello\n" and len(lines) == 1 and "not recorded: 1 program" in lines[0],
           "a program behind chroot: one line, of run", [got])
    got, lines = run(folder, "chroot", jail, "/no/such/program")
    tap.ok(got.returncode == 127 and len(lines) == 1 and "not recorded" not in lines[0], "one that is not there: none", [got])
    other = os.path.join(jail, "other.so")  # what else is preloaded stays, and is the loader's to complain of
    got, lines = run(folder, "chroot", jail, HELLO, env={"LD_PRELOAD": other})
    tap.ok(got.stdout == b"hello\n" and any(other in line for line in lines) and not any(SHIM in line for line in lines),
           "other preloads stay", [got])
    os.makedirs(jail + os.path.dirname(SHIM))
    shutil.copy(SHIM, jail + SHIM)
    got, lines = run(folder, "chroot", jail, HELLO)
    tap.ok(got.stdout == b"hello\n" and not lines, "with the shim in it, it is recorded", [got])


def check_unreachable(tap, folder):
    """A child without descriptors in a network of its own reaches no collector, and its own file is impossible."""
    if os.getuid() or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        tap.skip("collector out of reach", "unshare --net is not permitted")
        return
    env = "VALTRACE_OUTPUT=/dev/null/x"
    got, lines = run(folder, "sh", "-c", f"env {env} unshare -n {sys.executable} -c '{UNREACHABLE}' {HELLO}; true")
    tap.ok(got.returncode == 0 and got.stdout == b"hello\n" and not lines, "collector out of reach: nothing on standard error",
           [got])


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-unseen-")
    check_chroot(tap, folder)
    check_unreachable(tap, folder)
    shutil.rmtree(folder)
    tap.done()


main()
