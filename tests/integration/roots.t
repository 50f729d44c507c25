#!/usr/bin/python3
"""What the report says of stacks through generated code: how many rest on frame pointers, how many have no root and
where they end; and that an address which no call put on the stack does not cut one. The numbers are the program's."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, VALTRACE, Tap  # noqa: E402

PROGRAM = r"""
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
void *volatile sink;
static __attribute__((noinline)) void allocate(void) { sink = malloc(64); __asm__ volatile("" ::: "memory"); }
/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
static uint8_t const framed[] = {0x55, 0x48, 0x89, 0xE5, 0xFF, 0xD7, 0x5D, 0xC3};
/* push %rbp; mov $9,%ebp; call *%rdi; pop %rbp; ret */
static uint8_t const frameless[] = {0x55, 0xBD, 9, 0, 0, 0, 0xFF, 0xD7, 0x5D, 0xC3};
/* push %rbp; mov %rsp,%rbp; lea back(%rip),%rax; push %rax; jmp *%rdi; six nops; back: nop; pop %rbp; ret */
static uint8_t const pushing[] = {0x55, 0x48, 0x89, 0xE5, 0x48, 0x8D, 0x05, 9, 0, 0, 0, 0x50, 0xFF, 0xE7,
                                  0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x5D, 0xC3};
static void run(uint8_t const *code, size_t sz, int times) {
  void (*function)(void (*)(void));
  void *mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(mem, code, sz);
  mprotect(mem, 4096, PROT_READ | PROT_EXEC);
  memcpy(&function, &mem, sizeof function);
  for (int i = 0; i < times; i++) function(allocate);
}
int main(void) {
  run(framed, sizeof framed, 100);
  run(frameless, sizeof frameless, 10);
  run(pushing, sizeof pushing, 1000);
  return 0;
}
"""


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-roots-")
    program, trace = os.path.join(folder, "generated"), os.path.join(folder, "t.vtr")
    with open(program + ".c", "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    subprocess.run(["gcc", "-O1", "-o", program, program + ".c"], check=True)
    subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", program], check=True, timeout=HANG_S)
    have = json.loads(subprocess.run([VALTRACE, "report", "--json", trace], check=True, capture_output=True).stdout)["completeness"]
    tap.equal(have["uncertain_allocations"], 1100, "allocations whose callers rest on frame pointers")
    tap.equal((have["truncated_stacks"], have["truncated_in"]), (10, [{"module": "", "allocations": 10}]), "those without a root")
    text = subprocess.run([VALTRACE, "report", trace], check=True, capture_output=True, text=True,
                          env={**os.environ, "COLUMNS": "200"}).stdout
    tap.ok("10 stacks could not be followed to their root, most of them in generated code" in " ".join(text.split()),
           "the text says where", [text])
    tap.ok("1,100 allocations through generated code" in text, "and what may be wrong", [text])
    shutil.rmtree(folder)
    tap.done()


main()
