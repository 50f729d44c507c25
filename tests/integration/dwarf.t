#!/usr/bin/env python3
"""Debug information that ordinary programs seldom have, looked up by the symbolizer and by addr2line (binutils; elfutils
where the two differ): nested and overlapping functions and units, try blocks, code that only has lines, a debug file
for other addresses, and more addresses of one function than one worker takes at once."""
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dwarf import Entry, sections
from symbolizer import by_address, run, symbolize
from tap import COUNT, ok, skip

NESTED = {"C": ("gcc", "c", """
void *volatile sink;
static inline __attribute__((always_inline)) void *helper(long n) { sink = (void *)n; return sink; }
int main(int argc, char **argv) {
  int k = argc;
  { int nested(int n) { return helper(n) != argv && k; }
    int (*volatile f)(int) = nested;
    return f(3); }
}
"""), "Fortran": ("gfortran", "f90", """
subroutine work(n)
  integer :: n, total
  total = 0
  call inner(n)
  print *, total
contains
  subroutine inner(k)
    integer :: k
    total = total + k
  end subroutine
end subroutine
program p
  call work(3)
end program
""")}


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def ours_at(elf, offsets):
    return by_address(symbolize(elf, offsets)[0].stdout.decode())


def theirs_at(elf, offsets, tool="addr2line"):
    return by_address(run(tool, "-a", "-i", "-f", "-e", elf, *map(hex, offsets)).stdout.decode().replace(":?", ":0"))


def agree(name, elf, offsets, tool="addr2line", names=()):
    """The same frames as the tool finds, at each address, and not by chance none at all."""
    if not shutil.which(tool):
        return skip(f"{name}: {tool}")
    ours, theirs = ours_at(elf, offsets), theirs_at(elf, offsets, tool)
    theirs = [[re.sub(r"\.\d+$", "", frame) for frame in frames] for frames in theirs]  # which symbols of nested functions have
    bad = [(hex(o), a, b) for o, a, b in zip(offsets, ours, theirs) if a != b]
    ok(len(ours) == len(theirs) == len(offsets) and not bad, f"{name}: {len(offsets)} addresses as {tool} says", *bad[:4])
    found = {frame for frames in ours for frame in frames[::2]}
    return ok(found >= set(names), f"{name}: {', '.join(names)} are among them", found)


def section_start(elf, name=".text"):
    found = re.search(rf" {re.escape(name)} +\w+ +([0-9a-f]+) ", run("readelf", "-SW", elf).stdout.decode())
    return int(found[1], 16)


def inlined(origin, start, end, line, *children):
    return Entry("inlined_subroutine", None, (f"code+{start}", f"code+{end}"), children, abstract_origin=origin, call_file=1, call_line=line)


def scope(tag, name, start, end, *children):
    return Entry(tag, name, (f"code+{start}", f"code+{end}"), children)


def unit(start, end, *children):
    return Entry("compile_unit", "x.c", (f"code+{start}", f"code+{end}"), children, stmt_list=".Lline", comp_dir="/src", language=12)


def check_scopes(folder):
    """A library of one-byte instructions, each with a line of its own."""
    catcher, trier, both, nested, module = abstract = [Entry("subprogram", name, inline=1) for name in
                                                       ("in_catch", "in_try", "in_both", "in_inside", "in_module")]
    units = [unit(0, 128, *abstract,
                  scope("subprogram", "outer", 0, 64,
                        inlined(both, 0, 24, 11, scope("try_block", None, 8, 16, inlined(trier, 8, 12, 12)),
                                scope("catch_block", None, 16, 24, inlined(catcher, 16, 20, 13))),
                        scope("subprogram", "inside", 24, 32, inlined(nested, 24, 28, 14)),
                        scope("lexical_block", None, 32, 48, scope("subprogram", "deep", 40, 44))),
                  scope("subprogram", "wide", 64, 96), scope("subprogram", "narrow", 72, 80),
                  scope("subprogram", "short", 96, 104), scope("subprogram", "long", 96, 112),
                  Entry("module", "m", children=[scope("subprogram", "of_module", 112, 128, inlined(module, 116, 120, 15))])),
             unit(128, 192, scope("subprogram", "before", 128, 144), scope("subprogram", "behind", 160, 192)),
             unit(144, 160, scope("subprogram", "between", 144, 152)),
             unit(192, 224)]
    lines = "".join(f".loc 1 {100 + i}\nnop\n" for i in range(224))
    text = f'.file 1 "/src/x.c"\n.text\ncode:\n{lines}.section .debug_line,"",@progbits\n.Lline:\n{sections(units)}'
    elf = f"{folder}/scopes.so"
    run("gcc", "-nostdlib", "-shared", "-o", f"{folder}/all.so", "-x", "assembler", write(f"{folder}/scopes.s", text))
    run("objcopy", "--strip-symbol=code", f"{folder}/all.so", elf)
    at = section_start(elf)
    agree("functions in functions and in try blocks", elf, range(at, at + 64), names=("outer", "in_both", "in_try", "in_catch", "inside", "in_inside", "deep"))
    agree("functions that overlap", elf, range(at + 64, at + 112), names=("wide", "narrow", "short", "long"))
    agree("functions of a module", elf, range(at + 112, at + 128), names=("of_module", "in_module"))
    agree("a unit with another inside", elf, [*range(at + 128, at + 144), *range(at + 160, at + 192)], names=("before", "behind"))
    agree("the unit inside", elf, range(at + 144, at + 160), "eu-addr2line", names=("between", "??"))
    agree("code that only has lines", elf, range(at + 192, at + 224), names=("??",))
    named = ours_at(f"{folder}/all.so", [at + 200])
    ok(named == [["code", "/src/x.c:300"]], "code that only has lines and a symbol", named)


def check_nested(folder):
    """Without optimization these stand inside the function around them, outside of its code."""
    for language, (compiler, suffix, text) in NESTED.items():
        elf, source = f"{folder}/nested-{suffix}", write(f"{folder}/nested.{suffix}", text)
        if not shutil.which(compiler) or run(compiler, "-g", "-w", "-o", elf, source).returncode:
            skip(f"nested functions in {language}")
            continue
        found = re.search(r"^(\w+) (\w+) t (nested|inner)\.\d+$", run("nm", "-S", elf).stdout.decode(), re.M)
        start, size, name = int(found[1], 16), int(found[2], 16), found[3]
        agree(f"nested functions in {language}", elf, range(start, start + size), names=(name, "helper") if language == "C" else (name,))


def check_bias(folder):
    """A program and its debug file for other addresses, as prelink left them."""
    source = write(f"{folder}/bias.c", "".join(f"int f{i}(int n) {{ return n * {i + 2}; }}\n" for i in range(40)))
    command = ("gcc", "-O1", "-g", "-shared", "-fPIC", "-Wl,--build-id=0x00112233445566778899aabbccddeeff00112233", "-o")
    full, other, used = f"{folder}/full.so", f"{folder}/other.so", f"{folder}/used.so"
    run(*command, full, source, "-Wl,-Ttext-segment=0x400000")
    run(*command, other, source)
    run("objcopy", "--only-keep-debug", other, f"{folder}/bias.debug")
    run("objcopy", "--strip-all", f"--add-gnu-debuglink={folder}/bias.debug", full, used)
    offsets = [int(m[1], 16) for m in re.finditer(r"^(\w+) T f\d+$", run("nm", full).stdout.decode(), re.M)]
    ours, theirs = ours_at(used, offsets), theirs_at(full, offsets)
    ok(len(offsets) == 40 and min(offsets) > 0x400000 and ours == theirs, "a debug file for other addresses", ours[:2], theirs[:2])


def check_batches(folder):
    """Names are kept from one piece of work to the next of a worker, but not their numbers."""
    source = write(f"{folder}/big.c", 'int main(void) { __asm__ volatile(".fill 20000, 1, 0x90"); return 0; }\n')
    run("gcc", "-g", "-o", f"{folder}/big", source)
    start = int(re.search(r"^(\w+) T main$", run("nm", f"{folder}/big").stdout.decode(), re.M)[1], 16)
    found = ours_at(f"{folder}/big", range(start, start + 20000))
    other = {str(frames) for frames in found} - {str(["main", f"{source}:1"])}
    ok(len(found) == 20000 and not other, "20,000 addresses of one function", *other)


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_scopes(folder)
        check_nested(folder)
        check_bias(folder)
        check_batches(folder)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
