/* From a PC to the row of its CFI table: find the object, its frame description entry by the binary search
   table of .eh_frame_hdr, and run the entry's program up to the PC (DWARF 5, 6.4; LSB 5, 10.6). */
#include "core/trace/debugged.h"
#include "core/trace/unwind_impl.h"

void (*vt_unwind_object_seen)(vt_object_t const *object);

enum { PE_OMIT = 0xFF, PE_PCREL = 0x10, PE_DATAREL = 0x30, PE_INDIRECT = 0x80, PE_TABLE = 0x3B };

/* What a common information entry says. */
typedef struct {
  vt_bytes_t program;
  uint64_t code_align;
  int64_t data_align;
  uint64_t pc_begin;
  uint64_t pc_end;
  uint8_t pc_encoding;
  uint8_t has_augmentation;
  uint8_t signal;
} entry_t;

static uint64_t encoded_value(vt_bytes_t *b, uint8_t format) {
  switch (format & 0x0F) {
  case 0x00: return vt_bytes_uint(b, 8);
  case 0x01: return vt_bytes_uleb(b);
  case 0x02: return vt_bytes_uint(b, 2);
  case 0x03: return vt_bytes_uint(b, 4);
  case 0x04: return vt_bytes_uint(b, 8);
  case 0x09: return (uint64_t)vt_bytes_sleb(b);
  case 0x0A: return (uint64_t)vt_bytes_sint(b, 2);
  case 0x0B: return (uint64_t)vt_bytes_sint(b, 4);
  case 0x0C: return (uint64_t)vt_bytes_sint(b, 8);
  default: b->bad = 1; return 0;
  }
}

/* DW_EH_PE-encoded pointer; data: what data-relative ones are relative to. */
static uint64_t encoded_pointer(vt_bytes_t *b, uint8_t encoding, uint8_t const *data) {
  uint64_t at = (uint64_t)(uintptr_t)b->p;
  uint64_t value = encoded_value(b, encoding);
  switch (encoding & 0x70) {
  case 0: break;
  case PE_PCREL: value += at; break;
  case PE_DATAREL: value += (uint64_t)(uintptr_t)data; break;
  default: b->bad = 1;
  }
  if (encoding & PE_INDIRECT) b->bad = 1;
  return value;
}

vt_bytes_t vt_cfi_bytes(vt_cfi_t const *cfi, uint64_t addr) {
  vt_object_t other;
  uint8_t const *p = (uint8_t const *)(uintptr_t)addr, *end = p;
  if (p >= cfi->start && p < cfi->end)
    end = cfi->end;
  else if (vt_object_find(addr, &other) && other.bias == cfi->object.bias &&
           other.map == cfi->object.map)
    end = (uint8_t const *)other.end;
  return (vt_bytes_t){p, end, end == p};
}

/* Narrows b to the entry it stands at, behind the length; 0 at the terminator or on damage. */
static int entry_open(vt_bytes_t *b) {
  uint64_t sz = vt_bytes_uint(b, 4);
  if (sz == 0xFFFFFFFF) sz = vt_bytes_uint(b, 8);
  if (b->bad || !sz || sz > (uint64_t)(b->end - b->p)) return 0;
  b->end = b->p + sz;
  return 1;
}

/* The 'z' augmentation: personality and LSDA are skipped, the encoding and the signal flag kept. */
static void cie_augmentation(vt_bytes_t *b, char const *letter, entry_t *entry) {
  if (*letter != 'z') {
    b->bad |= *letter != 0;
    return;
  }
  entry->has_augmentation = 1;
  uint64_t sz = vt_bytes_uleb(b);
  vt_bytes_t data = *b;
  vt_bytes_skip(b, sz);
  if (b->bad) return;
  data.end = b->p;
  while (*++letter) {
    if (*letter == 'R') {
      entry->pc_encoding = (uint8_t)vt_bytes_uint(&data, 1);
    } else if (*letter == 'L') {
      vt_bytes_skip(&data, 1);
    } else if (*letter == 'P') {
      encoded_value(&data, (uint8_t)vt_bytes_uint(&data, 1));
    } else if (*letter == 'S') {
      entry->signal = 1;
    } else {
      break; /* unknown letters: the rest of the data is theirs */
    }
  }
  b->bad |= data.bad;
}

static int cie_parse(vt_bytes_t b, entry_t *entry) {
  if (!entry_open(&b) || vt_bytes_uint(&b, 4)) return 0;
  uint64_t version = vt_bytes_uint(&b, 1);
  char const *letters = (char const *)b.p;
  while (!b.bad && vt_bytes_uint(&b, 1)) {
  }
  if (version == 4) vt_bytes_skip(&b, 2); /* address and segment selector size */
  entry->code_align = vt_bytes_uleb(&b);
  entry->data_align = vt_bytes_sleb(&b);
  uint64_t ra = version == 1 ? vt_bytes_uint(&b, 1) : vt_bytes_uleb(&b);
  if (b.bad || ra != VT_REG_RIP) return 0;
  cie_augmentation(&b, letters, entry);
  entry->program = b;
  return !b.bad;
}

/* Parses the FDE at b and its CIE; cie gets the CIE's program, *entry the FDE's. */
static int fde_parse(vt_cfi_t const *cfi, vt_bytes_t b, entry_t *entry, vt_bytes_t *cie) {
  memset(entry, 0, sizeof(*entry));
  if (!entry_open(&b)) return 0;
  uint64_t id_at = (uint64_t)(uintptr_t)b.p;
  uint64_t distance = vt_bytes_uint(&b, 4);
  if (!distance || !cie_parse(vt_cfi_bytes(cfi, id_at - distance), entry)) return 0;
  *cie = entry->program;
  entry->pc_begin = encoded_pointer(&b, entry->pc_encoding, cfi->base);
  entry->pc_end = entry->pc_begin + encoded_value(&b, entry->pc_encoding);
  if (entry->has_augmentation) vt_bytes_skip(&b, vt_bytes_uleb(&b));
  entry->program = b;
  return !b.bad;
}

/* The last entry of the sorted table of (pc, FDE) offset pairs at or before pc. */
static uint64_t table_search(vt_bytes_t *table, uint64_t cnt, uint8_t const *data, uint64_t pc) {
  if (table->bad || !cnt || (uint64_t)(table->end - table->p) / 8 < cnt) return 0;
  uint64_t lo = 0, hi = cnt;
  int64_t target = (int64_t)(pc - (uint64_t)(uintptr_t)data);
  int32_t pair[2];
  while (hi - lo > 1) {
    uint64_t mid = lo + (hi - lo) / 2;
    memcpy(pair, table->p + 8 * mid, sizeof(pair));
    if (pair[0] <= target)
      lo = mid;
    else
      hi = mid;
  }
  memcpy(pair, table->p + 8 * lo, sizeof(pair));
  return pair[0] <= target ? (uint64_t)(uintptr_t)data + (uint64_t)(int64_t)pair[1] : 0;
}

/* Walks .eh_frame entry by entry: for objects whose linker made no search table. */
static int linear_search(vt_cfi_t const *cfi, uint64_t section, uint64_t pc, entry_t *entry,
                         vt_bytes_t *cie) {
  vt_bytes_t b = vt_cfi_bytes(cfi, section);
  for (;;) {
    vt_bytes_t open = b;
    if (!entry_open(&open)) return 0;
    if (fde_parse(cfi, b, entry, cie) && pc >= entry->pc_begin && pc < entry->pc_end) return 1;
    b.p = open.end;
  }
}

void vt_cfi_functions(uint8_t const *start, uint8_t const *end,
                      void (*seen)(void *context, uint64_t begin, uint64_t limit), void *context) {
  vt_cfi_t cfi = {.base = start, .start = start, .end = end, .registered = 1};
  vt_bytes_t open, cie, b = {start, end, 0};
  entry_t entry;
  for (; open = b, entry_open(&open); b.p = open.end)
    if (fde_parse(&cfi, b, &entry, &cie)) seen(context, entry.pc_begin, entry.pc_end);
}

static int fde_find(vt_cfi_t const *cfi, uint64_t pc, entry_t *entry, vt_bytes_t *cie) {
  if (cfi->registered)
    return linear_search(cfi, (uint64_t)(uintptr_t)cfi->start, pc, entry, cie);
  vt_bytes_t b = vt_cfi_bytes(cfi, (uint64_t)(uintptr_t)cfi->base);
  if (vt_bytes_uint(&b, 1) != 1) return 0;
  uint8_t section_encoding = (uint8_t)vt_bytes_uint(&b, 1);
  uint8_t cnt_encoding = (uint8_t)vt_bytes_uint(&b, 1);
  uint8_t table_encoding = (uint8_t)vt_bytes_uint(&b, 1);
  uint64_t section = encoded_pointer(&b, section_encoding, cfi->base);
  if (cnt_encoding == PE_OMIT || table_encoding != PE_TABLE)
    return !b.bad && linear_search(cfi, section, pc, entry, cie);
  uint64_t cnt = encoded_pointer(&b, cnt_encoding, cfi->base);
  uint64_t fde = table_search(&b, cnt, cfi->base, pc);
  return fde && fde_parse(cfi, vt_cfi_bytes(cfi, fde), entry, cie) && pc >= entry->pc_begin &&
         pc < entry->pc_end;
}

/* ---- running a CFI program ---- */

/* What an instruction needs besides the row. */
typedef struct {
  vt_cfi_t *cfi;
  entry_t const *entry;
  vt_bytes_t b;
  uint64_t loc;
} run_t;

static int32_t narrow(run_t *run, int64_t value) {
  if (value != (int32_t)value) run->b.bad = 1;
  return (int32_t)value;
}

/* Registers beyond rip (vector registers …) are never needed. */
static void set_register(run_t *run, uint64_t reg, uint8_t how, int64_t value) {
  if (reg >= VT_REG_CNT) return;
  run->cfi->row.how[reg] = how;
  run->cfi->row.value[reg] = narrow(run, value);
}

static void restore_register(run_t *run, uint64_t reg) {
  if (reg >= VT_REG_CNT) return;
  run->cfi->row.how[reg] = run->cfi->initial.how[reg];
  run->cfi->row.value[reg] = run->cfi->initial.value[reg];
}

/* Position of the expression that follows, which is skipped. */
static int64_t expression(run_t *run) {
  int64_t pos = run->b.p - run->cfi->base;
  vt_bytes_skip(&run->b, vt_bytes_uleb(&run->b));
  return pos;
}

static void set_cfa(run_t *run, uint8_t how, uint64_t reg, int64_t value) {
  if (reg >= VT_REG_CNT) run->b.bad = 1;
  run->cfi->row.cfa_how = how;
  run->cfi->row.cfa_reg = (uint8_t)reg;
  run->cfi->row.cfa_value = narrow(run, value);
}

static void remember(run_t *run) {
  vt_cfi_t *cfi = run->cfi;
  if (cfi->saved_cnt == VT_ROW_SAVED_MAX)
    run->b.bad = 1;
  else
    cfi->saved[cfi->saved_cnt++] = cfi->row;
}

static void recall(run_t *run) {
  vt_cfi_t *cfi = run->cfi;
  if (!cfi->saved_cnt)
    run->b.bad = 1;
  else
    cfi->row = cfi->saved[--cfi->saved_cnt];
}

static void run_cfa(run_t *run, uint8_t op) {
  vt_bytes_t *b = &run->b;
  vt_row_t const *row = &run->cfi->row;
  int64_t align = run->entry->data_align;
  uint64_t reg;
  switch (op) {
  case 0x0C:
    reg = vt_bytes_uleb(b);
    set_cfa(run, 0, reg, (int64_t)vt_bytes_uleb(b));
    break;
  case 0x0D: set_cfa(run, 0, vt_bytes_uleb(b), row->cfa_value); break;
  case 0x0E: set_cfa(run, 0, row->cfa_reg, (int64_t)vt_bytes_uleb(b)); break;
  case 0x0F: set_cfa(run, VT_HOW_VAL_EXPR, 0, expression(run)); break;
  case 0x12:
    reg = vt_bytes_uleb(b);
    set_cfa(run, 0, reg, vt_bytes_sleb(b) * align);
    break;
  case 0x13: set_cfa(run, 0, row->cfa_reg, vt_bytes_sleb(b) * align); break;
  }
}

static void run_register(run_t *run, uint8_t op) {
  vt_bytes_t *b = &run->b;
  int64_t align = run->entry->data_align;
  uint64_t reg = vt_bytes_uleb(b);
  switch (op) {
  case 0x05: set_register(run, reg, VT_HOW_OFFSET, (int64_t)vt_bytes_uleb(b) * align); break;
  case 0x06: restore_register(run, reg); break;
  case 0x07: set_register(run, reg, VT_HOW_UNDEFINED, 0); break;
  case 0x08: set_register(run, reg, VT_HOW_SAME, 0); break;
  case 0x09: set_register(run, reg, VT_HOW_REGISTER, (int64_t)vt_bytes_uleb(b)); break;
  case 0x10: set_register(run, reg, VT_HOW_EXPR, expression(run)); break;
  case 0x11: set_register(run, reg, VT_HOW_OFFSET, vt_bytes_sleb(b) * align); break;
  case 0x14: set_register(run, reg, VT_HOW_VAL_OFFSET, (int64_t)vt_bytes_uleb(b) * align); break;
  case 0x15: set_register(run, reg, VT_HOW_VAL_OFFSET, vt_bytes_sleb(b) * align); break;
  case 0x16: set_register(run, reg, VT_HOW_VAL_EXPR, expression(run)); break;
  case 0x2F: set_register(run, reg, VT_HOW_OFFSET, -(int64_t)vt_bytes_uleb(b) * align); break;
  }
}

static void run_extended(run_t *run, uint8_t op) {
  vt_bytes_t *b = &run->b;
  uint64_t align = run->entry->code_align;
  switch (op) {
  case 0x00: break;
  case 0x01: run->loc = encoded_pointer(b, run->entry->pc_encoding, run->cfi->base); break;
  case 0x02: run->loc += vt_bytes_uint(b, 1) * align; break;
  case 0x03: run->loc += vt_bytes_uint(b, 2) * align; break;
  case 0x04: run->loc += vt_bytes_uint(b, 4) * align; break;
  case 0x0A: remember(run); break;
  case 0x0B: recall(run); break;
  case 0x0C:
  case 0x0D:
  case 0x0E:
  case 0x0F:
  case 0x12:
  case 0x13: run_cfa(run, op); break;
  case 0x05:
  case 0x06:
  case 0x07:
  case 0x08:
  case 0x09:
  case 0x10:
  case 0x11:
  case 0x14:
  case 0x15:
  case 0x16:
  case 0x2F: run_register(run, op); break;
  case 0x2E: vt_bytes_uleb(b); break; /* DW_CFA_GNU_args_size: for landing pads only */
  default: b->bad = 1;
  }
}

/* Runs instructions until the row of pc is complete. */
static int run_program(vt_cfi_t *cfi, entry_t const *entry, vt_bytes_t program, uint64_t pc) {
  run_t run = {cfi, entry, program, entry->pc_begin};
  while (run.b.p < run.b.end && !run.b.bad) {
    uint8_t op = *run.b.p++;
    uint8_t low = op & 0x3F;
    switch (op >> 6) {
    case 0: run_extended(&run, op); break;
    case 1: run.loc += low * entry->code_align; break;
    case 2:
      set_register(&run, low, VT_HOW_OFFSET, (int64_t)vt_bytes_uleb(&run.b) * entry->data_align);
      break;
    default: restore_register(&run, low);
    }
    if (run.loc > pc) break;
  }
  return !run.b.bad;
}

static int row_of(vt_cfi_t *cfi, uint64_t pc) {
  entry_t entry;
  vt_bytes_t cie;
  if (!fde_find(cfi, pc, &entry, &cie)) return 0;
  cfi->signal = entry.signal;
  cfi->begin = entry.pc_begin;
  cfi->limit = entry.pc_end;
  cfi->saved_cnt = 0;
  memset(&cfi->row, 0, sizeof(cfi->row));
  memset(&cfi->initial, 0, sizeof(cfi->initial));
  if (!run_program(cfi, &entry, cie, UINT64_MAX)) return 0;
  cfi->initial = cfi->row;
  /* A return address that stays the same is that of a row without any rule: of tables that are there
     for their personality alone (LuaJIT's). */
  return run_program(cfi, &entry, entry.program, pc) && cfi->row.how[VT_REG_RIP] != VT_HOW_SAME;
}

/* Does the function that ends at pc end with a call? Its code is there, as its entry was found: nobody
   needs to be asked. */
static int ends_in_call(vt_cfi_t const *cfi, uint64_t pc) {
  uint64_t sz = pc - cfi->begin, before = 0;
  if (sz >= 8) return vt_arch_follows_call(vt_load(pc - 8));
  for (uint64_t i = 0; i < sz; i++)
    before |= (uint64_t)*(uint8_t const volatile *)(uintptr_t)(cfi->begin + i) << 8 * (8 - sz + i);
  return vt_arch_follows_call(before);
}

/* Where a function ends at a return address that follows no call, the address is not of it, but of the
   function that begins there. */
static int row_of_pc(vt_cfi_t *cfi, uint64_t pc, uint32_t exact) {
  if (row_of(cfi, exact ? pc : pc - 1) &&
      (exact || cfi->limit != pc || ends_in_call(cfi, pc)))
    return VT_CFI_FOUND;
  if (!exact && row_of(cfi, pc) && cfi->begin == pc) return VT_CFI_NOT_CALLED;
  return VT_CFI_NO_FDE;
}

/* The tables' segment: not always the one of the code, where segments are far apart. */
static void locate_tables(vt_cfi_t *cfi) {
  vt_object_t tables = cfi->object;
  uint64_t base = (uint64_t)cfi->object.eh_frame;
  cfi->base = cfi->object.eh_frame;
  if (base < tables.start || base >= tables.end) vt_object_find(base, &tables);
  cfi->start = (uint8_t const *)tables.start;
  cfi->end = (uint8_t const *)tables.end;
}

/* Generated code is not asked for where a function begins: only what its tables say of a call counts. */
static int find_registered(vt_cfi_t *cfi, uint64_t pc, uint32_t exact) {
  memset(&cfi->object, 0, sizeof cfi->object);
  cfi->registered = vt_registered_find(exact ? pc : pc - 1, &cfi->start, &cfi->end) != 0;
  cfi->base = cfi->start;
  return cfi->registered && row_of(cfi, exact ? pc : pc - 1) ? VT_CFI_FOUND : VT_CFI_NO_OBJECT;
}

int vt_cfi_find(vt_cfi_t *cfi, uint64_t pc, uint32_t exact) {
  cfi->signal = cfi->registered = 0;
  if (!vt_object_find(exact ? pc : pc - 1, &cfi->object)) {
    vt_debugged_met();
    return find_registered(cfi, pc, exact);
  }
  if (vt_unwind_object_seen) vt_unwind_object_seen(&cfi->object);
  if (!cfi->object.eh_frame) return VT_CFI_NO_FDE;
  locate_tables(cfi);
  return row_of_pc(cfi, pc, exact);
}
