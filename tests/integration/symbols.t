#!/usr/bin/env python3
"""The symbolizer against eu-addr2line and nm: inlined frames, C++ and Rust names, separate debug files,
.gnu_debugdata, and damaged ELF files, which must cost no more than their own names. SEED repeats a run."""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from symbolizer import SYMBOLIZE, by_address, run, symbolize
from tap import COUNT, ok, skip

BUILD = os.environ.get("BUILD", "build")
CXX = r"""
#include <map>
#include <string>
namespace ns {
template <class T> struct Box { T v; __attribute__((noinline)) T get(int a) { return v + a; } };
static inline __attribute__((always_inline)) int inner(int x) { return x * 3 + 1; }
static inline __attribute__((always_inline)) int middle(int x) { return inner(x) ^ 5; }
__attribute__((noinline)) static int outer(volatile int *x) { return middle(*x); }
}
int main(int c, char **) { volatile int x = c; ns::Box<int> b{c}; return b.get(3) + ns::outer(&x); }
"""
RUST = r"""
mod deep { pub struct Thing(pub u64); impl Thing { #[inline(never)] pub fn work(&self) -> u64 { self.0 * 7 } } }
fn main() { let t = deep::Thing(std::env::args().count() as u64); std::process::exit((t.work() % 3) as i32); }
"""


def text_offsets(elf, cnt):
    for line in run("readelf", "-SW", elf).stdout.decode().splitlines():
        fields = line.replace("[ ", "[").split()
        if len(fields) > 5 and fields[1] == ".text":
            start, size = int(fields[3], 16), int(fields[5], 16)
            return [start + random.randrange(size) for _ in range(cnt)]
    return []


def check_against_elfutils(name, elf, cnt):
    if not shutil.which("eu-addr2line"):
        skip(f"{name}: eu-addr2line")
        return
    offsets = text_offsets(elf, cnt)
    ours = by_address(symbolize(elf, offsets)[0].stdout.decode())
    theirs = by_address(run("eu-addr2line", "-a", "-C", "-i", "-f", "-e", elf, *[hex(o) for o in offsets]).stdout.decode())
    differing = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]]
    ok(len(ours) == len(theirs) == cnt and len(differing) <= 0.05 * cnt,
       f"{name}: {cnt} addresses as eu-addr2line says, but {len(differing)}", *differing[:5])


def address_of(elf, pattern):
    for line in run("nm", elf).stdout.decode().splitlines():
        match = re.match(r"^([0-9a-f]+) [tT] (.*)$", line)
        if match and re.search(pattern, match[2]):
            return int(match[1], 16)
    return 0


def check_cxx(folder):
    source, elf = f"{folder}/c.cc", f"{folder}/c"
    with open(source, "w", encoding="utf-8") as file:
        file.write(CXX)
    run("g++", "-O2", "-g", "-o", elf, source)
    lines = symbolize(elf, [address_of(elf, "Box")])[1]
    ok(lines[0] == "ns::Box<int>::get(int)" and lines[1] == f"{source}:5", "C++: a template's name and line", lines)
    start = address_of(elf, r"outer")
    found = [symbolize(elf, [start + i])[1] for i in range(0, 12)]
    chains = [[line.split(" ")[0].split("(")[0] for line in lines[::2]] for lines in found]
    ok(any(len(c) == 3 and c[0].endswith("inner") and c[1].endswith("middle") and c[2].endswith("outer") for c in chains),
       "C++: inlined frames, innermost first", *chains)
    check_chain("g++", elf, ["inner inlined", f"{source}:6", "middle inlined", f"{source}:7", "ns::outer(int volatile*)", f"{source}:8"])
    return elf


def check_chain(name, elf, want, flags=()):
    """Somewhere in the function "outer" these frames are found, innermost first."""
    found = [symbolize(elf, [address_of(elf, "outer") + i])[1] for i in range(12)]
    ok(want in found, f"{name}: inlined frames say so, with names and lines", want, *found[2:5], *flags)


def check_other_layouts(folder):
    """clang has functions inside their namespaces; split DWARF has them in a file of their own."""
    source = f"{folder}/c.cc"
    want = [f"{source}:6", f"{source}:7", "ns::outer(int volatile*)", f"{source}:8"]
    for name, command, inner in (("clang++", ["clang++"], "ns::{}(int) inlined"), ("split DWARF", ["g++", "-gsplit-dwarf"], "{} inlined")):
        elf = f"{folder}/{command[0]}{len(command)}"
        if not shutil.which(command[0]) or run(*command, "-O2", "-g", "-o", elf, source, cwd=folder).returncode:
            skip(name)
            continue
        check_chain(name, elf, [inner.format("inner"), want[0], inner.format("middle"), *want[1:]])


def check_dropped(folder):
    """A function that the linker left out has address 0, and does not claim what has no DWARF."""
    source, elf = f"{folder}/d.c", f"{folder}/d"
    with open(source, "w", encoding="utf-8") as file:
        file.write("int unused(volatile int *x) {" + "*x += *x * 3;" * 2000 + "return *x; }\nint main(void) { return 0; }\n")
    run("gcc", "-O1", "-g", "-ffunction-sections", "-Wl,--gc-sections", "-o", elf, source)
    start = address_of(elf, "^_start$")
    ok(address_of(elf, "unused") == 0 and symbolize(elf, [start, address_of(elf, "^main$")])[1] == ["_start", "??:0", "main", f"{source}:2"],
       "functions the linker dropped", symbolize(elf, [start])[1])


def check_boundaries(elf):
    """The first and the last byte of a function are its own, the padding behind it is nobody's."""
    sized = sorted((int(m[1], 16), int(m[2], 16), m[3]) for m in re.finditer(r"^(\w+) (\w+) [tT] (vt_\w+)$", run("nm", "-S", elf).stdout.decode(), re.M))
    gaps = [(start, start + size, name) for (start, size, name), (after, *_) in zip(sized, sized[1:]) if after > start + size][:40]
    lines = [part.splitlines()[-2] for part in ("\n" + symbolize(elf, [a for gap in gaps for a in (gap[0], gap[1] - 1)])[0].stdout.decode()).split("\n0x")[1:]]
    names = dict(zip([a for gap in gaps for a in (gap[0], gap[1] - 1)], lines))
    bad = [gap for gap in gaps if (names[gap[0]], names[gap[1] - 1]) != (gap[2], gap[2])]
    claimed = [gap for gap in gaps if symbolize(elf, [gap[1]])[1][-2] == gap[2]]
    ok(len(gaps) > 10 and not bad, f"the ends of {len(gaps)} functions are theirs", *bad[:3])
    ok(not claimed, "what follows them is not", *claimed[:3])


def check_paths(folder):
    """A file has one name, however it was given to the compiler."""
    os.makedirs(f"{folder}/sub/deep")
    for name in ("sub/p.c", "up.c"):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write("int main(void) { return 0; }\n")
    for where, given, flags, want in (("", "sub//p.c", (), f"{folder}/sub/p.c"), ("", "./sub/./p.c", (), f"{folder}/sub/p.c"),
                                      ("", "sub/deep/../p.c", (), f"{folder}/sub/p.c"), ("sub", "p.c", (), f"{folder}/sub/p.c"),
                                      ("sub/deep", "../../sub/p.c", (), f"{folder}/sub/p.c"), ("", f"{folder}/sub/p.c", (), f"{folder}/sub/p.c"),
                                      ("sub", "../up.c", (f"-ffile-prefix-map={folder}/sub=.",), "./../up.c"),
                                      ("sub", "../up.c", (f"-ffile-prefix-map={folder}=.",), "./up.c")):
        elf = f"{folder}/path"
        run("gcc", "-g", *flags, "-o", elf, given, cwd=f"{folder}/{where}")
        found = symbolize(elf, [address_of(elf, "^main$")])[1]
        ok(found[:2] == ["main", f"{want}:1"], f"a file given as {given.replace(folder, 'FOLDER')} in /{where}", found)


def check_symbol_table(folder):
    """Symbols without DWARF: one inside another, one without a size, several at one address."""
    functions = (("outer", "function", ".globl outer"), ("inner", "function", ""), ("plain", "notype", ".globl plain"), ("sized", "function", ""))
    source, elf = f"{folder}/s.s", f"{folder}/s"
    with open(source, "w", encoding="utf-8") as file:
        file.write("\n".join(f"{scope}\n.type {name}, @{kind}" for name, kind, scope in functions) + """
.text
outer: .skip 4, 0x90
inner: .skip 4, 0x90
.size inner, . - inner
.skip 4, 0x90
.size outer, . - outer
alone: .skip 4, 0x90
plain:
sized: .skip 4, 0x90
.size sized, . - sized
""")
    run("gcc", "-nostdlib", "-shared", "-o", elf, source)
    start = address_of(elf, "^outer$")
    lines = symbolize(elf, [start + at for at in (0, 3, 4, 7, 8, 11, 12, 15, 16, 19)])[1][::2]
    ok(lines == ["outer"] * 2 + ["inner"] * 2 + ["outer"] * 2 + ["alone"] * 2 + ["sized"] * 2, "symbols that overlap, or have no size", lines)


def check_batches():
    """More addresses than one worker takes at once: every name is that of its address."""
    offsets = text_offsets(SYMBOLIZE, 9000)
    whole = by_address(symbolize(SYMBOLIZE, offsets)[0].stdout.decode())
    some = random.sample(range(len(offsets)), 200)
    alone = by_address(symbolize(SYMBOLIZE, [offsets[i] for i in some])[0].stdout.decode())
    ok(len(whole) == 9000 and [whole[i] for i in some] == alone, "9,000 addresses at once, 200 of them again")


def check_rust(folder):
    source, elf = f"{folder}/r.rs", f"{folder}/r"
    with open(source, "w", encoding="utf-8") as file:
        file.write(RUST)
    if not shutil.which("rustc") or run("rustc", "-g", "-o", elf, source).returncode:
        skip("Rust")
        return
    lines = symbolize(elf, [address_of(elf, "work")])[1]
    ok("deep::Thing" in lines[0] and lines[0].endswith("work") and lines[1].endswith("r.rs:2"), "Rust: name and line", lines)


def check_stripped(folder, elf):
    address = address_of(elf, "Box")
    debug, stripped = f"{folder}/c.debug", f"{folder}/stripped"
    run("objcopy", "--only-keep-debug", elf, debug)
    run("objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", elf, stripped)
    ok(symbolize(stripped, [address])[1][:2] == symbolize(elf, [address])[1][:2], "a debug file by .gnu_debuglink")
    bare = f"{folder}/bare"
    run("objcopy", "--strip-all", elf, bare)
    ok(symbolize(bare, [address])[1][0] == "??", "nothing is known of a stripped file")
    if shutil.which("xz"):
        symbols = f"{folder}/mini"
        run("objcopy", "-S", "--remove-section", ".comment", "--wildcard", "--keep-symbol=*Box*", debug, symbols)
        run("xz", "-k", symbols)
        run("objcopy", "--add-section", f".gnu_debugdata={symbols}.xz", bare)
        ok(symbolize(bare, [address])[1][0].startswith("ns::Box<int>::get(int)"), "names from .gnu_debugdata")


def check_damaged(folder, elf):
    offsets = text_offsets(elf, 30)
    with open(elf, "rb") as file:
        good = bytearray(file.read())
    crashed = 0
    for _ in range(40):
        bad = bytearray(good)
        for _ in range(random.choice((1, 5, 200))):
            bad[random.randrange(len(bad))] = random.randrange(256)
        if random.random() < 0.3:
            del bad[random.randrange(len(bad)):]
        with open(f"{folder}/bad", "wb") as file:
            file.write(bad)
        done, lines = symbolize(f"{folder}/bad", offsets)
        crashed += done.returncode not in (0, 1) or len(lines) < 2 * len(offsets)
    ok(crashed == 0, "40 damaged files: always an answer for every address")
    done, lines = symbolize(f"{folder}/missing", offsets)
    ok(done.returncode == 1 and lines[0] == "??", "a file that is not there")


def check_recorded(folder):
    """A trace keeps what the files told when it was recorded, and pack asks them again."""
    library = ("#include <stdlib.h>\n__attribute__((noinline)) static void *inner(void) { return malloc(100); }\n"
               "void *api(void) { void *p = inner(); __asm__ volatile(\"\" ::: \"memory\"); return p; }\n")
    for name, text in (("l.c", library), ("p.c", "void *api(void);\nint main(void) { return !api(); }\n")):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    valtrace, full, used, program = os.path.abspath(f"{BUILD}/bin/valtrace"), f"{folder}/full", f"{folder}/libl.so", f"{folder}/p"
    run("gcc", "-g", "-O1", "-shared", "-fPIC", "-Wl,--build-id,-soname,libl.so", "-o", full, f"{folder}/l.c")
    run("strip", "-s", "-o", used, full)
    run("gcc", "-o", program, f"{folder}/p.c", used, f"-Wl,-rpath,{folder}")
    run(valtrace, "run", "-q", "-o", f"{folder}/named.vtr", program)
    run(valtrace, "run", "-q", "--no-symbols", "-o", f"{folder}/unnamed.vtr", program)
    shutil.copy(full, used)
    run(valtrace, "pack", "-o", f"{folder}/again.vtr", f"{folder}/named.vtr")
    for trace, want in (("named", False), ("again", True), ("unnamed", True)):
        text = run(valtrace, "report", "leaks", f"{folder}/{trace}.vtr").stdout.decode()
        ok("api " in text and ("inner " in text and "l.c:2" in text) == want, f"debug information that came later, {trace} trace", text.splitlines())


def forks(folder, *options):
    """How many processes `run` and what it records make, for ten programs that have little in common."""
    programs = ["true", "uname", "date", "id", "pwd", "nproc", "arch", "tty", "whoami", "hostid"]
    script = ";".join(f"/usr/bin/{name} >/dev/null" for name in programs) + ";:"
    run("strace", "-f", "-qq", "-o", f"{folder}/forks", "-e", "trace=clone,clone3,fork,vfork", f"{BUILD}/bin/valtrace", "run", "-q", "--no-snapshot", *options,
        "-d", f"{folder}/ten", "--", "/bin/sh", "-c", script)
    with open(f"{folder}/forks", encoding="utf-8") as file:
        return sum(" = " in line and "CLONE_THREAD" not in line and not line.rstrip().endswith("?") for line in file)


def check_one_pass(folder):
    if not shutil.which("strace"):
        skip("strace")
        return
    more = forks(folder) - forks(folder, "--no-symbols")
    ok(0 < more <= (os.cpu_count() or 1), f"one pass names what all programs of a run have: {more} processes for it")


def main():
    seed = int(os.environ.get("SEED", time.time()))
    random.seed(seed)
    print(f"# SEED={seed}")
    with tempfile.TemporaryDirectory() as folder:
        elf = check_cxx(folder)
        check_other_layouts(folder)
        check_dropped(folder)
        check_boundaries(SYMBOLIZE)
        check_paths(folder)
        check_symbol_table(folder)
        check_batches()
        check_rust(folder)
        check_stripped(folder, elf)
        check_damaged(folder, elf)
        check_recorded(folder)
        check_one_pass(folder)
        check_against_elfutils("own program", SYMBOLIZE, 500)
        libc = re.search(r"=> (/\S*libc\.so\.6)", run("ldd", SYMBOLIZE).stdout.decode())
        check_against_elfutils("libc", libc[1], 500)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
