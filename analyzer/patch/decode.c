/* See decode.h. */
#include "analyzer/patch/decode.h"

#include <string.h>

vt_decoder_t vt_decoder(void) {
  vt_decoder_t d;
  ZydisDecoderInit(&d.zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  return d;
}

static vt_insn_kind_t kind_of(ZydisDecodedInstruction const *i) {
  switch (i->mnemonic) {
  case ZYDIS_MNEMONIC_CALL: return VT_INSN_CALL;
  case ZYDIS_MNEMONIC_JMP: return VT_INSN_JUMP;
  case ZYDIS_MNEMONIC_RET:
  case ZYDIS_MNEMONIC_INT3:
  case ZYDIS_MNEMONIC_HLT:
  case ZYDIS_MNEMONIC_UD2: return VT_INSN_END;
  case ZYDIS_MNEMONIC_XBEGIN: return VT_INSN_ODD;
  default: break;
  }
  if (i->meta.category != ZYDIS_CATEGORY_COND_BR) return VT_INSN_PLAIN;
  int jcc = i->opcode_map == ZYDIS_OPCODE_MAP_0F ? (i->opcode & 0xf0) == 0x80
                                                : (i->opcode & 0xf0) == 0x70;
  return jcc ? VT_INSN_JUMP_IF : VT_INSN_ODD;
}

static int rip_relative(ZydisDecodedInstruction const *i) {
  return i->attributes & ZYDIS_ATTRIB_HAS_MODRM && i->raw.modrm.mod == 0 && i->raw.modrm.rm == 5 &&
         i->raw.disp.size == 32;
}

void vt_decode(vt_decoder_t const *decoder, uint8_t const *p, size_t left, uint64_t address,
               vt_insn_t *out) {
  ZydisDecodedInstruction i;
  *out = (vt_insn_t){.sz = 1, .kind = VT_INSN_ODD};
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder->zydis, NULL, p, left, &i))) return;
  out->sz = i.length;
  out->kind = kind_of(&i);
  out->condition = i.opcode & 0xf;
  out->is_nop = i.mnemonic == ZYDIS_MNEMONIC_NOP || i.mnemonic == ZYDIS_MNEMONIC_INT3;
  uint64_t behind = address + i.length;
  if (rip_relative(&i)) {
    out->relative_at = i.raw.disp.offset;
    out->relative = behind + (uint64_t)i.raw.disp.value;
    if (i.attributes & ZYDIS_ATTRIB_HAS_ADDRESSSIZE) out->kind = VT_INSN_ODD;
  }
  int branch = out->kind == VT_INSN_CALL || out->kind == VT_INSN_JUMP || out->kind == VT_INSN_JUMP_IF ||
               i.meta.category == ZYDIS_CATEGORY_COND_BR || i.mnemonic == ZYDIS_MNEMONIC_XBEGIN;
  out->is_direct = branch && i.raw.imm[0].is_relative;
  out->is_linked = branch && !out->is_direct && out->relative_at;
  out->is_register = branch && !out->is_direct && i.raw.modrm.mod == 3;
  if (out->is_direct) out->target = behind + (uint64_t)i.raw.imm[0].value.s;
  if (branch && i.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) out->kind = VT_INSN_ODD;
}
