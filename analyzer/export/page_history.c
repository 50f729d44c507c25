/* Encoding the history of nodes; see page_history.h. Entries of cells are sorted by node with one
   counting pass, which keeps their order in time also where a node stands for many cells. */
#include "analyzer/export/page_history.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/export/page_pack.h"
#include "analyzer/util/mem.h"

#define SHIFT_MAX 8

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

static void add(vt_history_t *sum, vt_history_t const *entry) {
  sum->allocations += entry->allocations;
  sum->allocated_bytes += entry->allocated_bytes;
  sum->frees += entry->frees;
  sum->freed_bytes += entry->freed_bytes;
  sum->temporary += entry->temporary;
  sum->temporary_bytes += entry->temporary_bytes;
}

/* Sums up the entries of one node and one bucket by the age of their blocks, at sums[age]; ages not
   in use are 0. Returns their number. *at moves on to the next bucket. */
static uint32_t sum_bucket(sorted_t const *sorted, size_t *at, size_t end, unsigned shift,
                           vt_history_t *sums) {
  uint32_t cnt = 0, bucket = sorted->entries[sorted->order[*at]].bucket >> shift;
  memset(sums, 0, (bucket + 1) * sizeof *sums);
  for (; *at < end; (*at)++) {
    vt_history_t const *entry = &sorted->entries[sorted->order[*at]];
    if (entry->bucket >> shift != bucket) break;
    vt_history_t *sum = &sums[bucket - (entry->born >> shift)];
    cnt += !sum->allocations && !sum->frees;
    add(sum, entry);
  }
  return cnt;
}

static void encode_ages(vt_page_pack_t *out, vt_history_t const *sums, uint32_t cnt) {
  vt_page_put(out, cnt);
  for (uint32_t age = 0, before = 0; cnt; age++) {
    vt_history_t const *sum = &sums[age];
    if (!sum->allocations && !sum->frees) continue;
    vt_page_put(out, age - before);
    before = age;
    vt_page_put(out, sum->allocations);
    if (sum->allocations) vt_page_put(out, sum->allocated_bytes);
    vt_page_put(out, sum->frees);
    if (sum->frees) vt_page_put(out, sum->freed_bytes);
    if (sum->frees) vt_page_put(out, sum->temporary);
    if (sum->temporary) vt_page_put(out, sum->temporary_bytes);
    cnt--;
  }
}

static size_t count_buckets(sorted_t const *sorted, size_t start, size_t end, unsigned shift) {
  size_t cnt = 0;
  uint32_t last = UINT32_MAX;
  for (size_t at = start; at < end; at++) {
    uint32_t bucket = sorted->entries[sorted->order[at]].bucket >> shift;
    cnt += bucket != last;
    last = bucket;
  }
  return cnt;
}

static void encode_node(vt_page_pack_t *out, sorted_t const *sorted, size_t node, unsigned shift) {
  size_t start = sorted->starts[node], end = sorted->starts[node + 1];
  uint32_t before = 0;
  vt_history_t sums[VT_HISTORY_BUCKETS_MAX];
  vt_page_put(out, count_buckets(sorted, start, end, shift));
  for (size_t at = start; at < end;) {
    uint32_t bucket = sorted->entries[sorted->order[at]].bucket >> shift;
    uint32_t cnt = sum_bucket(sorted, &at, end, shift, sums);
    vt_page_put(out, bucket - before);
    encode_ages(out, sums, cnt);
    before = bucket;
  }
}

static char *encode(sorted_t const *sorted, unsigned shift) {
  vt_page_pack_t out = {0};
  size_t before = 0;
  for (size_t node = 0; node < sorted->nodes; node++) {
    if (sorted->starts[node] == sorted->starts[node + 1]) continue;
    vt_page_put(&out, node - before);
    encode_node(&out, sorted, node, shift);
    before = node;
  }
  char *text = vt_page_packed(&out);
  free(out.bytes);
  return text;
}

void vt_page_history(vt_json_t *json, vt_page_tree_t const *tree, vt_model_t const *model,
                     size_t max) {
  size_t cnt;
  uint64_t bucket_ns;
  unsigned shift = 0;
  vt_history_t const *entries = vt_model_history(model, &cnt, &bucket_ns);
  if (!cnt) return;
  sorted_t sorted = sort_entries(tree, entries, cnt);
  char *data = encode(&sorted, shift);
  while (strlen(data) > max && shift < SHIFT_MAX) {
    free(data);
    data = encode(&sorted, ++shift);
  }
  vt_json_object(json, "history");
  vt_json_uint(json, "bucket_ns", bucket_ns << shift);
  vt_json_string(json, "data", data);
  vt_json_end_object(json);
  free(data);
  free(sorted.order);
  free(sorted.starts);
}
