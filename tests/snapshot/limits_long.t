#!/usr/bin/python3
"""Memory of the dead does not pile up: 1,000 processes in a row, and a server that is started again at once in a
control group of one and a half times its size."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import Tap, VALTRACE, program, vtr  # noqa: E402

SERVER_MIB, RESTARTS = 200, 5
KINDS = (("/sys/fs/cgroup", "memory.max", "memory.peak"),
         ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"))


def traced(folder, script, before=None, options=()):
    traces = os.path.join(folder, "traces")
    out = subprocess.run([VALTRACE, "run", "-q", "--no-symbols", *options, "-o", f"{traces}/%p.vtr", "--", "sh", "-c", script],
                         capture_output=True, text=True, preexec_fn=before)
    found = [vtr.Trace(path) for path in glob.glob(f"{traces}/*.vtr")]
    shutil.rmtree(traces)
    return out, found


def held(exe):
    """Processes that have that program's memory."""
    found = []
    for path in glob.glob("/proc/[0-9]*/exe"):
        try:
            found += [path] if os.path.realpath(path) == os.path.realpath(exe) else []
        except OSError:
            pass
    return found


def check_many(tap, folder):
    exe = program("hello")[0]
    for options in ([], ["--snapshots"]):
        out, traces = traced(folder, f"for i in $(seq 1000); do {exe} >&2 || echo bad; done", options=options)
        ours = [t for t in traces if t.exe.endswith("/hello")]
        tap.equal((out.returncode, out.stdout, len(ours)), (0, "", 1000), f"1,000 processes in a row {options}")
        tap.equal([t.leaks and t.leaks.why for t in ours if not t.leaks or t.leaks.why], [], "each was looked at")
        tap.equal(held(exe), [], "nothing is held of any")


def group():
    """A control group of our own with a limit: its folder and the file with its highest use; None where it may not be."""
    for root, limit, peak in KINDS:
        path = f"{root}/valtest-{os.getpid()}"
        try:
            os.mkdir(path)
        except OSError:
            continue
        try:
            with open(f"{path}/{limit}", "r+", encoding="utf-8") as file:
                file.write(str((SERVER_MIB * 3 // 2) << 20))
            return path, peak
        except OSError:
            os.rmdir(path)
    return None, None


def check_group(tap, folder):
    path, peak = group()
    if not path:
        tap.skip("a server in a control group", "no control groups of memory may be made")
        return

    def enter():
        with open(f"{path}/cgroup.procs", "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
    server = f"python3 -c 'x = bytearray({SERVER_MIB} << 20)' && echo up"
    out, traces = traced(folder, "; ".join([server] * RESTARTS), enter)
    with open(f"{path}/{peak}", encoding="utf-8") as file:
        print("# highest use", int(file.read()) >> 20, "MiB")
    os.rmdir(path)
    tap.equal((out.returncode, out.stdout), (0, "up\n" * RESTARTS), "a server started again at once is not killed")
    servers = [t for t in traces if "python3" in t.exe and any("bytearray" in a for a in t.command)]
    unsaid = [t.path for t in servers if not t.leaks]
    tap.ok(len(servers) == RESTARTS and not unsaid, "of each it is known, or said why it is not, what it lost", unsaid)


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="limits-")
    check_many(tap, folder)
    check_group(tap, folder)
    shutil.rmtree(folder)
    tap.done()


main()
