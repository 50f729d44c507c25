#!/usr/bin/python3
"""Programs for musl under the one shim there is: counts as of a counting shim built with musl-gcc, stacks as the
program's own record of its calls, exec between the two C libraries in both directions. Needs musl-tools."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
import valtest  # noqa: E402
from valtest import MODES, ROOT, SHIM, VALTRACE, Run, Tap, check, program, vtr  # noqa: E402

MUSL = ["musl-gcc", "-std=gnu17", "-O1", "-g", "-fomit-frame-pointer", "-fno-builtin", "-D_GNU_SOURCE", "-Iinclude",
        "-pthread", "-Wl,--eh-frame-hdr"]
PLUGIN = """#include <stdlib.h>
void *plugin(int n) { return n ? malloc((size_t)n) : calloc(3, 7); }
"""
OPENS = """#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  for (int i = 0; i < 20; i++) {
    void *library = dlopen(argv[1], i & 1 ? RTLD_NOW : RTLD_LAZY);
    void *(*plugin)(int) = (void *(*)(int))dlsym(library, "plugin");
    for (int n = 0; n < 50; n++) free(plugin(n));
    dlclose(library);
  }
  void *aligned = NULL;
  if (!posix_memalign(&aligned, 64, 100)) free(aligned);
  free(aligned_alloc(64, 128));
  free(memalign(32, 100));
  free(valloc(10));
  free(reallocarray(NULL, 10, 10));
  return puts("done") < 0 || argc < 2;
}
"""


def build(folder, name, source, *options):
    path = os.path.join(folder, name)
    subprocess.run([*MUSL, "-o", path, source, *options], check=True, cwd=ROOT)
    return path


def built(folder):
    """The programs of tests/programs that need nothing but musl, and two of our own; {name: path}."""
    texts = {"plugin": PLUGIN, "opens": "#include <malloc.h>\n" + OPENS}
    for name, text in texts.items():
        with open(os.path.join(folder, name + ".c"), "w", encoding="ascii") as file:
            file.write(text)
    out = {n: build(folder, n, f"tests/programs/{n}.c") for n in
           ("hello", "forks", "threads", "ends", "signals", "recursion", "environment", "mappings")}
    out["shadowed"] = build(folder, "shadowed", "tests/programs/shadowed.c", "-finstrument-functions")
    out["plugin"] = build(folder, "plugin.so", folder + "/plugin.c", "-shared", "-fPIC")
    out["opens"] = build(folder, "opens", folder + "/opens.c")
    # Without a library that it needs it can be loaded by both loaders, which `valtrace` with its glibc has to.
    valtest.ORACLE = build(folder, "libcount.so", "tests/oracle/count.c", "-shared", "-fPIC", "-nostdlib")
    return out


def check_counts(tap, musl):
    check(tap, "hello", [musl["hello"], "3000"])
    for way in ("fork", "vfork", "spawn", "daemon", "exec", "raw"):
        check(tap, way, [musl["forks"], way])
    check(tap, "system, whose shell is glibc's", [musl["forks"], "system"])
    for way in ("destructors", "short", "cross", "small-stack", "sigaltstack"):
        check(tap, f"threads, {way}", [musl["threads"], way])
    for way in ("exit", "_exit", "quick_exit", "return", "abort", "sigkill"):
        check(tap, f"ends by {way}", [musl["ends"], way], stderr=False)
    check(tap, "signals", [musl["signals"], "300"])
    check(tap, "recursion", [musl["recursion"]])
    check(tap, "dlopen, calloc, aligned", [musl["opens"], musl["plugin"]])


def check_stacks(tap, musl):
    for mode in MODES:
        run = Run([musl["shadowed"]], mode)
        trace = run.traces()[0]
        stacks = {e.size: trace.stack(e.stack) for e in trace.events() if e.size >= 1000}
        lines = run.stdout.decode().splitlines()
        split = lines.index("through the C library")
        wrong, cut, cnt = [], [], 0
        for i, line in enumerate(lines):
            if i == split:
                continue
            size, want = line.split(":")
            want = [int(a, 16) for a in want.split()]
            got = list(reversed(stacks[int(size)][1:]))[2:]  # without malloc's caller and its own
            cnt += 1
            cut_short = got[-1] == 1
            inner = 1 if i > split else len(want)  # what has CFI all the way
            if got[:inner] != want[:inner]:
                wrong.append((line, [hex(a) for a in got]))
            if i > split and not cut_short and want[-1] not in got:
                cut.append((line, [hex(a) for a in got]))
        tap.ok(cnt >= 36 and not wrong, f"{cnt} stacks are the program's own record of calls [{mode}]", wrong[:3])
        tap.ok(not cut, f"through musl's own frames whole or marked cut [{mode}]", cut[:3])
        run.remove()


def check_across(tap, musl):
    """exec from glibc to musl and back; what each leaves is a trace of its own."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("VALT") and k != "LD_PRELOAD"}
    glibc = program("hello")[0]
    chains = {"glibc, musl, glibc": (program("environment", "own", musl["environment"], "own", glibc), ["environment", "hello"]),
              "musl, glibc": ([musl["environment"], "own", glibc], ["environment", "hello"]),
              "a glibc shell": (["sh", "-c", musl["hello"] + "; " + glibc], ["dash", "hello"])}
    for name, (argv, want) in chains.items():
        with tempfile.TemporaryDirectory(prefix="valtest-musl-") as folder:
            bare = subprocess.run(argv, env=plain, capture_output=True)
            run = subprocess.run([VALTRACE, "run", "-q", "-o", folder + "/%p.vtr", "--", *argv], env=plain, capture_output=True)
            traces = [vtr.Trace(os.path.join(folder, f)) for f in os.listdir(folder)]
            tap.equal((run.returncode, run.stdout, run.stderr), (bare.returncode, bare.stdout, bare.stderr), f"{name}: as without")
            exes = {os.path.basename(t.exe) for t in traces}
            tap.ok(exes == set(want) and all(t.complete for t in traces), f"{name}: every image is recorded", [exes])
    for way in ("system", "popen", "wordexp", "cleared", "descriptor", "call", "spawn"):
        argv = [musl["environment"], way, glibc]
        with tempfile.TemporaryDirectory(prefix="valtest-musl-") as folder:
            bare = subprocess.run(argv, env=plain, capture_output=True)
            run = subprocess.run([VALTRACE, "run", "-q", "-o", folder + "/%p.vtr", "--", *argv], env=plain, capture_output=True)
            exes = {os.path.basename(vtr.Trace(os.path.join(folder, f)).exe) for f in os.listdir(folder)}
            tap.ok(run.stdout == bare.stdout and "hello" in exes, f"musl, {way}: nothing is seen, and it is followed", [exes, run, bare])


def main():
    tap = Tap()
    if not shutil.which("musl-gcc"):
        tap.skip("programs for musl", "musl-tools is not installed")
        tap.done()
    with tempfile.TemporaryDirectory(prefix="valtest-musl-") as folder:
        os.chmod(folder, 0o755)
        musl = built(folder)
        check_counts(tap, musl)
        check_stacks(tap, musl)
        check_across(tap, musl)
    tap.done()


main()
