#!/usr/bin/python3
"""Names of generated code: perf maps and jitdump files are read while a process lives and at its end, in whatever
mount and pid namespace; what is stored agrees with what the program wrote, and each report shows it."""
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, PROGRAMS, SHIM, VALTRACE, Tap, vtr  # noqa: E402

MADE = os.path.join(PROGRAMS, "made")
PIECE = 64


def run(folder, mode, *before, env=None, valtrace=VALTRACE, made=MADE):
    """Records made; the path of its trace, its pid and where its code is."""
    trace = os.path.join(folder, mode + ".vtr")
    numbered = os.path.join(folder, "made-")
    command = [valtrace, "run", "-q", "-o", os.path.join(folder, "%n-%p.vtr") if before else trace, "--", *before, made,
               numbered if before else trace, mode]
    done = subprocess.run(command, check=True, timeout=HANG_S, capture_output=True, text=True, cwd=folder, env=env)
    pid, memory = done.stdout.split()[-2:]
    return f"{numbered}{pid}.vtr" if before else trace, int(pid), int(memory, 16)


def called_from(trace):
    """{(module, function) that called allocate: allocations}."""
    out = subprocess.run([VALTRACE, "report", "--json", "--limit", "10000", trace], check=True, capture_output=True).stdout
    data = json.loads(out)
    counts = collections.Counter()
    for site in data["sites"]:
        names = [frame["function"] for frame in site["stack"]]
        if "allocate" in names and names.index("allocate") + 1 < len(names):
            frame = site["stack"][names.index("allocate") + 1]
            counts[frame["module"], frame["function"]] += site["allocations"]
    return counts, data["completeness"]


def check_map(tap, trace, pid, memory, what):
    first, second = "LazyCompile:~first file with blanks.js:1", "second;</script>"
    counts, complete = called_from(trace)
    wanted = {("[jit]", first): 10, ("[jit]", second): 20, ("", ""): 30, ("[jit]", "before or after"): 41}
    if ("[jit]", "after or before") in counts:
        counts["[jit]", "before or after"] = counts.pop(("[jit]", "after or before"))
    tap.equal(dict(counts), wanted, f"{what}: code has the names of the map")
    tap.equal(complete["uncertain_allocations"], 101, f"{what}: and is as uncertain as it was")
    stored = [entry[1:] for entry in vtr.Trace(trace).jit]
    tap.equal(stored, [(memory + PIECE * piece, PIECE, name) for piece, name in
                       ((0, first), (1, second), (3, "before"), (3, "after"))] , f"{what}: the trace has what the program wrote")
    os.remove(f"/tmp/perf-{pid}.map") if os.path.exists(f"/tmp/perf-{pid}.map") else None


def check_exports(tap, folder, trace):
    folded = subprocess.run([VALTRACE, "flame", trace], check=True, capture_output=True, text=True).stdout
    tap.ok("second" in folded, "flame has the names", [folded])
    text = subprocess.run([VALTRACE, "report", "leaks", trace], check=True, capture_output=True, text=True).stdout
    tap.ok("before  [jit]" in text or "after  [jit]" in text or "or after  [jit]" in text, "the report, too, with its module", [text])
    chosen = [subprocess.run([VALTRACE, "report", "--json", "hot", "--module", pattern, trace], check=True, capture_output=True).stdout
              for pattern in ("[jit]", "*jit?")]
    tap.equal([sum(site["allocations"] for site in json.loads(out)["sites"]) for out in chosen], [71, 71], "--module chooses them, by name or pattern")
    page = os.path.join(folder, "page.html")
    subprocess.run([VALTRACE, "html", trace, "-o", page], check=True)
    with open(page, encoding="utf-8") as file:
        tap.ok("second;</script>" not in file.read(), "a name does not end the page's script")
    packed = os.path.join(folder, "packed.vtr")
    subprocess.run([VALTRACE, "pack", trace, "-o", packed], check=True)
    tap.equal(called_from(packed), called_from(trace), "a packed trace has them")


def check_gdb(tap, folder):
    """What the program tells debuggers, with a collector and without."""
    recorded, _pid, memory = run(folder, "gdb")
    bare = os.path.join(folder, "bare.vtr")
    done = subprocess.run([MADE, bare, "gdb"], check=True, timeout=HANG_S, capture_output=True, text=True,
                          env={**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": bare})
    for trace, at, what in ((recorded, memory, "run"), (bare, int(done.stdout.split()[-1], 16), "without collector")):
        wanted = {("[jit]", "first"): 10, ("[jit]", "second"): 20, ("", ""): 30, ("[jit]", "last"): 40}
        tap.equal(dict(called_from(trace)[0]), wanted, f"GDB's interface, {what}: code has the names that debuggers were told")
        tap.equal([entry[1:] for entry in vtr.Trace(trace).jit], [(at + PIECE * n, PIECE, name) for n, name in ((0, "first"), (1, "second"), (3, "last"))],
                  f"GDB's interface, {what}: the trace has each once")


def check_namespace(tap, folder):
    """The map in the process's own /tmp, under its own number. The shim has to be seen there, too."""
    usr = os.path.join(folder, "usr")
    for source, place in ((VALTRACE, "bin/valtrace"), (SHIM, "lib/libvaltrace.so"), (MADE, "bin/made")):
        os.makedirs(os.path.dirname(os.path.join(usr, place)), exist_ok=True)
        shutil.copy(source, os.path.join(usr, place))
    apart = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", 'mount -t tmpfs none /tmp && "$@"', "sh"]
    if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode:
        tap.ok(True, "another namespace # SKIP unshare is not allowed")
        return
    trace, pid, memory = run(folder, "map", *apart, valtrace=os.path.join(usr, "bin/valtrace"), made=os.path.join(usr, "bin/made"))
    tap.ok(pid < 100, f"it calls itself {pid}")
    check_map(tap, trace, 0, memory, "another namespace")


def check_switches(tap, folder):
    """--jit-names adds to what the program has in its environment, and only with it."""
    names = ("NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "MONO_ENV_OPTIONS", "PYTHONPERFSUPPORT")
    env = {key: value for key, value in os.environ.items() if key not in names}
    env["NODE_OPTIONS"] = "--no-warnings"
    command = ["sh", "-c", "; ".join(f'echo "${name}"' for name in names)]

    def seen(*options):
        return subprocess.run([VALTRACE, "run", "-q", "-o", os.path.join(folder, "s.vtr"), *options, "--", *command], check=True,
                              capture_output=True, text=True, env=env, timeout=HANG_S).stdout.splitlines()
    tap.equal(seen(), ["--no-warnings", "", "", ""], "the environment is the program's")
    have = seen("--jit-names")
    tap.ok(have[0].startswith("--no-warnings --perf-basic-prof") and "DumpPerfMapAtExit" in have[1] and
           have[2:] == ["--jitmap", "1"], "--jit-names adds the switches", have)


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-jit-", dir="/var/tmp")
    trace, pid, memory = run(folder, "map")
    check_map(tap, trace, pid, memory, "perf map")
    check_exports(tap, folder, trace)
    trace, pid, memory = run(folder, "stale")
    os.remove(f"/tmp/perf-{pid}.map")
    tap.equal((called_from(trace)[0], vtr.Trace(trace).jit), ({("", ""): 10}, []), "a map from before the process is none")
    trace, pid, memory = run(folder, "dump")
    tap.equal(called_from(trace)[0], {("[jit]", "first"): 10, ("[jit]", "moves"): 50}, "jitdump: code has its names, where it was moved, too")
    entries = vtr.Trace(trace).jit
    tap.equal([entry[1:] for entry in entries], [(memory, PIECE, "first"), (memory + PIECE, PIECE, "moves"), (memory + 2 * PIECE, PIECE, "moves")],
              "jitdump: the trace has what the program wrote")
    tap.ok(entries == sorted(entries) and len({entry[0] for entry in entries}) == 3, "each at its time", [str(entries)])
    trace, pid, memory = run(folder, "again")
    tap.equal(called_from(trace)[0], {(MADE, "mapped_twice"): 50, ("", ""): 7}, "code of the program's file that it maps again has its name, "
              "unless something else was put there")
    tap.equal(called_from(trace)[1]["uncertain_allocations"], 57, "and is uncertain")
    check_gdb(tap, folder)
    check_namespace(tap, folder)
    check_switches(tap, folder)
    shutil.rmtree(folder)
    tap.done()


main()
