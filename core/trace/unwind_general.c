/* Unwinding with all registers, straight from the CFI rows, without caches: for the rare frame
   whose rule does not fit a packed word (a CFA in rbx, expressions), and to check the fast way. The
   registers of the hook's caller are found by unwinding out of our own functions. */
#include "core/trace/unwind_impl.h"

static int cfa_of(vt_unwind_t *u, uint64_t const reg[VT_REG_CNT], uint64_t *cfa) {
  vt_row_t const *row = &u->cfi.row;
  vt_expr_env_t env = {u, reg, 0};
  vt_value_t value;
  if (row->cfa_how != VT_HOW_VAL_EXPR) {
    *cfa = reg[row->cfa_reg] + (uint64_t)(int64_t)row->cfa_value;
    return 1;
  }
  if (!vt_expr_eval(&u->cfi, row->cfa_value, &env, NULL, &value)) return 0;
  *cfa = value.v;
  return 1;
}

/* Value of register i in the caller; old: registers of this frame. */
static int restored(vt_unwind_t *u, uint64_t const old[VT_REG_CNT], uint64_t cfa, uint32_t i,
                    uint64_t *value) {
  vt_row_t const *row = &u->cfi.row;
  vt_expr_env_t env = {u, old, 0};
  vt_value_t push = {cfa, VT_BASE_NONE}, at;
  uint64_t relative = cfa + (uint64_t)(int64_t)row->value[i];
  switch (row->how[i]) {
  case VT_HOW_OFFSET: return vt_stack_load(u, relative, value);
  case VT_HOW_VAL_OFFSET: *value = relative; return 1;
  case VT_HOW_REGISTER:
    *value = (uint32_t)row->value[i] < VT_REG_CNT ? old[row->value[i]] : 0;
    return 1;
  case VT_HOW_EXPR:
    return vt_expr_eval(&u->cfi, row->value[i], &env, &push, &at) && vt_stack_load(u, at.v, value);
  case VT_HOW_VAL_EXPR:
    if (!vt_expr_eval(&u->cfi, row->value[i], &env, &push, &at)) return 0;
    *value = at.v;
    return 1;
  default: *value = old[i]; return 1;
  }
}

static int step_by_row(vt_unwind_t *u, uint64_t reg[VT_REG_CNT], uint32_t *exact) {
  uint64_t old[VT_REG_CNT], cfa;
  if (u->cfi.row.how[VT_REG_RIP] == VT_HOW_UNDEFINED) return VT_STEP_ROOT;
  memcpy(old, reg, sizeof(old));
  if (!cfa_of(u, old, &cfa)) return VT_STEP_LOST;
  for (uint32_t i = 0; i < VT_REG_CNT; i++) {
    if (!restored(u, old, cfa, i, &reg[i])) return VT_STEP_LOST;
  }
  if (u->cfi.row.how[VT_REG_RSP] == VT_HOW_SAME) reg[VT_REG_RSP] = cfa;
  *exact = u->cfi.signal;
  if (*exact) reg[VT_REG_RIP] = vt_interrupted_pc(reg[VT_REG_RIP]);
  if ((int64_t)reg[VT_REG_RIP] <= 0) return reg[VT_REG_RIP] ? VT_STEP_LOST : VT_STEP_ROOT;
  if (reg[VT_REG_RSP] <= old[VT_REG_RSP] && u->switches++ >= VT_SWITCHES_MAX) return VT_STEP_LOST;
  return VT_STEP_FRAME;
}

int vt_general_step(vt_unwind_t *u, uint64_t reg[VT_REG_CNT], uint32_t *exact) {
  vt_frame_t frame = {reg[VT_REG_RIP], reg[VT_REG_RSP], reg[VT_REG_RBP], *exact};
  uint64_t slot;
  uint32_t how;
  int found = vt_cfi_find(&u->cfi, frame.pc, *exact);
  if (found == VT_CFI_FOUND) return step_by_row(u, reg, exact);
  if (found == VT_CFI_NOT_CALLED) return VT_STEP_ROOT;
  int result = vt_step_without_cfi(u, &frame, &slot, &how);
  *exact = how == VT_BARE_SIGNAL;
  reg[VT_REG_RIP] = frame.pc;
  reg[VT_REG_RSP] = frame.sp;
  reg[VT_REG_RBP] = frame.rbp;
  return result;
}

/* The frames of this library between here and the hook's caller; none has special rules. */
static int leave_own_frames(vt_unwind_t *u, vt_caller_t const *caller, uint64_t reg[VT_REG_CNT]) {
  uint32_t exact = 1;
  u->sp = reg[VT_REG_RSP] + 8; /* what is read begins here */
  while (reg[VT_REG_RSP] < caller->sp) {
    if (vt_general_step(u, reg, &exact) != VT_STEP_FRAME) return 0;
  }
  return reg[VT_REG_RSP] == caller->sp && reg[VT_REG_RIP] == caller->pc;
}

__attribute__((noinline)) int vt_general_reach(vt_unwind_t *u, vt_caller_t const *caller,
                                               uint32_t nth, uint64_t reg[VT_REG_CNT],
                                               uint32_t *exact) {
  vt_arch_registers(reg);
  *exact = 0;
  if (!leave_own_frames(u, caller, reg)) return VT_STEP_LOST;
  for (uint32_t i = 0; i < nth; i++) {
    int result = vt_general_step(u, reg, exact);
    if (result != VT_STEP_FRAME) return result;
  }
  return VT_STEP_FRAME;
}
