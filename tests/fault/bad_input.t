#!/usr/bin/python3
"""Bad input and bad output for every command: one clear line, the documented exit status, no crash, silence
when the reader of a pipe goes away. VALTEST_LONG flips more bytes."""
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import SHIM, VALTRACE, Tap, program  # noqa: E402

# name -> arguments around one trace; {t}: the trace, {o}: an output that can be written
READERS = {
    "report": ["report", "{t}"], "report leaks": ["report", "leaks", "--json", "{t}"],
    "report threads": ["report", "threads", "{t}"], "dump": ["dump", "{t}"], "dump --json": ["dump", "--json", "{t}"],
    "check": ["check", "{t}"], "check --json": ["check", "--json", "{t}"], "diff": ["diff", "{t}", "{t}"],
    "flame": ["flame", "{t}"], "check-budget": ["check-budget", "--max-leaked", "1G", "{t}"],
    "export folded": ["export", "--format", "folded", "{t}"], "export pprof": ["export", "--format", "pprof", "-o", "{o}", "{t}"],
    "export sqlite": ["export", "--format", "sqlite", "-o", "{o}", "{t}"], "pack": ["pack", "{t}", "-o", "{o}"],
    "import": ["import", "{t}", "-o", "{o}"],
}
TO_STDOUT = [name for name in READERS if "{o}" not in READERS[name] and name != "check-budget"]
TO_FILE = [name for name in READERS if "{o}" in READERS[name]]
SIGNALS = range(-64, 0)


def run(args, around=(), **options):
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([*around, VALTRACE, *args], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60,
                          check=False, **options)


def arguments(name, trace, output="/dev/null"):
    return [a.format(t=trace, o=output) for a in READERS[name]]


def one_line(done):
    lines = done.stderr.splitlines()
    return len(lines) == 1 and lines[0].startswith(b"valtrace: ") and lines[0].count(b": ") >= 2 and lines[0].endswith(b")")


def expect(tap, name, done, status, line=True):
    good = done.returncode == status and (one_line(done) if line else not done.stderr)
    return tap.ok(good, name, [f"status {done.returncode}, want {status}", done.stderr[-500:]])


def record(folder):
    """The same program recorded both ways: {name: path}."""
    packed, bare = os.path.join(folder, "packed.vtr"), os.path.join(folder, "bare.vtr")
    run(["run", "-q", "-o", packed, *program("hello", 2000)])
    env = dict(os.environ, LD_PRELOAD=SHIM, VALTRACE_OUTPUT=bare)
    subprocess.run(program("hello", 2000), env=env, stdout=subprocess.DEVNULL, check=True)
    return {"packed": packed, "bare": bare}


def check_inputs(tap, folder):
    empty, text, secret, hollow = (os.path.join(folder, n) for n in ("empty", "text", "secret", "hollow"))
    os.mkdir(hollow)
    with open(empty, "wb"), open(text, "wb") as file:
        file.write(b"#!/bin/sh\necho this is not a trace\n" * 100)
    with open(secret, "wb") as file:
        file.write(b"x" * 5000)
    os.chmod(secret, 0)
    os.chmod(folder, 0o755)
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.getuid() == 0 else []
    for name in READERS:
        log = name == "import"  # any text is a log, of no records
        output = folder + "/out"
        for what, path, around in (("missing file", folder + "/none", ()), ("folder without traces", hollow, ()), ("unreadable file", secret, nobody),
                                   ("path through a file", text + "/x", ())):
            expect(tap, f"{name}: {what}", run(arguments(name, path, output), around), 3)
        if not log:
            expect(tap, f"{name}: empty file", run(arguments(name, empty, output)), 3)
            expect(tap, f"{name}: text", run(arguments(name, text, output)), 3)
            expect(tap, f"{name}: device", run(arguments(name, "/dev/zero", output)), 3)


def check_usage(tap, trace):
    commands = sorted({args[0] for args in READERS.values()} | {"run"})
    for command in commands:
        expect(tap, f"{command}: no argument", run([command]), 2)
        expect(tap, f"{command}: unknown option", run([command, "--no-such-option", trace]), 2)
        done = run([command, "--help"])
        tap.ok(done.returncode == 0 and done.stdout.startswith(b"usage: valtrace " + command.encode()) and not done.stderr,
               f"{command} --help", [done])
    for args in (["report", "no-such-view", trace], ["report", "--from"], ["report", "--min-size", "many", trace],
                 ["report", "--limit", "0", trace], ["report", "--by", "moon", trace], ["report", "--at", "nevermarked", trace],
                 ["flame", "--metric", "love", trace], ["export", trace], ["export", "--format", "doc", trace],
                 ["check-budget", trace], ["check-budget", "--max-leaked", "-1", trace], ["diff", trace], ["pack", trace, trace],
                 ["import", trace], ["run", "--max-depth", "0", "true"], ["run", "-o"], ["nothing"], []):
        done = run(args)
        good = done.returncode in (2, 3) if args[1:2] == ["no-such-view"] else done.returncode == 2
        tap.ok(good and (one_line(done) or not args), "usage: " + " ".join(a.split("/")[-1] for a in args), [done.returncode, done.stderr[-400:]])


def check_outputs(tap, trace, bare, folder):
    for name in TO_STDOUT:
        with open("/dev/full", "wb") as full:
            expect(tap, f"{name} > /dev/full", run(arguments(name, trace), stdout=full), 4)
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", VALTRACE, *arguments(name, trace)], stderr=subprocess.PIPE, check=False)
        expect(tap, f"{name} >&-", done, 4)
        reader, writer = os.pipe()
        os.close(reader)
        done = run(arguments(name, trace), stdout=writer)
        os.close(writer)
        tap.ok(done.returncode in (0, 4, -13, 141) and not done.stderr, f"{name} | true: silent", [done.returncode, done.stderr])
    for name in TO_FILE:
        source = bare if name == "pack" else trace
        if name == "import":
            continue
        for what, output in (("no such folder", "/proc/none/out"), ("a folder", folder), ("through a file", trace + "/out")):
            expect(tap, f"{name} -o {what}", run(arguments(name, source, output)), 4)
    if os.getuid() == 0:
        small = tempfile.mkdtemp(prefix="valtest-small-")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", small], check=False).returncode == 0:
            for name in TO_FILE:
                if name != "import":
                    with open(small + "/in-the-way", "wb") as file:
                        file.write(b"x" * 4096)
                    expect(tap, f"{name}: disk full", run(arguments(name, bare, small + "/out")), 4)
            subprocess.run(["umount", small], check=True)
        os.rmdir(small)


def mutated(rng, data):
    out = bytearray(data)
    if rng.random() < 0.2:
        return out[:rng.randrange(len(out))]
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        out[rng.randrange(len(out))] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
    return out


def check_damage(tap, traces, folder):
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"# SEED={seed}")
    rng = random.Random(seed)
    path = folder + "/damaged.vtr"
    for kind, trace in traces.items():
        with open(trace, "rb") as file:
            data = file.read()
        if kind == "bare":
            data = data[:data.rstrip(b"\0").__len__() + 4096]
        bad = []
        for _ in range(1000 if os.environ.get("VALTEST_LONG") else 30):
            with open(path, "wb") as file:
                file.write(mutated(rng, data))
            for name in ("check", "report", "dump", "pack"):
                try:
                    done = run(arguments(name, path, folder + "/out"), ["prlimit", "--as=2000000000"])
                    fine = done.returncode in (0, 3) and done.stderr.count(b"\n") <= 1
                except subprocess.TimeoutExpired:
                    fine, done = False, "it hangs"
                if not fine:
                    keep = f"{folder}/bad-{len(bad)}"
                    os.rename(path, keep)
                    bad.append(f"{name} {keep}: {done}")
                    break
        tap.ok(not bad, f"flipped bytes and cuts in a {kind} trace: no crash, no hang, bounded memory", bad[:5])


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-bad-")
    traces = record(folder)
    check_inputs(tap, folder)
    check_usage(tap, traces["packed"])
    check_outputs(tap, traces["packed"], traces["bare"], folder)
    check_damage(tap, traces, folder)
    if not tap.failed:
        subprocess.run(["rm", "-rf", folder], check=True)
    tap.done()


main()
