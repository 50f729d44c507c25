/* Beside own.c, built with room for patches at each entry: before any constructor runs, malloc's entry becomes other
   instructions that do nothing either, as a tracer of functions in the program would do. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void change(void) {
  uintptr_t entry = (uintptr_t)malloc, page = entry & ~(uintptr_t)4095;
  if (mprotect((void *)page, 2 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC)) abort();
  memcpy((void *)entry, "\x66\x90", 2); /* two nops become one */
  if (mprotect((void *)page, 2 * 4096, PROT_READ | PROT_EXEC)) abort();
}

__attribute__((section(".preinit_array"), used)) static void (*const before)(void) = change;
