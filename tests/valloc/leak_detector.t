#!/usr/bin/env python3
"""tools/leak_detector.py on the log of a program with a known leak, and on damaged logs."""
import os
import subprocess
import sys
import tempfile

BUILD = os.environ.get("BUILD", "build")
LONG = os.environ.get("VALTEST_LONG")
count = failed = 0


def ok(good, name):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}")


def detect(text, *args):
    run = subprocess.run([sys.executable, "tools/leak_detector.py", *args], input=text, text=True,
                         capture_output=True)
    return run.returncode, run.stdout + run.stderr


def record(kind, address, size=0, body=("f(a+0x1)[0x1]",)):
    tail = f":16:{size}" if kind == "ALLOC" else ""
    return f"+++ {kind}:{len(body)}:0x{address:016x}{tail}\n" + "".join(b + "\n" for b in body) + "---\n"


NO_LSAN = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # the leak is on purpose
log = subprocess.run([f"{BUILD}/bin/test_valloc", "leak"], capture_output=True, text=True,
                     env=NO_LSAN).stdout
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
ok(all(detect(log[:cut])[0] in (0, 1) for cut in range(log.index("---"), 1500, 37 if LONG else 180)), "a log cut anywhere")
status, out = detect(record("ALLOC", 16, 5, ("f1",)) + record("ALLOC", 32, 9, ("f2",)), "--top", "1")
ok("9 bytes" in out and "5 bytes in" not in out, "--top")

GOOD = record("ALLOC", 16, 5) + record("ALLOC", 32, 6) + record("FREE", 16)
LEAK = "1 blocks of 6 bytes leaked"
TWO = ("f(a+0x1)[0x1]", "g(b+0x2)[0x2]")


def damaged(name, text, want, count="1 malformed records"):
    """The rest of the log is read; one line says what was left out."""
    status, out = detect(text)
    ok(status == 1 and want in out and out.count(count) == 1, name)


damaged("a garbage line that begins like a record", GOOD + "+++ ALLOC:x:y\n", LEAK)
damaged("a torn head", GOOD + "+++ ALLOC:1:0x00", LEAK)
damaged("a torn body at the end", GOOD + record("ALLOC", 48, 7, TWO)[:-12], LEAK)
damaged("a record torn before the next", record("ALLOC", 48, 7, TWO)[:-19] + "\n" + GOOD, LEAK)
damaged("a record without body before the next", "+++ ALLOC:128:0x0000000000000030:1:7\n" + GOOD, LEAK)
damaged("an absurd line count", "+++ ALLOC:99999999999:0x0000000000000030:1:7\n" + GOOD, LEAK)
damaged("a free of an unknown block", record("FREE", 99) + GOOD, LEAK,
        "1 frees of blocks whose allocation is not in the log")
ok(detect("x" * (3 << 16) + "+++ ALLOC:0:0x1:1:1\n" + "\0\xff\n" + GOOD)[1] == detect(GOOD)[1],
   "garbage that is no record at all changes nothing")
ok(detect(GOOD.replace("---\n", ""))[1] == detect(GOOD)[1], "the end marks are not needed")


def refused(name, status, text, *args):
    """The exit status, and one line that says why."""
    got, out = detect(text, *args)
    ok(got == status and out.count("\n") == (1 if status == 3 else 2) and "leak_detector" in out, name)


refused("no such file", 3, "", "/dev/null/none")
refused("a folder", 3, "", "/")
refused("an empty log", 3, "")
refused("a log without records", 3, "hello\n---\n")
refused("wrong usage", 2, "", "--nosuch")


def write_log(path, blocks, live):
    """Blocks of 10 stacks, `live` of them at a time, `blocks` in all."""
    with open(path, "w", encoding="utf-8") as file:
        for i in range(blocks):
            file.write(record("ALLOC", 16 * (i + 1), 8, (f"f{i % 10}(a+0x1)[0x1]",)))
            if i >= live:
                file.write(record("FREE", 16 * (i + 1 - live)))


def peak_kib(path):
    """The peak RSS of the detector on a log."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "tools/leak_detector.py", path], os.environ,
                         file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    return os.wait4(pid, 0)[2].ru_maxrss


with tempfile.TemporaryDirectory() as folder:
    peaks = []
    for blocks, live in ((4000, 500), (40000, 500), (60000, 60000)):
        write_log(os.path.join(folder, "log"), blocks, live)
        peaks.append(peak_kib(os.path.join(folder, "log")))
    print(f"# peak RSS: {peaks} KiB")
    ok(peaks[1] < 1.1 * peaks[0], "a log ten times as long needs no more memory")
    ok(peaks[2] > 1.5 * peaks[0], "more live blocks do, so the measure can tell")
print(f"1..{count}")
sys.exit(bool(failed))
