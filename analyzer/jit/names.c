/* See names.h. The form of a perf map is described in the kernel's
   tools/perf/Documentation/jit-interface.txt. */
#include "analyzer/jit/names.h"

#define NAME_MAX_SZ  4096
#define ADDRESSES_SZ ((uint64_t)1 << 47)
#define COUNT_SZ     4

void vt_jit_names_add(vt_jit_names_t *names, vt_jit_name_t const *name) {
  if (!name->name_sz || !name->size || name->address >= ADDRESSES_SZ ||
      name->size > ADDRESSES_SZ - name->address)
    return;
  vt_bytes_t *b = &names->bytes;
  if (!b->sz) vt_bytes_u32(b, 0);
  vt_bytes_u64(b, name->tick);
  vt_bytes_u64(b, name->address);
  vt_bytes_u64(b, name->size);
  vt_bytes_string(b, name->name, name->name_sz < NAME_MAX_SZ ? name->name_sz : NAME_MAX_SZ);
  names->cnt++;
}

vt_bytes_t const *vt_jit_names_payload(vt_jit_names_t *names) {
  if (names->bytes.sz >= COUNT_SZ) vt_store32(names->bytes.data, names->cnt);
  return &names->bytes;
}

void vt_jit_names_clear(vt_jit_names_t *names) {
  names->bytes.sz = 0;
  names->cnt = 0;
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* hex reads a number and the blank behind it. Returns 1, or 0: there is none. */
static int hex(char const **p, char const *end, uint64_t *value) {
  char const *start = *p;
  if (end - start > 2 && start[0] == '0' && (start[1] | 0x20) == 'x') start = *p += 2;
  for (*value = 0; *p < end && digit(**p) >= 0; ++*p) *value = *value << 4 | (uint64_t)digit(**p);
  if (*p == start || *p - start > 16 || *p == end || **p != ' ') return 0;
  ++*p;
  return 1;
}

static void read_line(vt_jit_names_t *names, char const *p, char const *end, uint64_t tick) {
  vt_jit_name_t name = {.tick = tick};
  if (!hex(&p, end, &name.address) || !hex(&p, end, &name.size)) return;
  name.name = p;
  name.name_sz = (size_t)(end - p);
  vt_jit_names_add(names, &name);
}

size_t vt_perf_map_read(vt_jit_names_t *names, char const *text, size_t sz, uint64_t tick) {
  char const *p = text, *end;
  while ((end = memchr(p, '\n', sz - (size_t)(p - text)))) {
    read_line(names, p, end, tick);
    p = end + 1;
  }
  return (size_t)(p - text);
}
