/* Sites of an analysis: sums over the cells of equal stacks. See sites.h. */
#include "analyzer/report/sites.h"
#include <stdlib.h>
#include "analyzer/util/mem.h"

void vt_site_add(vt_site_t *sum, vt_site_t const *site) {
  sum->allocations += site->allocations;
  sum->allocated_bytes += site->allocated_bytes;
  sum->frees += site->frees;
  sum->freed_bytes += site->freed_bytes;
  sum->temporary += site->temporary;
  sum->temporary_bytes += site->temporary_bytes;
  sum->peak_bytes += site->peak_bytes;
  sum->peak_blocks += site->peak_blocks;
  sum->peak_unsure_bytes += site->peak_unsure_bytes;
  sum->unsure_bytes += site->unsure_bytes;
  sum->unsure_blocks += site->unsure_blocks;
  sum->leaked_bytes += site->leaked_bytes;
  sum->leaked_blocks += site->leaked_blocks;
  for (int i = 0; i < VT_LEAK_KINDS; i++) {
    sum->kinds.bytes[i] += site->kinds.bytes[i];
    sum->kinds.blocks[i] += site->kinds.blocks[i];
  }
  sum->lost_bytes += site->lost_bytes;
  sum->lost_blocks += site->lost_blocks;
  sum->reallocs += site->reallocs;
  sum->realloc_moved += site->realloc_moved;
  sum->realloc_old_bytes += site->realloc_old_bytes;
  sum->cross_thread_frees += site->cross_thread_frees;
  sum->max_bytes += site->max_bytes;
  sum->max_blocks += site->max_blocks;
  sum->lifetimes.added += site->lifetimes.added;
  if (site->lifetimes.min < sum->lifetimes.min) sum->lifetimes.min = site->lifetimes.min;
  if (site->lifetimes.max > sum->lifetimes.max) sum->lifetimes.max = site->lifetimes.max;
  if (__builtin_add_overflow(sum->lifetimes.sum, site->lifetimes.sum, &sum->lifetimes.sum)) sum->lifetimes.sum = UINT64_MAX;
  sum->sampled |= site->sampled;
  sum->untold |= site->untold;
  vt_cell_spread_add(&sum->spread, &site->spread);
}

static void add_cell(vt_site_t *site, vt_analysis_t const *analysis, vt_cell_t const *cell, size_t number) {
  vt_site_t one = {.allocations = cell->allocations,
                   .allocated_bytes = cell->allocated_bytes,
                   .frees = cell->frees,
                   .freed_bytes = cell->freed_bytes,
                   .temporary = cell->temporary,
                   .temporary_bytes = cell->temporary_bytes,
                   .peak_bytes = cell->peak_bytes,
                   .peak_blocks = cell->peak_blocks,
                   .peak_unsure_bytes = cell->peak_unsure_bytes,
                   .unsure_bytes = cell->unsure_bytes,
                   .unsure_blocks = cell->unsure_blocks,
                   .leaked_bytes = cell->allocated_bytes - cell->freed_bytes,
                   .leaked_blocks = cell->allocations - cell->frees,
                   .reallocs = cell->reallocs,
                   .realloc_moved = cell->realloc_moved,
                   .realloc_old_bytes = cell->realloc_old_bytes,
                   .cross_thread_frees = cell->cross_thread_frees,
                   .max_bytes = cell->max_bytes,
                   .max_blocks = cell->max_blocks,
                   .sampled = vt_reader_info(analysis->readers[cell->trace])->sample_period != 0,
                   .untold = vt_sampled_untold(analysis->readers[cell->trace]),
                   .spread = vt_model_spread(analysis->model, number)};
  vt_lifetimes_init(&one.lifetimes);
  vt_site_add(site, &one);
  vt_lifetimes_merge(&site->lifetimes, &cell->lifetimes);
}

/* Index + 1 of the site of (node, heap) in the chain that starts at head[node]; 0: none. */
static uint32_t find_site(vt_analysis_t const *analysis, uint32_t const *head, uint32_t const *next,
                          uint32_t node, uint32_t heap) {
  uint32_t at = head[node];
  while (at && analysis->sites[at - 1].heap != heap) at = next[at - 1];
  return at;
}

uint32_t vt_analysis_cell_node(vt_analysis_t const *analysis, vt_cell_t const *cell,
                               int keep_allocators) {
  uint32_t ids = vt_reader_stacks(analysis->readers[cell->trace]).cnt;
  uint32_t node = cell->stack < ids ? analysis->nodes[cell->trace][cell->stack] : 0;
  return keep_allocators ? node : vt_stacks_skip_allocators(analysis->stacks, node);
}

/* The heap of a cell's site: the processes' own heaps are one for this, and so are Python's. */
static uint32_t site_heap(vt_analysis_t const *analysis, vt_cell_t const *cell) {
  size_t cnt;
  vt_model_heap_t const *heaps = vt_model_heaps(analysis->model, &cnt);
  if (cell->heap >= cnt) return cell->heap;
  if (heaps[cell->heap].kind == 0) return 0;
  for (uint32_t i = 0; heaps[cell->heap].kind == VT_HEAP_KIND_PYTHON && i < cell->heap; i++)
    if (heaps[i].kind == VT_HEAP_KIND_PYTHON) return i;
  return cell->heap;
}

static vt_site_t new_site(vt_analysis_t const *analysis, vt_cell_t const *cell, uint32_t node) {
  uint32_t owner = vt_stacks_owner(analysis->stacks, node, analysis->no_inlines);
  vt_site_t site = {.node = node,
                    .owner = owner ? vt_stacks_place(analysis->stacks, owner) : 0,
                    .heap = site_heap(analysis, cell),
                    .trace = cell->trace,
                    .nested = cell->nested};
  vt_lifetimes_init(&site.lifetimes);
  return site;
}

void vt_sites_make(vt_analysis_t *analysis) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(analysis->model, &cnt);
  size_t node_cnt = vt_stacks_cnt(analysis->stacks);
  uint32_t *head = vt_mem_table(node_cnt, sizeof *head);
  uint32_t *next = vt_mem_new(cnt, sizeof *next);
  analysis->cell_sites = vt_mem_new(cnt, sizeof *analysis->cell_sites);
  for (size_t i = VT_CELL_FIRST; i < cnt; i++) {
    if (!cells[i].allocations) continue;
    uint32_t node = vt_analysis_cell_node(analysis, &cells[i], analysis->keep_allocators);
    uint32_t at = find_site(analysis, head, next, node, site_heap(analysis, &cells[i]));
    if (!at) {
      VT_TABLE_PUSH(analysis->sites, new_site(analysis, &cells[i], node));
      at = (uint32_t)analysis->sites_cnt;
      next[at - 1] = head[node];
      head[node] = at;
    }
    add_cell(&analysis->sites[at - 1], analysis, &cells[i], i);
    analysis->cell_sites[i] = at;
  }
  vt_mem_table_free(head, node_cnt, sizeof *head);
  free(next);
}

void vt_sites_drop(vt_analysis_t *analysis) {
  for (size_t i = 0; i < analysis->sites_cnt; i++) vt_lifetimes_fini(&analysis->sites[i].lifetimes);
  vt_mem_table_free(analysis->sites, analysis->sites_cap, sizeof *analysis->sites);
  free(analysis->cell_sites);
  analysis->sites = NULL;
  analysis->sites_cnt = analysis->sites_cap = 0;
  analysis->cell_sites = NULL;
}
