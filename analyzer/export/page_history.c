/* Encoding the history of nodes; see page_history.h. Entries of cells are sorted by node with one
   counting pass, which keeps their order in time also where a node stands for many cells. */
#include "analyzer/export/page_history.h"
#include <stdlib.h>
#include "analyzer/util/mem.h"

typedef struct {
  uint8_t *bytes;
  size_t bytes_cnt, bytes_cap;
} buffer_t;

typedef struct {
  vt_history_t const *entries;
  uint32_t *order; /* indexes of entries, by node, then time */
  size_t *starts;  /* by node, in order */
  size_t nodes;
} sorted_t;

static sorted_t sort_entries(vt_page_tree_t const *tree, vt_history_t const *entries, size_t cnt) {
  sorted_t sorted = {entries, vt_mem_new(cnt + 1, sizeof *sorted.order),
                     vt_mem_new(tree->nodes_cnt + 2, sizeof *sorted.starts), tree->nodes_cnt};
  uint32_t const *node_of = tree->node_of[0];
  for (size_t i = 0; i < cnt; i++) sorted.starts[node_of[entries[i].cell] + 2]++;
  for (size_t n = 2; n < tree->nodes_cnt + 2; n++) sorted.starts[n] += sorted.starts[n - 1];
  for (size_t i = 0; i < cnt; i++)
    sorted.order[sorted.starts[node_of[entries[i].cell] + 1]++] = (uint32_t)i;
  return sorted;
}

static void put(buffer_t *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    uint8_t low = (uint8_t)(value | 0x80);
    VT_PUSH(out->bytes, low);
  }
  uint8_t last = (uint8_t)value;
  VT_PUSH(out->bytes, last);
}

static void add(vt_history_t *sum, vt_history_t const *entry) {
  sum->allocations += entry->allocations;
  sum->allocated_bytes += entry->allocated_bytes;
  sum->frees += entry->frees;
  sum->freed_bytes += entry->freed_bytes;
  sum->temporary += entry->temporary;
  sum->temporary_bytes += entry->temporary_bytes;
}

/* Sums up the entry at *at and those that follow in its bucket. */
static vt_history_t next_bucket(sorted_t const *sorted, size_t *at, size_t end, unsigned shift) {
  vt_history_t sum = {.bucket = sorted->entries[sorted->order[*at]].bucket >> shift};
  for (; *at < end; (*at)++) {
    vt_history_t const *entry = &sorted->entries[sorted->order[*at]];
    if (entry->bucket >> shift != sum.bucket) break;
    add(&sum, entry);
  }
  return sum;
}

static void encode_node(buffer_t *out, sorted_t const *sorted, size_t node, unsigned shift) {
  size_t start = sorted->starts[node], end = sorted->starts[node + 1], cnt = 0;
  uint32_t before = 0;
  for (size_t at = start; at < end; cnt++) next_bucket(sorted, &at, end, shift);
  put(out, cnt);
  for (size_t at = start; at < end;) {
    vt_history_t sum = next_bucket(sorted, &at, end, shift);
    put(out, sum.bucket - before);
    put(out, sum.allocations);
    put(out, sum.allocated_bytes);
    put(out, sum.frees);
    put(out, sum.freed_bytes);
    put(out, sum.temporary);
    put(out, sum.temporary_bytes);
    before = sum.bucket;
  }
}

static void encode(buffer_t *out, sorted_t const *sorted, unsigned shift) {
  size_t before = 0;
  out->bytes_cnt = 0;
  for (size_t node = 0; node < sorted->nodes; node++) {
    if (sorted->starts[node] == sorted->starts[node + 1]) continue;
    put(out, node - before);
    encode_node(out, sorted, node, shift);
    before = node;
  }
}

static void write_base64(vt_json_t *json, char const *key, buffer_t const *data) {
  static char const digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *text = vt_mem_new(data->bytes_cnt / 3 * 4 + 8, 1), *end = text;
  for (size_t i = 0; i < data->bytes_cnt; i += 3) {
    size_t left = data->bytes_cnt - i;
    uint32_t bits = (uint32_t)data->bytes[i] << 16;
    if (left > 1) bits |= (uint32_t)data->bytes[i + 1] << 8;
    if (left > 2) bits |= data->bytes[i + 2];
    for (unsigned k = 0; k < 4; k++) *end++ = k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  vt_json_string_sz(json, key, text, (size_t)(end - text));
  free(text);
}

void vt_page_history(vt_json_t *json, vt_page_tree_t const *tree, vt_model_t const *model,
                     size_t max) {
  size_t cnt;
  uint64_t bucket_ns;
  unsigned shift = 0;
  buffer_t data = {0};
  vt_history_t const *entries = vt_model_history(model, &cnt, &bucket_ns);
  if (!cnt) return;
  sorted_t sorted = sort_entries(tree, entries, cnt);
  for (encode(&data, &sorted, shift); data.bytes_cnt / 3 * 4 > max; encode(&data, &sorted, shift))
    if (++shift == 8) break;
  vt_json_object(json, "history");
  vt_json_uint(json, "bucket_ns", bucket_ns << shift);
  write_base64(json, "data", &data);
  vt_json_end_object(json);
  free(sorted.order);
  free(sorted.starts);
  free(data.bytes);
}
