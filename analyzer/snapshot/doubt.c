/* See doubt.h. */
#include "analyzer/snapshot/doubt.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

#define REGISTERS 48 /* of 64 bits: general ones, and twice the 16 vector registers that code uses for copying */

typedef struct {
  vt_judged_t *verdict;
  vt_graph_t const *graph;
  uint32_t *queue;
  size_t queue_cnt;
} flood_t;

/* sites_of gives each block its site, as a number below *sites_cnt. */
static uint32_t *sites_of(vt_live_t const *live, vt_origin_t const *origins, size_t cnt, uint32_t *sites_cnt) {
  uint32_t *sites = vt_mem_new((size_t)live->cnt + 1, sizeof *sites);
  *sites_cnt = 1;
  for (size_t i = 0, o = 0; i < live->cnt; i++) {
    while (o < cnt && origins[o].address < live->blocks[i].start) o++;
    if (o < cnt && origins[o].address == live->blocks[i].start) sites[i] = origins[o].site;
    if (sites[i] >= *sites_cnt) *sites_cnt = sites[i] + 1;
  }
  return sites;
}

static void doubt(flood_t *f, uint32_t block) {
  f->verdict->kinds[block] = VT_CLASS_POSSIBLE;
  f->queue[f->queue_cnt++] = block;
}

static void flood(flood_t *f) {
  while (f->queue_cnt) {
    uint32_t block = f->queue[--f->queue_cnt];
    for (size_t e = f->graph->first[block]; e < f->graph->first[block + 1]; e++) {
      uint32_t to = f->graph->edges[e] & ~VT_EDGE_WEAK;
      if (f->verdict->kinds[to] > VT_CLASS_POSSIBLE) doubt(f, to);
    }
  }
}

void vt_doubt(vt_judged_t *verdict, vt_graph_t const *graph, vt_live_t const *live, vt_origin_t const *origins,
              size_t cnt, uint32_t threads) {
  uint32_t sites_cnt;
  uint32_t *sites = sites_of(live, origins, cnt, &sites_cnt);
  uint64_t *lost = vt_mem_new(sites_cnt, sizeof *lost);
  flood_t f = {.verdict = verdict, .graph = graph, .queue = vt_mem_resize(NULL, (size_t)live->cnt + 1, 4)};
  for (uint32_t i = 0; i < live->cnt; i++) lost[sites[i]] += verdict->kinds[i] == VT_CLASS_DEFINITE;
  for (uint32_t i = 0; i < live->cnt; i++)
    if (verdict->kinds[i] == VT_CLASS_DEFINITE && lost[sites[i]] <= (uint64_t)REGISTERS * threads) {
      doubt(&f, i);
      flood(&f);
    }
  free(f.queue);
  free(lost);
  free(sites);
}
