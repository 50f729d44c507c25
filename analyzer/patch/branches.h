/* Who jumps and calls where in a module: what hinders a patch, and what it must take care of. */
#ifndef VT_ANALYZER_PATCH_BRANCHES_H
#define VT_ANALYZER_PATCH_BRANCHES_H

#include "analyzer/patch/elf_code.h"
#include "core/trace/patch.h"

/* Bytes at an address that are to be replaced, and the direct branches to them. */
typedef struct {
  uint64_t address;
  uint32_t sz;
  uint32_t calls;    /* to the first byte, or to an endbr64 before it, from anywhere */
  uint32_t foreign;  /* of these, from functions that are not targets themselves */
  uint32_t into;     /* behind the first byte */
  uint32_t sites_cnt;                     /* of `calls`, those with a distance of 4 bytes, which is at … */
  uint64_t sites[VT_PATCH_SITES_MAX];
} vt_branch_target_t;

/* vt_branches_count counts the direct branches of the module to `targets`, of which there is one at least, in the order of
   their addresses. Costs a fraction of a nanosecond a byte of code, and 30 to 100 an instruction of functions that may have one. */
void vt_branches_count(vt_elf_code_t const *code, vt_branch_target_t *targets, size_t cnt);

/* vt_branches_leave: does the function at `address`, or one it calls, call what the compiler cannot
   have known (through a pointer, or in another module)? Such a function may change all registers that
   calls may change; of another a compiler can know which it leaves alone (gcc: -fipa-ra), and rely on
   it in its callers. */
int vt_branches_leave(vt_elf_code_t const *code, uint64_t address);

#endif
