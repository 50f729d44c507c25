#!/usr/bin/python3
"""Every hook, and every cold path behind one, uses less than 2 KiB of the caller's stack: programs run threads
on 16 KiB and signal handlers on less. Measured on painted stacks (tests/programs/painted.c)."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, MODES, PROGRAMS, SHIM, VALTRACE, Tap, program  # noqa: E402

STACK_MAX = 2048
REAL_MAX = 256  # what a hook itself may add to the real function, should that need more than 2 KiB


def used(mode):
    """{way: bytes below the frame of the function that calls it}; without the oracle, which uses more"""
    with tempfile.TemporaryDirectory(prefix="valtest-") as folder:
        argv, env = program("painted", PROGRAMS), dict(os.environ)
        if mode == "run":
            argv = [VALTRACE, "run", "-q", "-o", os.path.join(folder, "t.vtr"), "--", *argv]
        if mode == "bare":
            env.update(LD_PRELOAD=SHIM, VALTRACE_OUTPUT=os.path.join(folder, "%p.vtr"))
        run = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, timeout=HANG_S, check=False)
    return run.returncode, {line.split()[0]: int(line.split()[1]) for line in run.stdout.splitlines()}


def main():
    tap = Tap()
    status, plain = used("plain")
    tap.ok(status == 0 and len(plain) > 15, "plain run", [status, plain])
    for mode in MODES:
        status, traced = used(mode)
        tap.ok(status == 0 and traced.keys() == plain.keys(), f"ways run [{mode}]", [status, traced])
        for way, most in traced.items():
            tap.ok(most <= max(STACK_MAX, plain[way] + REAL_MAX), f"{way} [{mode}]",
                   [f"{most} bytes, without the shim {plain[way]}"])
        tap.ok(traced["malloc"] > plain["malloc"] + 256, f"the measurement sees the shim [{mode}]", [traced, plain])
    tap.done()


main()
