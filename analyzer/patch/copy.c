/* See copy.h. The copy is the same instructions with the same operands: what is relative to the
   place of an instruction gets another distance, short branches become long ones. A displaced call
   pushes the address behind the original one and jumps, so that it returns into the function and
   unwinding finds a caller that has unwind tables. */
#include "analyzer/patch/copy.h"

#include <string.h>

#define ENDBR_SZ 4
static uint8_t const endbr64[ENDBR_SZ] = {0xf3, 0x0f, 0x1e, 0xfa};

/* take adds the instruction at p, or padding once the code has ended; returns why not, or NULL. */
static char const *take(vt_displaced_t *out, vt_decoder_t const *decoder, uint8_t const *p,
                        size_t left) {
  vt_insn_t insn;
  vt_decode(decoder, p, left, out->address + out->sz, &insn);
  if (out->ends) {
    if (!insn.is_nop) return "it is too short for a jump";
    out->sz = out->sz + insn.sz < VT_JUMP_SZ ? out->sz + insn.sz : VT_JUMP_SZ;
    return NULL;
  }
  if (insn.kind == VT_INSN_ODD) return "it begins with an instruction that cannot be moved";
  if (insn.kind == VT_INSN_CALL && !(insn.is_direct || insn.is_linked || insn.is_register))
    return "it begins with a call that cannot be moved";
  if (insn.kind == VT_INSN_CALL && out->sz + insn.sz < VT_JUMP_SZ)
    return "it begins with a call that returns where the jump would be";
  out->insns[out->insn_cnt++] = insn;
  out->sz += insn.sz;
  out->ends = insn.kind == VT_INSN_JUMP || insn.kind == VT_INSN_END;
  return NULL;
}

char const *vt_displace(vt_elf_code_t const *code, uint64_t entry, vt_displaced_t *out) {
  vt_code_section_t const *s = vt_elf_code_section(code, entry);
  vt_decoder_t decoder = vt_decoder();
  *out = (vt_displaced_t){.address = entry};
  if (!s || s->linkage) return "it is not in the code of the file";
  uint8_t const *p = s->bytes + (entry - s->start);
  if (s->end - entry > ENDBR_SZ && !memcmp(p, endbr64, ENDBR_SZ)) out->address += ENDBR_SZ;
  uint64_t end = vt_elf_code_next(code, entry);
  p = s->bytes + (out->address - s->start);
  while (out->sz < VT_JUMP_SZ) {
    if (out->address + out->sz >= end) return "it is too short for a jump";
    char const *why = take(out, &decoder, p + out->sz, end - out->address - out->sz);
    if (why) return why;
  }
  if (out->address + out->sz > end) return "it is too short for a jump";
  memcpy(out->bytes, p, out->sz);
  return NULL;
}

/* Code that is being written. */
typedef struct {
  uint8_t *slot;
  uint64_t address; /* of the slot */
  size_t at;
  int bad; /* something was out of reach */
  uint8_t pushed; /* where in the copy a return address has been pushed; 0: nowhere */
} out_t;

static void put(out_t *o, void const *bytes, size_t sz) {
  if (o->at + sz > VT_PATCH_WORD_OFF) {
    o->bad = 1;
    return;
  }
  memcpy(o->slot + o->at, bytes, sz);
  o->at += sz;
}

/* put_distance puts the distance from behind the next 4 bytes (and `more`) to an address. */
static void put_distance(out_t *o, uint64_t to, size_t more) {
  int64_t distance = (int64_t)(to - (o->address + o->at + 4 + more));
  int32_t near = (int32_t)distance;
  if (near != distance) o->bad = 1;
  put(o, &near, 4);
}

static void put_with_distance(out_t *o, void const *opcode, size_t sz, uint64_t to) {
  put(o, opcode, sz);
  put_distance(o, to, 0);
}

#define PUT_JUMP(o, to)    put_with_distance(o, "\xe9", 1, to)
#define PUT_JUMP_AT(o, to) put_with_distance(o, "\xff\x25", 2, to) /* jmp *to(%rip) */
#define PUT_PUSH_AT(o, to) put_with_distance(o, "\xff\x35", 2, to) /* push to(%rip) */

static void put_plain(out_t *o, vt_insn_t const *insn, uint8_t const *bytes, uint64_t bias) {
  if (!insn->relative_at) {
    put(o, bytes, insn->sz);
    return;
  }
  size_t behind = insn->sz - insn->relative_at - 4u;
  put(o, bytes, insn->relative_at);
  put_distance(o, insn->relative + bias, behind);
  put(o, bytes + insn->relative_at + 4, behind);
}

/* put_call: `back` is where the original would return to. */
static void put_call(out_t *o, vt_insn_t const *insn, uint8_t const *bytes, uint64_t bias,
                     uint64_t back) {
  memcpy(o->slot + VT_PATCH_WORD_OFF, &back, sizeof back);
  PUT_PUSH_AT(o, o->address + VT_PATCH_WORD_OFF);
  o->pushed = (uint8_t)(o->at - VT_PATCH_COPY_OFF);
  if (insn->is_direct) {
    PUT_JUMP(o, insn->target + bias);
  } else if (insn->is_linked) {
    PUT_JUMP_AT(o, insn->relative + bias);
  } else { /* call *%reg and jmp *%reg differ in the opcode's extension: /2 and /4 */
    uint8_t last = (uint8_t)((bytes[insn->sz - 1] & ~0x38) | 4 << 3);
    put(o, bytes, insn->sz - 1u);
    put(o, &last, 1);
  }
}

static void put_insn(out_t *o, vt_insn_t const *insn, uint8_t const *bytes, uint64_t bias,
                     uint64_t back) {
  uint8_t jcc[2] = {0x0f, (uint8_t)(0x80 | insn->condition)};
  if (insn->kind == VT_INSN_CALL)
    put_call(o, insn, bytes, bias, back);
  else if (insn->kind == VT_INSN_JUMP && insn->is_direct)
    PUT_JUMP(o, insn->target + bias);
  else if (insn->kind == VT_INSN_JUMP_IF)
    put_with_distance(o, jcc, sizeof jcc, insn->target + bias);
  else
    put_plain(o, insn, bytes, bias);
}

/* put_stub puts what leads to the hook; see core/trace/patch.h. */
static void put_stub(out_t *o, int keeps, uint64_t descriptor) {
  if (keeps) {
    memcpy(o->slot + VT_PATCH_DESC_OFF, &descriptor, sizeof descriptor);
    PUT_PUSH_AT(o, o->address + VT_PATCH_DESC_OFF);
    PUT_JUMP_AT(o, descriptor + offsetof(vt_patch_descriptor_t, hook));
    return;
  }
  put_with_distance(o, "\x4c\x8d\x0d", 3, descriptor); /* lea descriptor(%rip),%r9 */
  put(o, "\x41\xff\x21", 3);                           /* jmp *(%r9) */
}

char const *vt_copy_write(vt_displaced_t const *d, vt_patch_kind_t const *kind, uint64_t bias,
                          uint64_t slot, uint64_t descriptor, vt_patch_function_t *out) {
  out_t o = {.slot = out->slot, .address = slot};
  memset(out->slot, 0xcc, sizeof out->slot);
  put_stub(&o, kind->keeps, descriptor);
  o.at = VT_PATCH_COPY_OFF;
  size_t from = 0;
  for (uint32_t i = 0; i < d->insn_cnt; from += d->insns[i++].sz) {
    out->insn_from[i] = (uint8_t)from;
    out->insn_to[i] = (uint8_t)(o.at - VT_PATCH_COPY_OFF);
    put_insn(&o, &d->insns[i], d->bytes + from, bias, d->address + bias + from + d->insns[i].sz);
  }
  if (!d->ends) PUT_JUMP(&o, d->address + d->sz + bias);
  out->insn_cnt = (uint8_t)d->insn_cnt;
  out->pushes = o.pushed;
  out->address = d->address + bias;
  out->sz = (uint8_t)d->sz;
  memcpy(out->before, d->bytes, d->sz);
  memset(out->after, 0xcc, sizeof out->after);
  out_t jump = {.slot = out->after, .address = out->address};
  PUT_JUMP(&jump, slot);
  return o.bad || jump.bad ? "no memory is to be had within reach of its code" : NULL;
}
