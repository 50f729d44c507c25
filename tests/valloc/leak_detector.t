#!/usr/bin/env python3
"""tools/leak_detector.py on the log of a program with a known leak, and on damaged logs."""
import os
import subprocess
import sys

BUILD = os.environ.get("BUILD", "build")
count = failed = 0


def ok(good, name):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}")


def detect(text, *args):
    run = subprocess.run([sys.executable, "tools/leak_detector.py", *args], input=text, text=True,
                         capture_output=True)
    return run.returncode, run.stdout


def record(kind, address, size=0, body=("f(a+0x1)[0x1]",)):
    tail = f":16:{size}" if kind == "ALLOC" else ""
    return f"+++ {kind}:{len(body)}:0x{address:016x}{tail}\n" + "".join(b + "\n" for b in body) + "---\n"


log = subprocess.run([f"{BUILD}/bin/test_valloc", "leak"], capture_output=True, text=True).stdout
status, out = detect(log)
ok(status == 1 and "15 allocations, 5 frees, 2 sites" in out, "counts of a real log")
ok("10 blocks of 1000 bytes leaked from 1 sites" in out, "its leak")
ok("1 malformed records" in out, "a line that only looks like a record")
ok("test_valloc" in out.split("Hot sites")[0].split("Leaks by stack")[1], "the stack of the leak")

status, out = detect(record("ALLOC", 16, 5) + "noise\n" + record("FREE", 16))
ok(status == 0 and "0 blocks of 0 bytes" in out, "no leak")
status, out = detect(record("FREE", 16) + record("ALLOC", 0, 7))
ok(status == 0 and "1 frees of blocks whose" in out and "1 allocations failed" in out,
   "unknown free, failed allocation")
status, out = detect(record("ALLOC", 16, 5) + record("ALLOC", 16, 7))
ok("1 blocks of 7 bytes" in out and "1 blocks whose free" in out, "a missing free")
whole = record("ALLOC", 16, 5, ("f(a+0x1)[0x1]", "+++ ALLOC:1:0x0000000000000010:1:1"))
ok("1 allocations" in detect(whole)[1], "what looks like a record inside a body is not one")
ok(all(detect(log[:cut])[0] in (0, 1) for cut in range(0, 1500, 37)), "a log cut anywhere")
status, out = detect(record("ALLOC", 16, 5, ("f1",)) + record("ALLOC", 32, 9, ("f2",)), "--top", "1")
ok("9 bytes" in out and "5 bytes in" not in out, "--top")
ok(detect("", "/nonexistent")[0] == 2, "no such file")
print(f"1..{count}")
sys.exit(bool(failed))
