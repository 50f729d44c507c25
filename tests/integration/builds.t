#!/usr/bin/env python3
"""Names are those of the build that was recorded, or there are none and the report says why: with and without a
build-id, when the file has been rebuilt, has gone, has been damaged or is another one in the same place."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
VALTRACE, SHIM = f"{BUILD}/bin/valtrace", f"{BUILD}/lib/libvaltrace.so"
# Two functions of the same size: in the other build they have changed places, so that names are wrong, not missing.
SOURCE = """
#include <dlfcn.h>
#include <stdlib.h>
__attribute__((noinline)) void *FIRST(void) { return malloc(111); }
__attribute__((noinline)) void *SECOND(void) { return malloc(222); }
void *volatile sink;
void calls(void) { sink = FIRST(); sink = SECOND(); }
"""
MAIN = """
int main(int argc, char **argv) {
  if (argc > 1) ((void (*)(void))dlsym(dlopen(argv[1], RTLD_NOW), "calls"))();
  else calls();
  return 0;
}
"""
RIGHT = {111: "alfa", 222: "beta"}


def build(path, build_id, other, *flags):
    names = ["-DFIRST=beta", "-DSECOND=alfa"] if other else ["-DFIRST=alfa", "-DSECOND=beta"]
    subprocess.run(["gcc", "-O1", "-g", "-fno-optimize-sibling-calls", f"-Wl,--build-id={build_id}", *names, *flags, "-x", "c", "-", "-o", path],
                   input=SOURCE + ("" if "-shared" in flags else MAIN), text=True, check=True)


def record(folder, argv):
    """The same program recorded in each way; the embedding one last."""
    env = {**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": f"{folder}/bare.vtr"}
    subprocess.run(argv, env=env, check=True)
    subprocess.run([VALTRACE, "run", "-q", "--no-symbols", "-o", f"{folder}/run.vtr", "--", *argv], check=True)
    subprocess.run([VALTRACE, "run", "-q", "-o", f"{folder}/embedded.vtr", "--", *argv], check=True)
    return [f"{folder}/bare.vtr", f"{folder}/run.vtr"]


def report(*traces):
    """(name of the function of each block by its size, reasons by file)"""
    data = json.loads(subprocess.run([VALTRACE, "report", "leaks", "--json", "--by", "site", *traces], capture_output=True, check=True).stdout)
    names = {s["leaked_bytes"] // s["leaked_blocks"]: s["stack"][0]["function"] for s in data["sites"]}
    reasons = {os.path.basename(n["module"]): n["reason"] for n in data["completeness"]["nameless"]}
    return {size: names.get(size) for size in RIGHT}, reasons


def warnings_of(trace):
    text = subprocess.run([VALTRACE, "report", trace], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "400"}).stdout
    return [line for line in text.splitlines() if line.startswith("  !")]


def check(name, trace, reason, file):
    names, reasons = report(trace)
    sentence = {"other-build": f"{file} is another build than the one that was recorded", "absent": f"{file} is not there", "damaged": f"{file} cannot be read"}
    if reason:
        warnings = warnings_of(trace)
        ok(not any(names.values()) and reasons.get(file) == reason, f"{name}: no names, and why", names, reasons)
        ok([w for w in warnings if sentence[reason] in w] and not [w for w in warnings if "install the debug" in w], f"{name}: said so", *warnings)
    else:
        ok(names == RIGHT and file not in reasons, f"{name}: the right names", names, reasons)


def sites(*traces):
    data = subprocess.run([VALTRACE, "report", "leaks", "--json", "--by", "site", *traces], capture_output=True, check=True).stdout
    return sorted((s["leaked_bytes"], s["stack"][0]["function"]) for s in json.loads(data)["sites"] if s["leaked_bytes"] in RIGHT)


def both_builds(folder, name, argv, old):
    """Traces of the build before and of that now in one report, either first: only the one that is there has names."""
    new = f"{folder}/new.vtr"
    subprocess.run([VALTRACE, "run", "-q", "--no-symbols", "-o", new, "--", *argv], check=True)
    want = [(111, ""), (111, "beta"), (222, ""), (222, "alfa")]
    for trace in old:
        for order in ([trace, new], [new, trace]):
            found = sites(*order)
            ok(found == want, f"{name}, both builds: {' '.join(map(os.path.basename, order))}", found)


def check_executable(folder, build_id):
    path = f"{folder}/prog-{build_id}"
    build(path, build_id, False)
    traces = record(folder, [path])

    def each(name, reason):
        for trace in traces:
            check(f"build-id {build_id}, {os.path.basename(trace)}, {name}", trace, reason, os.path.basename(path))
        check(f"build-id {build_id}, embedded, {name}", f"{folder}/embedded.vtr", None, os.path.basename(path))
    each("unchanged", None)
    os.rename(path, path + ".away")
    each("gone", "absent")
    build(path, build_id, True)
    each("rebuilt", "other-build")
    both_builds(folder, f"build-id {build_id}", [path], traces)
    with open(path, "wb") as file:
        file.write(b"#!/bin/sh\n" * 1000)
    each("overwritten", "damaged" if build_id == "sha1" else "other-build")
    os.rename(path + ".away", path)
    each("back again", None)


def check_library(folder):
    """One that is loaded later; and traces of both builds in one report keep their names apart."""
    program, path = f"{folder}/prog", f"{folder}/late.so"
    build(program, "sha1", False, "-ldl")
    build(path, "none", False, "-shared", "-fPIC")
    traces = record(folder, [program, path])
    for trace in traces:
        check(f"a library loaded later, {os.path.basename(trace)}", trace, None, "late.so")
    os.rename(f"{folder}/embedded.vtr", f"{folder}/before.vtr")
    os.unlink(path)
    build(path, "none", True, "-shared", "-fPIC")
    for trace in traces:
        check(f"a library loaded later, rebuilt, {os.path.basename(trace)}", trace, "other-build", "late.so")
    both_builds(folder, "a library loaded later", [program, path], traces)
    record(folder, [program, path])
    data = subprocess.run([VALTRACE, "report", "leaks", "--json", "--by", "site", f"{folder}/before.vtr", f"{folder}/embedded.vtr"], capture_output=True, check=True)
    found = sorted((s["leaked_bytes"], s["stack"][0]["function"]) for s in json.loads(data.stdout)["sites"])
    ok([f for f in found if f[1] in ("alfa", "beta")] == [(111, "alfa"), (111, "beta"), (222, "alfa"), (222, "beta")],
       "two builds without build-id in one report keep their names", found)


INLINED = """
#include <stdlib.h>
static inline __attribute__((always_inline)) void *inner(void) { return malloc(111); }
__attribute__((noinline)) void *outer(void) { return inner(); }
void *volatile sink;
int main(void) { sink = outer(); return 0; }
"""


def inlined(folder, name, *steps):
    """Names of the stack in a program made by shell commands, what is missing, and what pack says of it."""
    with open(f"{folder}/i.c", "w", encoding="utf-8") as file:
        file.write(INLINED)
    script = " && ".join(["gcc -c -O1 -g -fno-optimize-sibling-calls -o i.o i.c && gcc -o i i.o", *steps])
    subprocess.run(script, shell=True, cwd=folder, check=True)
    trace = f"{folder}/i.vtr"
    subprocess.run([VALTRACE, "run", "-q", "--no-symbols", "-o", trace, "--", f"{folder}/i"], check=True)
    data = json.loads(subprocess.run([VALTRACE, "report", "leaks", "--json", "--by", "site", trace], capture_output=True, check=True).stdout)
    stack = [s["stack"] for s in data["sites"] if s["leaked_bytes"] == 111][0]
    names = [f["function"] for f in stack if f["module"].endswith("/i") and f["function"] != "_start"]
    missing = [(n["reason"], os.path.basename(n["missing"])) for n in data["completeness"]["nameless"] if n["module"].endswith("/i")]
    return names, missing, subprocess.run([VALTRACE, "pack", trace], capture_output=True, text=True, check=True).stderr


def check_debug_files(folder):
    zstd = "objcopy --compress-debug-sections=zstd"
    ways = {"plain": [], "zstd": [f"{zstd} i"],
            "zstd in a file of its own": ["objcopy --only-keep-debug i i.debug", "strip i", f"{zstd} i.debug", "objcopy --add-gnu-debuglink=i.debug i"]}
    for name, steps in ways.items():
        if steps and subprocess.run(f"{zstd} /proc/self/exe {folder}/try", shell=True, capture_output=True, check=False).returncode:
            skip(f"objcopy with zstd: {name}")
            continue
        found, missing, said = inlined(folder, name, *steps)
        ok(found == ["inner", "outer", "main"] and not missing and not said, f"debug information, {name}", found, missing, said)
    split = "gcc -c -O1 -g -gsplit-dwarf -fno-optimize-sibling-calls -o i.o i.c && gcc -o i i.o"
    found, missing, said = inlined(folder, "dwo", split)
    ok(found == ["inner", "outer", "main"] and not missing and not said, "debug information in a .dwo file", found, missing, said)
    found, missing, said = inlined(folder, "no dwo", split, "rm *.dwo")
    ok(found == ["outer", "main"] and missing == [("no-dwo", "i.dwo")] and said.count("\n") == 1 and "i.dwo" in said, "a .dwo file that is missing is named",
       found, missing, said)
    check_package(folder)


def check_package(folder):
    """A .dwp file: newer versions of libdw read it, else it is named, with what to do."""
    if not shutil.which("dwp"):
        skip("dwp")
        return
    found, missing, said = inlined(folder, "dwp", "gcc -c -O1 -g -gdwarf-4 -gsplit-dwarf -fno-optimize-sibling-calls -o i.o i.c && gcc -o i i.o && dwp -e i -o i.dwp && rm *.dwo")
    read = found == ["inner", "outer", "main"] and not missing and not said
    ok(read or found == ["outer", "main"] and missing == [("dwp", "i.dwp")] and said.count("\n") == 1 and "i.dwp (keep the .dwo files" in said,
       "debug information in a .dwp file is read, or named", found, missing, said)
    os.unlink(f"{folder}/i.dwp")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for build_id in ("none", "sha1"):
            check_executable(folder, build_id)
        check_library(folder)
        check_debug_files(folder)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
