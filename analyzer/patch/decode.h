/* One x86-64 instruction: its size, and where it leads. The only file that knows Zydis. */
#ifndef VT_ANALYZER_PATCH_DECODE_H
#define VT_ANALYZER_PATCH_DECODE_H

#include <Zydis/Decoder.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  ZydisDecoder zydis;
} vt_decoder_t;

typedef enum {
  VT_INSN_PLAIN = 0, /* goes on behind itself */
  VT_INSN_CALL,
  VT_INSN_JUMP,    /* always */
  VT_INSN_JUMP_IF, /* jcc */
  VT_INSN_END,     /* ret, int3, hlt, ud2 and the like: what is behind is not reached */
  VT_INSN_ODD      /* cannot be moved: loop, jrcxz, xbegin; or no instruction at all */
} vt_insn_kind_t;

typedef struct {
  uint8_t sz; /* at least 1 */
  uint8_t kind;
  uint8_t is_direct;  /* a branch to a place that the instruction itself names: */
  uint8_t is_linked;  /* a branch to where a word at a fixed place tells: *x(%rip) */
  uint8_t condition;  /* of a jcc: the low four bits of its opcode */
  uint8_t relative_at; /* where its rip-relative displacement of 4 bytes is; 0: it has none */
  uint8_t is_nop;
  uint8_t is_register; /* a branch to where a register tells */
  uint64_t target;
  uint64_t relative; /* the address that the displacement means */
} vt_insn_t;

vt_decoder_t vt_decoder(void);

/* vt_decode decodes the instruction at p (at most `left` > 0 bytes), which runs at `address`. */
void vt_decode(vt_decoder_t const *decoder, uint8_t const *p, size_t left, uint64_t address,
               vt_insn_t *out);

#endif
