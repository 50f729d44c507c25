/* From a PC to its packed rule: a row of the CFI table is reduced to one word, cached per thread
   (L1, direct-mapped) and for the process (L2, lock-free, insert-only within an epoch). Unloading
   code bumps the epoch, which is part of every key, so nothing needs to be found and removed. */
#include <errno.h>
#include "core/trace/sys.h"
#include "core/trace/unwind_impl.h"

/* ---- packing ---- */

#define RULE_FIXED(kind, flags) ((uint64_t)(kind) | (flags))

/* Conservative: such steps may use rbp and never end its liveness. */
#define RULE_GENERAL RULE_FIXED(VT_RULE_GENERAL, VT_RULE_USES)
#define RULE_NO_FDE  RULE_FIXED(VT_RULE_NO_FDE, VT_RULE_USES)

static uint64_t rule_offsets(int64_t cfa_off, int64_t slot_off) {
  return ((uint64_t)(cfa_off / 8) << 36) | (((uint64_t)(slot_off / 8) & 0xFFFF) << 20);
}

#define CFA_OFF_MAX ((int64_t)1 << 30) /* 28 bits and a sign, in units of 8 */

static int offsets_fit(int64_t cfa_off, int64_t slot_off) {
  return !(cfa_off & 7) && !(slot_off & 7) && cfa_off < CFA_OFF_MAX && cfa_off >= -CFA_OFF_MAX &&
         slot_off / 8 == (int16_t)(slot_off / 8);
}

/* The CFA as register + offset or memory at it. */
static int pack_cfa(vt_cfi_t const *cfi, uint64_t pc, vt_value_t *cfa) {
  vt_row_t const *row = &cfi->row;
  vt_expr_env_t env = {NULL, NULL, pc};
  if (row->cfa_how == VT_HOW_VAL_EXPR) return vt_expr_eval(cfi, row->cfa_value, &env, NULL, cfa);
  cfa->v = (uint64_t)(int64_t)row->cfa_value;
  cfa->base = row->cfa_reg == VT_REG_RSP   ? VT_BASE_RSP
              : row->cfa_reg == VT_REG_RBP ? VT_BASE_RBP
                                           : VT_BASE_NONE;
  return cfa->base != VT_BASE_NONE;
}

/* Where rbp is saved: *flags, and *off from the CFA or, with VT_RULE_SLOT_CHECK, from rbp. Slots
   that provably lie in the frame need no check. */
static int pack_slot(vt_cfi_t const *cfi, vt_value_t const *cfa, uint64_t *flags, int64_t *off) {
  vt_row_t const *row = &cfi->row;
  vt_expr_env_t env = {NULL, NULL, 0};
  vt_value_t at;
  *flags = 0;
  *off = row->value[VT_REG_RBP];
  switch (row->how[VT_REG_RBP]) {
  case VT_HOW_SAME:
  case VT_HOW_UNDEFINED: *off = 0; return 1;
  case VT_HOW_OFFSET:
    *flags = VT_RULE_RESTORES;
    if (cfa->base == VT_BASE_RSP) return *off < 0 && -*off <= (int64_t)cfa->v;
    return cfa->base == VT_BASE_RBP && *off == -16;
  case VT_HOW_EXPR:
    *flags = VT_RULE_USES | VT_RULE_RESTORES | VT_RULE_SLOT_CHECK;
    if (!vt_expr_eval(cfi, *off, &env, NULL, &at) || at.base != VT_BASE_RBP) return 0;
    *off = (int64_t)at.v;
    return 1;
  default: return 0;
  }
}

static int slot_is_at(vt_cfi_t const *cfi, uint32_t reg, uint64_t off) {
  vt_expr_env_t env = {NULL, NULL, 0};
  vt_value_t at;
  return cfi->row.how[reg] == VT_HOW_EXPR &&
         vt_expr_eval(cfi, cfi->row.value[reg], &env, NULL, &at) && at.base == VT_BASE_RSP &&
         at.v == off;
}

static uint64_t pack_signal(vt_cfi_t const *cfi, vt_value_t const *cfa) {
  int known = cfa->base == VT_BASE_AT_RSP && cfa->v == VT_SIGNAL_RSP_OFF &&
              slot_is_at(cfi, VT_REG_RIP, VT_SIGNAL_RIP_OFF) &&
              slot_is_at(cfi, VT_REG_RBP, VT_SIGNAL_RBP_OFF);
  return known ? RULE_FIXED(VT_RULE_SIGNAL, VT_RULE_RESTORES) : RULE_GENERAL;
}

static uint64_t pack(vt_cfi_t const *cfi, uint64_t pc) {
  static uint8_t const kinds[] = {
      [VT_BASE_RSP] = VT_RULE_RSP, [VT_BASE_RBP] = VT_RULE_RBP, [VT_BASE_AT_RBP] = VT_RULE_AT_RBP};
  vt_row_t const *row = &cfi->row;
  vt_value_t cfa;
  uint64_t flags;
  int64_t off;
  if (row->how[VT_REG_RIP] == VT_HOW_UNDEFINED) return VT_RULE_ROOT;
  if (!pack_cfa(cfi, pc, &cfa)) return RULE_GENERAL;
  if (cfi->signal) return pack_signal(cfi, &cfa);
  if (cfa.base == VT_BASE_AT_RSP || row->how[VT_REG_RIP] != VT_HOW_OFFSET ||
      row->value[VT_REG_RIP] != VT_RA_OFF || row->how[VT_REG_RSP] != VT_HOW_SAME)
    return RULE_GENERAL;
  if (!pack_slot(cfi, &cfa, &flags, &off) || !offsets_fit((int64_t)cfa.v, off)) return RULE_GENERAL;
  if (cfa.base != VT_BASE_RSP) flags |= VT_RULE_USES;
  return RULE_FIXED(kinds[cfa.base], flags) | rule_offsets((int64_t)cfa.v, off);
}

static uint64_t parse(vt_unwind_t *u, uint64_t key) {
  uint64_t pc = key & ~VT_KEY_EXACT;
  u->counters.misses++;
  switch (vt_cfi_find(&u->cfi, pc, (key & VT_KEY_EXACT) != 0)) {
  case VT_CFI_FOUND: return pack(&u->cfi, pc);
  case VT_CFI_NOT_CALLED: return VT_RULE_ROOT;
  case VT_CFI_NO_FDE: return RULE_NO_FDE;
  default: return RULE_FIXED(VT_RULE_NO_OBJECT, VT_RULE_USES);
  }
}

/* ---- the shared cache ----
   A slot's key goes 0 or outdated -> BUSY -> key, the rule is stored in between. A reader takes the
   rule if the key was its own before and after. Within an epoch a key never leaves its slot, and
   no key of an epoch returns after it, so equal keys mean the rule in between was that key's.
   Linearization: the release-store of the key in l2_insert. */

#define L2_PROBE 8
#define L2_BUSY  ((uint64_t)1) /* pc 0, epoch 1: no pc is 0 */

typedef struct {
  _Atomic uint64_t key;  /* pc and exactness (48 bits), low 16 bits of the epoch */
  _Atomic uint64_t rule; /* with the next 14 bits of the epoch */
} l2_slot_t;

typedef struct {
  l2_slot_t *slots;
  uint64_t mask; /* their number, a power of two, less 1 */
} l2_t;

/* Programs with many return addresses get the second table; the first stays mapped for those who
   look into it still. */
static l2_t l2_first_table, l2_grown_table;
static _Atomic(l2_t *) l2;
static _Atomic int l2_growing; /* or grown, or there is no memory for it */
_Atomic uint64_t vt_unwind_epoch_word;

int vt_unwind_global_init(void *mem, size_t sz) {
  if (!mem || sz < VT_UNWIND_GLOBAL_SZ || ((uintptr_t)mem & 63)) return -EINVAL;
  l2_first_table = (l2_t){mem, VT_UNWIND_GLOBAL_SZ / sizeof(l2_slot_t) - 1};
  atomic_store_explicit(&l2, &l2_first_table, memory_order_release);
  return 0;
}

static void unlock(l2_t const *table) {
  if (table->slots) vt_sys_munlock(table->slots, (table->mask + 1) * sizeof *table->slots);
}

void vt_unwind_unlock(void) {
  unlock(&l2_first_table);
  unlock(&l2_grown_table);
}

static uint64_t l2_key(uint64_t key, uint64_t epoch) {
  return (((key & ~VT_KEY_EXACT) | (key >> 63) << 47) << 16) | (epoch & 0xFFFF);
}

static uint64_t l2_tag(uint64_t epoch) {
  return (epoch >> 16 << VT_RULE_EPOCH_SHIFT) & VT_RULE_EPOCH_MASK;
}

static uint64_t l2_first(uint64_t key) { return (key * 0x9E3779B97F4A7C15u) >> 32; }

static l2_slot_t *l2_slot(l2_t const *table, uint64_t first, uint32_t i) {
  return &table->slots[(first + i) & table->mask];
}

static int l2_find(uint64_t key, uint64_t epoch, uint64_t *rule) {
  uint64_t want = l2_key(key, epoch), first = l2_first(key);
  l2_t const *table = atomic_load_explicit(&l2, memory_order_acquire); /* pairs with l2_grow */
  for (uint32_t i = 0; i < L2_PROBE; i++) {
    l2_slot_t *slot = l2_slot(table, first, i);
    /* Pairs with the release in l2_insert: the rule belongs to the key. */
    uint64_t have = atomic_load_explicit(&slot->key, memory_order_acquire);
    if (!have) return 0;
    if (have != want) continue;
    /* Pairs with the release of the rule: a rule of a later key shows that key (or BUSY) next. */
    uint64_t value = atomic_load_explicit(&slot->rule, memory_order_acquire);
    if (atomic_load_explicit(&slot->key, memory_order_relaxed) != want) return 0;
    if ((value & VT_RULE_EPOCH_MASK) != l2_tag(epoch)) continue;
    *rule = value & ~VT_RULE_EPOCH_MASK;
    return 1;
  }
  return 0;
}

static int l2_is_free(l2_slot_t *slot, uint64_t have, uint64_t epoch) {
  if (have == L2_BUSY) return 0;
  return !have || (have & 0xFFFF) != (epoch & 0xFFFF) ||
         (atomic_load_explicit(&slot->rule, memory_order_relaxed) & VT_RULE_EPOCH_MASK) !=
             l2_tag(epoch);
}

/* l2_grow replaces the table by the large one. Rules that are not taken over are parsed again. */
static void l2_grow(void) {
  if (atomic_exchange_explicit(&l2_growing, 1, memory_order_relaxed)) return;
  l2_slot_t *slots = vt_sys_memory(VT_UNWIND_GROWN_SZ);
  if (!slots) return;
  l2_grown_table = (l2_t){slots, VT_UNWIND_GROWN_SZ / sizeof *slots - 1};
  atomic_store_explicit(&l2, &l2_grown_table, memory_order_release);
}

/* Gives up when the neighbourhood is full: the rule is parsed again when an L1 lacks it. */
static void l2_insert(uint64_t key, uint64_t epoch, uint64_t rule) {
  uint64_t first = l2_first(key);
  l2_t const *table = atomic_load_explicit(&l2, memory_order_acquire); /* pairs with l2_grow */
  for (uint32_t i = 0; i < L2_PROBE; i++) {
    l2_slot_t *slot = l2_slot(table, first, i);
    uint64_t have = atomic_load_explicit(&slot->key, memory_order_relaxed);
    if (have == l2_key(key, epoch)) return;
    if (!l2_is_free(slot, have, epoch)) continue;
    if (!atomic_compare_exchange_strong_explicit(&slot->key, &have, L2_BUSY, memory_order_acquire,
                                                 memory_order_relaxed))
      continue;
    /* Releases BUSY before the rule; pairs with the acquire of the rule in l2_find. */
    atomic_store_explicit(&slot->rule, rule | l2_tag(epoch), memory_order_release);
    /* Pairs with the acquire of the key in l2_find. */
    atomic_store_explicit(&slot->key, l2_key(key, epoch), memory_order_release);
    return;
  }
  l2_grow();
}

static int l2_usable(uint64_t key) {
  return atomic_load_explicit(&l2, memory_order_relaxed) && (key & ~VT_KEY_EXACT) >> 47 == 0;
}

uint64_t vt_rule_miss(vt_unwind_t *u, uint64_t key) {
  uint64_t rule, epoch = u->epoch >> 16;
  int shared = !u->bypass && l2_usable(key);
  if (!shared || !l2_find(key, epoch, &rule)) {
    rule = parse(u, key);
    if (VT_RULE_KIND(rule) == VT_RULE_NO_OBJECT) return rule;
    if (shared) l2_insert(key, epoch, rule);
  }
  if (!u->bypass) u->l1[vt_l1_index(key)] = (vt_rule_slot_t){key, rule};
  return rule;
}

/* ---- epochs ---- */

void vt_rule_new_epoch(vt_unwind_t *u, uint64_t word) {
  memset(u->l1, 0, sizeof(u->l1));
  memset(u->trail_key, 0, sizeof(u->trail_key));
  memset(u->jit, 0, sizeof(u->jit));
  memset(u->code, 0, sizeof(u->code));
  u->memo = 0;
  u->depth = 0; /* the recorded stack belongs to the old epoch: the next one is sent in full */
  u->epoch = word;
  u->bypass = (word & 0xFFFF) != 0;
}

/* acq_rel: what is unloaded in between is ordered after the begin and before the end for a thread
   that loads the word (acquire in vt_unwind_capture). */
void vt_unwind_epoch_begin(void) {
  atomic_fetch_add_explicit(&vt_unwind_epoch_word, ((uint64_t)1 << 16) + 1, memory_order_acq_rel);
}

void vt_unwind_epoch_end(void) {
  atomic_fetch_add_explicit(&vt_unwind_epoch_word, ((uint64_t)1 << 16) - 1, memory_order_acq_rel);
}

uint32_t vt_unwind_epoch(void) {
  return (uint32_t)(atomic_load_explicit(&vt_unwind_epoch_word, memory_order_acquire) >> 16);
}
