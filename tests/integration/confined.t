#!/usr/bin/python3
"""Programs that close what is not theirs, lock themselves in or have next to no resources."""
import glob
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import MODES, SHIM, VALTRACE, Run, Tap, check, program, vtr  # noqa: E402


def check_alone(tap, way):
    """Without the oracle, which makes calls of its own in a child."""
    argv = program("confine", way)
    plain = subprocess.run(argv, capture_output=True)
    for mode in MODES:
        with tempfile.TemporaryDirectory(prefix="valtest-") as folder:
            env = dict(os.environ, LD_PRELOAD=SHIM, VALTRACE_OUTPUT=folder + "/t.%p.vtr")
            before = [VALTRACE, "run", "-q", "-o", folder + "/t.vtr"] if mode == "run" else []
            if before:
                del env["LD_PRELOAD"], env["VALTRACE_OUTPUT"]
            done = subprocess.run(before + argv, capture_output=True, env=env)
            tap.equal((done.returncode, done.stdout, done.stderr), (plain.returncode, plain.stdout, b""),
                      f"confined by {way} [{mode}]: nothing is noticed")
            traces = [vtr.Trace(path) for path in glob.glob(folder + "/*.vtr")]
            events = [vtr.Model(trace).event_count for trace in traces]
            tap.ok(len(traces) == 1 and events[0] > 5000, f"confined by {way} [{mode}]: the parent is recorded",
                   [traces, events])


def check_used_up(tap):
    """A file has room set aside before the filter; when that is used up, it is this that is said."""
    with tempfile.TemporaryDirectory(prefix="valtest-") as folder:
        path = folder + "/t.vtr"
        done = subprocess.run(program("confine", "tight-long"), capture_output=True,
                              env=dict(os.environ, LD_PRELOAD=SHIM, VALTRACE_OUTPUT=path))
        said = json.loads(subprocess.run([VALTRACE, "check", "--json", path], capture_output=True).stdout)[0]
    tap.ok(done.returncode == 0 and len(said["reasons"]) == 2 and "set aside before a seccomp filter" in said["reasons"][0]
           and said["missing_events"] and said["missing_since_ns"], "room set aside before a filter is used up: said so", [said])


def main():
    tap = Tap()
    check_used_up(tap)
    check_alone(tap, "tight-fork")
    for way in ("lowest", "std-closed", "reuse", "take-over", "close-all", "close-seen", "close-range"):
        check(tap, f"descriptors {way}", program("descriptors", way))
    # strict mode forbids the system calls that get space in a file; the loss is counted
    check(tap, "confined by strict", program("confine", "strict"), modes=["bare"], lost_allowed=True)
    check(tap, "confined by strict", program("confine", "strict"), modes=["run"])
    for way in ("filter", "tight", "not-ours", "as", "fsize", "fsize0", "nofile", "chdir"):
        check(tap, f"confined by {way}", program("confine", way))
    if os.getuid() == 0:
        for way in ("chroot", "setuid", "unshare"):
            check(tap, f"confined by {way}", program("confine", way))
    else:
        tap.skip("chroot, setuid, unshare", "needs root")
    size = int(Run(program("confine", "size")).stdout)
    check(tap, "mlockall, 4 MiB more than the program's size may be locked", program("confine", "locked", size + 4096))
    check(tap, "3 MiB of address space left", program("confine", "as-late"))
    for way in ("fsize", "fsize0", "nofile"):  # from before the next image starts
        check(tap, f"started under {way}", program("confine", way, *program("apis", "basic")),
              counts=False, stderr=False)
    tap.done()


main()
