/* See neighbours.h. For every 16 bytes of the pages looked at it is noted whose block was freed there
   last; in the end those in which nothing lives are counted. */
#include "analyzer/report/neighbours.h"
#include "analyzer/report/merge.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"

#include <stdlib.h>
#include <string.h>

#define GRAIN      16 /* no allocator places blocks closer */
#define GRAINS     256
#define PAGE       ((uint64_t)GRAIN * GRAINS)
#define SPOTS_MAX  65536
#define NOBODY     0
#define HOLDERS_MAX (UINT16_MAX - 1) /* of which a grain can tell */

typedef struct {
  uint64_t page;
  uint32_t wanted;           /* index of the holder it counts for */
  uint16_t last[GRAINS];     /* holder + 1 whose block was freed here last; NOBODY */
} spot_t;

typedef struct {
  vt_residences_t *all;
  size_t trace;
  vt_model_t *model;
  uint32_t *holder_of; /* by cell: holder + 1, 0: not asked yet */
  size_t holder_of_cnt;
  spot_t *spots; /* by page */
  size_t spots_cnt, spots_cap;
} look_t;

/* ---- the pages ---- */

typedef struct {
  uint64_t page;
  uint32_t wanted;
} place_t;

typedef struct {
  place_t *places;
  size_t places_cnt, places_cap;
} places_t;

static void add_place(places_t *p, uint64_t page, uint32_t wanted) {
  place_t *last = p->places_cnt ? &p->places[p->places_cnt - 1] : NULL;
  if (!last || last->page != page)
    VT_PUSH(p->places, ((place_t){page, wanted}));
  else if (wanted < last->wanted)
    last->wanted = wanted;
}

/* choose_pages: what is between the first and the last page of a block has no room for others. */
static void choose_pages(look_t *l, vt_captured_t const *m, uint32_t const *rank) {
  places_t p = {0};
  for (size_t i = 0; i < m->blocks_cnt; i++) {
    vt_held_block_t const *b = &m->blocks[i];
    uint64_t first = b->start & ~(PAGE - 1), last = (b->start + (b->size ? b->size - 1 : 0)) & ~(PAGE - 1);
    if (!rank[b->key] || b->heap == VT_HELD_ANNOTATED) continue;
    add_place(&p, first, rank[b->key] - 1);
    add_place(&p, last, rank[b->key] - 1);
  }
  size_t step = p.places_cnt / SPOTS_MAX + 1;
  for (size_t i = 0; i < p.places_cnt; i += step)
    VT_PUSH(l->spots, ((spot_t){.page = p.places[i].page, .wanted = p.places[i].wanted}));
  free(p.places);
}

/* first_spot is the index of the first page looked at that is not before `page`. */
static size_t first_spot(look_t const *l, uint64_t page) {
  return VT_FIRST_NOT(l->spots_cnt, i, l->spots[i].page < page);
}

/* mark writes a mark over what of [start,end) lies in pages looked at. */
static void mark(look_t *l, uint64_t start, uint64_t end, uint16_t with) {
  for (size_t i = first_spot(l, start & ~(PAGE - 1)); i < l->spots_cnt && l->spots[i].page < end; i++) {
    spot_t *s = &l->spots[i];
    uint64_t from = start > s->page ? start - s->page : 0;
    uint64_t to = end < s->page + PAGE ? end - s->page : PAGE;
    for (uint64_t g = from / GRAIN; g < (to + GRAIN - 1) / GRAIN; g++) s->last[g] = with;
  }
}

/* ---- the events ---- */

static uint32_t holder_of(look_t *l, uint32_t cell) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(l->model, &cnt);
  if (cell >= l->holder_of_cnt) {
    l->holder_of = vt_mem_resize(l->holder_of, 2 * cnt, sizeof *l->holder_of);
    memset(l->holder_of + l->holder_of_cnt, 0, (2 * cnt - l->holder_of_cnt) * sizeof *l->holder_of);
    l->holder_of_cnt = 2 * cnt;
  }
  if (!l->holder_of[cell])
    l->holder_of[cell] = vt_residence_holder(l->all, l->trace, cells[cell].stack) + 1;
  return l->holder_of[cell];
}

static void changed(void *context, vt_model_change_t const *change) {
  look_t *l = context;
  size_t cnt;
  uint32_t kind = vt_model_heaps(l->model, &cnt)[change->heap].kind;
  if (change->begins || (kind && kind != VT_HEAP_KIND_PYTHON)) return;
  uint32_t holder = holder_of(l, change->cell);
  mark(l, change->address, change->address + change->size, holder <= HOLDERS_MAX ? (uint16_t)holder : NOBODY);
}

static void run(look_t *l, vt_captured_t const *m) {
  uint64_t no_shift = 0;
  vt_reader_t *reader = l->all->analysis->readers[l->trace];
  vt_model_options_t options = {.to_ns = m->until, .watch = {.changed = changed, .context = l}};
  l->model = vt_model_new(&options);
  vt_model_add_trace(l->model, 0);
  vt_merge_declare(l->model, 0, reader);
  vt_merge_run(l->model, &reader, &no_shift, 1);
  vt_model_delete(l->model);
}

/* ---- the result ---- */

static void count_grain(vt_neighbours_t *out, uint32_t holder) {
  size_t i = 0;
  while (i < out->freed_cnt && out->freed[i].holder != holder) i++;
  if (i == out->freed_cnt) VT_PUSH(out->freed, ((vt_neighbour_t){holder, 0}));
  out->freed[i].bytes += GRAIN;
}

static int by_bytes(void const *a, void const *b) {
  vt_neighbour_t const *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x->holder < y->holder ? -1 : x->holder > y->holder;
}

#define LIVES UINT16_MAX

static void count(look_t *l, vt_captured_t const *m, vt_neighbours_t *out, size_t wanted_cnt) {
  for (size_t i = 0; i < m->blocks_cnt; i++)
    if (m->blocks[i].heap != VT_HELD_ANNOTATED)
      mark(l, m->blocks[i].start, m->blocks[i].start + m->blocks[i].size, LIVES);
  for (size_t i = 0; i < l->spots_cnt; i++) {
    spot_t const *s = &l->spots[i];
    for (int g = 0; g < GRAINS; g++) {
      if (s->last[g] == LIVES) continue;
      out[s->wanted].rest_bytes += GRAIN;
      if (s->last[g] != NOBODY) count_grain(&out[s->wanted], s->last[g] - 1u);
    }
  }
  for (size_t i = 0; i < wanted_cnt; i++)
    if (out[i].freed) qsort(out[i].freed, out[i].freed_cnt, sizeof *out[i].freed, by_bytes);
}

void vt_neighbours_find(vt_residences_t *all, size_t trace, vt_captured_t const *moment,
                        uint32_t const *wanted, size_t wanted_cnt, vt_neighbours_t *out) {
  look_t l = {.all = all, .trace = trace};
  uint32_t *rank = vt_mem_new(all->holders_cnt + 1, sizeof *rank);
  for (size_t i = 0; i < wanted_cnt; i++) rank[wanted[i]] = (uint32_t)i + 1;
  choose_pages(&l, moment, rank);
  free(rank);
  if (l.spots_cnt) run(&l, moment);
  if (l.spots_cnt) count(&l, moment, out, wanted_cnt);
  free(l.spots);
  free(l.holder_of);
}
