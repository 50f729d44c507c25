/* DWARF expressions of CFI. One evaluator serves two ends: with all registers known it computes an
   address (general steps); without, it reduces an expression over rsp, rbp and the constant pc to
   register + offset, perhaps dereferenced, which then fits a packed rule (PLT stubs, realigned
   frames, the signal frame). */
#include "core/trace/unwind_impl.h"

#define STACK_MAX 16
#define STEPS_MAX 256 /* bounds loops by DW_OP_skip and DW_OP_bra */

typedef struct {
  vt_expr_env_t const *env;
  vt_bytes_t b;
  uint8_t const *start;
  uint32_t cnt;
  vt_value_t stack[STACK_MAX];
} eval_t;

static void push(eval_t *e, uint64_t v, uint32_t base) {
  if (e->cnt == STACK_MAX)
    e->b.bad = 1;
  else
    e->stack[e->cnt++] = (vt_value_t){v, base};
}

static void push_copy(eval_t *e, uint64_t index) {
  if (index >= e->cnt)
    e->b.bad = 1;
  else
    push(e, e->stack[e->cnt - 1 - index].v, e->stack[e->cnt - 1 - index].base);
}

static vt_value_t pop(eval_t *e) {
  if (e->cnt) return e->stack[--e->cnt];
  e->b.bad = 1;
  return (vt_value_t){0, VT_BASE_NONE};
}

static uint64_t pop_number(eval_t *e) {
  vt_value_t value = pop(e);
  if (value.base != VT_BASE_NONE) e->b.bad = 1;
  return value.v;
}

static void push_register(eval_t *e, uint64_t reg, int64_t off) {
  if (reg >= VT_REG_CNT)
    e->b.bad = 1;
  else if (e->env->reg)
    push(e, e->env->reg[reg] + (uint64_t)off, VT_BASE_NONE);
  else if (reg == VT_REG_RSP)
    push(e, (uint64_t)off, VT_BASE_RSP);
  else if (reg == VT_REG_RBP)
    push(e, (uint64_t)off, VT_BASE_RBP);
  else if (reg == VT_REG_RIP)
    push(e, e->env->pc + (uint64_t)off, VT_BASE_NONE);
  else
    e->b.bad = 1;
}

static void add(eval_t *e, uint64_t amount) {
  vt_value_t value = pop(e);
  if (value.base >= VT_BASE_AT_RSP) e->b.bad = 1;
  push(e, value.v + amount, value.base);
}

static void deref(eval_t *e, uint64_t sz) {
  vt_value_t at = pop(e);
  uint64_t value = 0;
  if (sz < 1 || sz > 8) e->b.bad = 1;
  if (!e->env->reg) {
    if (sz != 8 || (at.base != VT_BASE_RSP && at.base != VT_BASE_RBP)) e->b.bad = 1;
    push(e, at.v, at.base == VT_BASE_RSP ? VT_BASE_AT_RSP : VT_BASE_AT_RBP);
    return;
  }
  if (!e->b.bad && !vt_stack_load(e->env->u, at.v, &value)) e->b.bad = 1;
  push(e, sz < 8 ? value & (((uint64_t)1 << 8 * sz) - 1) : value, VT_BASE_NONE);
}

static uint64_t shifted(uint8_t op, uint64_t a, uint64_t by) {
  if (op == 0x26) return (uint64_t)((int64_t)a >> (by > 63 ? 63 : by));
  if (by > 63) return 0;
  return op == 0x24 ? a << by : a >> by;
}

static uint64_t divided(eval_t *e, uint8_t op, uint64_t a, uint64_t b) {
  if (!b || b == ~(uint64_t)0) {
    e->b.bad |= !b;
    return op == 0x1B ? -a : op == 0x1D && a != b ? a : 0;
  }
  return op == 0x1B ? (uint64_t)((int64_t)a / (int64_t)b) : a % b;
}

static uint64_t compared(uint8_t op, int64_t a, int64_t b) {
  switch (op) {
  case 0x29: return a == b;
  case 0x2A: return a >= b;
  case 0x2B: return a > b;
  case 0x2C: return a <= b;
  case 0x2D: return a < b;
  default: return a != b;
  }
}

static void binary(eval_t *e, uint8_t op) {
  if (op == 0x22) { /* plus: the only one that may involve an unknown register */
    int top_known = e->cnt && e->stack[e->cnt - 1].base == VT_BASE_NONE;
    vt_value_t top = pop(e), below;
    if (top_known) {
      add(e, top.v);
      return;
    }
    below = pop(e);
    if (below.base != VT_BASE_NONE) e->b.bad = 1;
    push(e, top.v, top.base);
    add(e, below.v);
    return;
  }
  uint64_t b = pop_number(e), a = pop_number(e), result;
  switch (op) {
  case 0x1A: result = a & b; break;
  case 0x1B:
  case 0x1D: result = divided(e, op, a, b); break;
  case 0x1C: result = a - b; break;
  case 0x1E: result = a * b; break;
  case 0x21: result = a | b; break;
  case 0x24:
  case 0x25:
  case 0x26: result = shifted(op, a, b); break;
  case 0x27: result = a ^ b; break;
  default: result = compared(op, (int64_t)a, (int64_t)b);
  }
  push(e, result, VT_BASE_NONE);
}

static void unary(eval_t *e, uint8_t op) {
  uint64_t a;
  if (op == 0x23) {
    add(e, vt_bytes_uleb(&e->b));
    return;
  }
  a = pop_number(e);
  push(e, op == 0x19 ? ((int64_t)a < 0 ? -a : a) : op == 0x1F ? -a : ~a, VT_BASE_NONE);
}

static void constant(eval_t *e, uint8_t op) {
  vt_bytes_t *b = &e->b;
  uint64_t value;
  switch (op) {
  case 0x03:
  case 0x0E:
  case 0x0F: value = vt_bytes_uint(b, 8); break;
  case 0x08: value = vt_bytes_uint(b, 1); break;
  case 0x09: value = (uint64_t)vt_bytes_sint(b, 1); break;
  case 0x0A: value = vt_bytes_uint(b, 2); break;
  case 0x0B: value = (uint64_t)vt_bytes_sint(b, 2); break;
  case 0x0C: value = vt_bytes_uint(b, 4); break;
  case 0x0D: value = (uint64_t)vt_bytes_sint(b, 4); break;
  case 0x10: value = vt_bytes_uleb(b); break;
  default: value = (uint64_t)vt_bytes_sleb(b);
  }
  push(e, value, VT_BASE_NONE);
}

static void reorder(eval_t *e, uint8_t op) {
  vt_value_t a = pop(e), b = pop(e), c = {0, VT_BASE_NONE};
  if (op == 0x17) c = pop(e);
  push(e, a.v, a.base);
  if (op == 0x17) push(e, c.v, c.base);
  push(e, b.v, b.base);
}

static void jump(eval_t *e, uint8_t op) {
  int64_t off = vt_bytes_sint(&e->b, 2);
  if (op == 0x28 && !pop_number(e)) return;
  if (off < e->start - e->b.p || off > e->b.end - e->b.p)
    e->b.bad = 1;
  else
    e->b.p += off;
}

static void step_other(eval_t *e, uint8_t op) {
  vt_bytes_t *b = &e->b;
  uint64_t reg;
  switch (op) {
  case 0x06: deref(e, 8); break;
  case 0x12: push_copy(e, 0); break;
  case 0x13: pop(e); break;
  case 0x14: push_copy(e, 1); break;
  case 0x15: push_copy(e, vt_bytes_uint(b, 1)); break;
  case 0x16:
  case 0x17: reorder(e, op); break;
  case 0x28:
  case 0x2F: jump(e, op); break;
  case 0x90: push_register(e, vt_bytes_uleb(b), 0); break;
  case 0x92:
    reg = vt_bytes_uleb(b);
    push_register(e, reg, vt_bytes_sleb(b));
    break;
  case 0x94: deref(e, vt_bytes_uint(b, 1)); break;
  case 0x96: break;
  default: b->bad = 1;
  }
}

static void step(eval_t *e, uint8_t op) {
  if (op >= 0x30 && op <= 0x4F)
    push(e, op - 0x30u, VT_BASE_NONE);
  else if (op >= 0x50 && op <= 0x6F)
    push_register(e, op - 0x50u, 0);
  else if (op >= 0x70 && op <= 0x8F)
    push_register(e, op - 0x70u, vt_bytes_sleb(&e->b));
  else if (op == 0x03 || (op >= 0x08 && op <= 0x11))
    constant(e, op);
  else if (op == 0x19 || op == 0x1F || op == 0x20 || op == 0x23)
    unary(e, op);
  else if ((op >= 0x1A && op <= 0x27) || (op >= 0x29 && op <= 0x2E))
    binary(e, op);
  else
    step_other(e, op);
}

int vt_expr_eval(vt_cfi_t const *cfi, int32_t pos, vt_expr_env_t const *env,
                 vt_value_t const *first, vt_value_t *result) {
  eval_t e;
  e.env = env;
  e.b = vt_cfi_bytes(cfi, (uint64_t)(uintptr_t)(cfi->base + pos));
  uint64_t sz = vt_bytes_uleb(&e.b);
  e.start = e.b.p;
  vt_bytes_skip(&e.b, sz);
  e.b.end = e.b.p;
  e.b.p = e.start;
  e.cnt = 0;
  if (first) push(&e, first->v, first->base);
  for (uint32_t n = 0; e.b.p < e.b.end && !e.b.bad; n++) {
    if (n == STEPS_MAX) return 0;
    step(&e, *e.b.p++);
  }
  *result = pop(&e);
  return !e.b.bad;
}
