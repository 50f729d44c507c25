/* Making room for a jump at a function's entry: which instructions are displaced, and the copy of
   them that does the same elsewhere. */
#ifndef VT_ANALYZER_PATCH_COPY_H
#define VT_ANALYZER_PATCH_COPY_H

#include "analyzer/patch/decode.h"
#include "analyzer/patch/elf_code.h"
#include "core/trace/patch.h"

#define VT_JUMP_SZ 5 /* jmp rel32 */

typedef struct {
  uint64_t address; /* of the first displaced byte: an endbr64 stays where it is */
  uint32_t sz;      /* bytes displaced: instructions, and perhaps padding behind the function's end */
  uint32_t insn_cnt;
  vt_insn_t insns[VT_PATCH_INSN_MAX];
  uint8_t bytes[VT_PATCH_SZ_MAX];
  int ends; /* the last instruction goes nowhere or elsewhere: nothing is behind it */
} vt_displaced_t;

/* vt_displace finds what a jump at `entry` displaces. Returns NULL, or why that cannot be. */
char const *vt_displace(vt_elf_code_t const *code, uint64_t entry, vt_displaced_t *out);

/* vt_copy_write fills the slot of a function, which will be at `slot`, with its descriptor at
   `descriptor`, for a module that is loaded `bias` above the file's addresses; and the jump to the
   slot. Returns NULL, or why that cannot be. */
char const *vt_copy_write(vt_displaced_t const *d, vt_patch_kind_t const *kind, uint64_t bias,
                          uint64_t slot, uint64_t descriptor, vt_patch_function_t *out);

#endif
