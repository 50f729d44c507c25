/* See trie.h. */
#include "analyzer/trace/trie.h"

/* A lost node's pc: no epoch has this number, so its modules are unknown. */
#define EPOCH_UNKNOWN UINT32_MAX

static void room(vt_trie_t *t, uint32_t cnt) {
  if (cnt <= t->cap) return;
  uint32_t cap = t->cap ? t->cap : 1024;
  while (cap < cnt) cap *= 2;
  t->parent = vt_mem_table_grow(t->parent, t->cap, cap, sizeof *t->parent);
  t->pc = vt_mem_table_grow(t->pc, t->cap, cap, sizeof *t->pc);
  t->children = vt_mem_table_grow(t->children, t->cap, cap, sizeof *t->children);
  t->cap = cap;
}

/* A node that is only read, never asked for a child. */
static uint32_t append_leaf(vt_trie_t *t, uint32_t parent, uint64_t pc) {
  room(t, t->cnt + 1);
  t->parent[t->cnt] = parent;
  t->pc[t->cnt] = pc;
  return t->cnt++;
}

static uint32_t append(vt_trie_t *t, uint32_t parent, uint64_t pc) {
  uint32_t node = append_leaf(t, parent, pc);
  t->children[node] = (vt_trie_children_t){0};
  return node;
}

void vt_trie_init(vt_trie_t *t) {
  *t = (vt_trie_t){0};
  append(t, 0, 0);
}

void vt_trie_fini(vt_trie_t *t) {
  vt_mem_table_free(t->parent, t->cap, sizeof *t->parent);
  vt_mem_table_free(t->pc, t->cap, sizeof *t->pc);
  vt_mem_table_free(t->children, t->cap, sizeof *t->children);
  free(t->table);
  *t = (vt_trie_t){0};
}

static uint32_t hash_of(uint32_t parent, uint64_t pc) {
  return (uint32_t)((pc ^ (uint64_t)parent << 32 ^ parent) * 0x9E3779B97F4A7C15u >> 32);
}

static void grow_table(vt_trie_t *t) {
  vt_trie_slot_t *old = t->table;
  uint32_t old_sz = t->table_sz;
  t->table_sz = old_sz ? 2 * old_sz : 4096;
  t->table = vt_mem_new(t->table_sz, sizeof *t->table);
  for (uint32_t i = 0; i < old_sz; i++) {
    uint32_t to = old[i].hash & (t->table_sz - 1);
    if (!old[i].node) continue;
    while (t->table[to].node) to = (to + 1) & (t->table_sz - 1);
    t->table[to] = old[i];
  }
  free(old);
}

static uint32_t further_child(vt_trie_t *t, uint32_t parent, uint64_t pc) {
  if (t->table_cnt * 2 >= t->table_sz) grow_table(t);
  uint32_t hash = hash_of(parent, pc), i = hash & (t->table_sz - 1);
  for (vt_trie_slot_t s; (s = t->table[i]).node; i = (i + 1) & (t->table_sz - 1))
    if (s.hash == hash && t->pc[s.node] == pc && t->parent[s.node] == parent) return s.node;
  if (t->cnt == VT_TRIE_NODE_MAX) return 0;
  t->table_cnt++;
  t->table[i] = (vt_trie_slot_t){hash, append(t, parent, pc)};
  return t->table[i].node;
}

uint32_t vt_trie_child_slow(vt_trie_t *t, uint32_t parent, uint64_t pc) {
  uint32_t node = t->children[parent].first;
  if (!node) {
    if (t->cnt == VT_TRIE_NODE_MAX) return parent;
    node = append(t, parent, pc);
    t->children[parent].first = node;
  } else if (t->pc[node] != pc) {
    node = further_child(t, parent, pc);
    if (!node) return parent;
  }
  return t->children[parent].latest = node;
}

void vt_trie_encode(vt_trie_t const *t, uint32_t from, vt_bytes_t *out) {
  uint64_t previous = 0;
  vt_bytes_u32(out, from);
  vt_bytes_u32(out, t->cnt - from);
  for (uint32_t node = from; node < t->cnt; node++) {
    vt_bytes_varint(out, t->parent[node] ? node - t->parent[node] : 0);
    vt_bytes_varint(out, vt_zigzag((int64_t)(t->pc[node] - previous)));
    previous = t->pc[node];
  }
}

int vt_trie_decode(vt_trie_t *t, uint8_t const *payload, size_t sz) {
  vt_cursor_t c = vt_cursor(payload, sz);
  uint32_t first = vt_cursor_u32(&c), cnt = vt_cursor_u32(&c);
  uint64_t pc = 0;
  if (c.bad || first < t->cnt || first >= VT_TRIE_NODE_MAX || cnt > vt_cursor_left(&c) / 2 ||
      cnt > VT_TRIE_NODE_MAX - first)
    return -1;
  /* A gap is what lost chunks held; it may not cost more memory than a small multiple of the file.
   */
  if (first - t->cnt > ((uint32_t)1 << 24)) return -1;
  while (t->cnt < first) append_leaf(t, 0, EPOCH_UNKNOWN);
  for (uint32_t i = 0; i < cnt; i++) {
    uint64_t back = vt_cursor_varint(&c);
    pc += (uint64_t)vt_unzigzag(vt_cursor_varint(&c));
    if (c.bad || back >= t->cnt) return -1;
    append_leaf(t, back ? t->cnt - (uint32_t)back : 0, pc);
  }
  return 0;
}
