#!/usr/bin/python3
"""What the report says of stacks through generated code: how many rest on frame pointers, how many have no root and
where they end; that an address which no call put on the stack does not cut one, that a frame pointer which is none never
makes a root, and one which leads over a caller cuts the stack. The numbers are the program's."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, VALTRACE, Tap, vtr  # noqa: E402

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
/* push %rbp; mov $9,%ebp; call *%rdi; test %eax,%eax; pop %rbp; ret */
static uint8_t const frameless[] = {0x55, 0xBD, 9, 0, 0, 0, 0xFF, 0xD7, 0x85, 0xC0, 0x5D, 0xC3};
/* The same with 0 in rbp, the mark of a root where rbp is a frame pointer. */
static uint8_t const zero[] = {0x55, 0xBD, 0, 0, 0, 0, 0xFF, 0xD7, 0x85, 0xC0, 0x5D, 0xC3};
/* sub $8,%rsp; call *%rdi; test %eax,%eax; add $8,%rsp; ret: rbp is that of the caller, who is skipped */
static uint8_t const skipping[] = {0x48, 0x83, 0xEC, 8, 0xFF, 0xD7, 0x85, 0xC0, 0x48, 0x83, 0xC4, 8, 0xC3};
/* push %rbp; mov %rsp,%rbp; lea back(%rip),%rax; push %rax; jmp *%rdi; six nops; back: nop; pop %rbp; ret */
static uint8_t const pushing[] = {0x55, 0x48, 0x89, 0xE5, 0x48, 0x8D, 0x05, 9, 0, 0, 0, 0x50, 0xFF, 0xE7,
                                  0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x5D, 0xC3};
typedef void function_t(void (*callback)(void));
static function_t *make(uint8_t const *code, size_t sz) {
  function_t *function;
  void *mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(mem, code, sz);
  mprotect(mem, 4096, PROT_READ | PROT_EXEC);
  memcpy(&function, &mem, sizeof function);
  return function;
}
static void run(uint8_t const *code, size_t sz, int times) {
  function_t *function = make(code, sz);
  for (int i = 0; i < times; i++) function(allocate);
}
__attribute__((noinline, optimize("no-omit-frame-pointer"))) static void has_frame_pointer(function_t *function) {
  for (int i = 0; i < 7; i++) function(allocate);
}
int main(void) {
  has_frame_pointer(make(skipping, sizeof skipping));
  run(zero, sizeof zero, 5);
  run(framed, sizeof framed, 100);
  run(frameless, sizeof frameless, 10);
  run(pushing, sizeof pushing, 1000);
  return 0;
}
"""

REGISTERED = r"""
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
extern "C" void __register_frame(void *), __deregister_frame(void *);
void *volatile sink;
__attribute__((noinline)) static void allocates(void) { sink = malloc(64); asm volatile("" ::: "memory"); }
__attribute__((noinline)) static void throws(void) { sink = malloc(65); throw 5; }
/* sub $16,%rsp; push %rbp; mov $9,%ebp; call *%rdi; test %eax,%eax; pop %rbp; add $16,%rsp; ret */
static uint8_t const code[] = {0x48, 0x83, 0xEC, 16, 0x55, 0xBD, 9, 0, 0, 0, 0xFF, 0xD7, 0x85, 0xC0, 0x5D, 0x48, 0x83, 0xC4, 16, 0xC3};
static uint8_t const table[] = {20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1B, 0x0C, 7, 8, 0x90, 1, 0, 0,
                                24, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0x44, 0x0E, 24, 0x41, 0x0E, 32, 0x86, 4, 0, 0, 0,
                                0, 0, 0, 0};
int main() {
  uint8_t *mem = (uint8_t *)mmap(0, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(mem, code, sizeof code);
  memcpy(mem + 4096, table, sizeof table);
  int32_t distance = -4096 - 32;
  memcpy(mem + 4096 + 32, &distance, 4);
  void (*function)(void (*)(void));
  memcpy(&function, &mem, sizeof function);
  function(allocates);
  __register_frame(mem + 4096);
  for (int i = 0; i < 20; i++) function(allocates);
  try {
    function(throws);
  } catch (int n) {
    printf("caught %d\n", n);
  }
  __deregister_frame(mem + 4096);
  function(allocates);
  return 0;
}
"""


def check_registered(tap, folder):
    """Tables that a program registers serve exceptions as before, and stacks."""
    program, trace = os.path.join(folder, "registered"), os.path.join(folder, "r.vtr")
    with open(program + ".cc", "w", encoding="utf-8") as file:
        file.write(REGISTERED)
    subprocess.run(["g++", "-O1", "-o", program, program + ".cc"], check=True)
    done = subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", program], check=True, timeout=HANG_S, capture_output=True)
    have = json.loads(subprocess.run([VALTRACE, "report", "--json", trace], check=True, capture_output=True).stdout)["completeness"]
    tap.equal(done.stdout, b"caught 5\n", "an exception passes through registered code")
    tap.equal(have["truncated_in"], [{"module": "", "allocations": 2}], "stacks are whole while the code has its table")


def check_checked(tap, program, trace):
    """`check` shows what unwinding once more counted, as the independent reader finds it in the trace."""
    checked = {**os.environ, "VALTRACE_UNWIND_CHECK": "1"}
    subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", program], check=True, timeout=HANG_S, env=checked)
    counters = vtr.Trace(trace).counters
    text = subprocess.run([VALTRACE, "check", trace], capture_output=True, text=True, check=False).stdout
    data = json.loads(subprocess.run([VALTRACE, "check", "--json", trace], capture_output=True, check=False).stdout)[0]
    shown = [data[key] for key in ("stacks_checked", "frames_different", "frames_different_libunwind")]
    told = [counters.get(key, 0) for key in ("unwind_checked", "unwind_differences", "libunwind_differences")]
    tap.equal(shown, told, "check shows what VALTRACE_UNWIND_CHECK counted")
    tap.ok(shown[0] >= 1122 and f"unwound once more: {shown[0]}" in text, "of each stack", [text])
    tap.equal(shown[1], 0, "no frame differs from unwinding in full")


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
    tap.equal((have["truncated_stacks"], have["truncated_in"]), (22, [{"module": "", "allocations": 22}]), "those without a root")
    text = subprocess.run([VALTRACE, "report", trace], check=True, capture_output=True, text=True,
                          env={**os.environ, "COLUMNS": "200"}).stdout
    tap.ok("22 stacks could not be followed to their root, most of them in generated code" in " ".join(text.split()),
           "the text says where", [text])
    tap.ok("1,100 allocations through generated code" in text, "and what may be wrong", [text])
    check_checked(tap, program, trace)
    check_registered(tap, folder)
    shutil.rmtree(folder)
    tap.done()


main()
