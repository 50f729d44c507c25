/* See interpreted.h. */
#include "analyzer/cli/interpreted.h"

vt_interpreted_t vt_interpreted_begin(vt_reader_t const *reader) {
  size_t patched;
  vt_reader_patched(reader, &patched);
  vt_interpreted_t i = {.any = vt_reader_interpreted(reader), .told = vt_reader_refused(reader, NULL) == patched};
  vt_blocks_init(&i.live);
  return i;
}

void vt_interpreted_end(vt_interpreted_t *i) { vt_blocks_fini(&i->live); }

static int is_live(vt_interpreted_t const *i, uint64_t address) { return vt_blocks_find(&i->live, address)->cell != 0; }

/* set makes it known whether the block at an address is one. */
static void set(vt_interpreted_t *i, uint64_t address, int is_one) {
  vt_block_t *slot = vt_blocks_find(&i->live, address);
  if (is_one && !slot->cell) vt_blocks_insert(&i->live, slot, (vt_block_t){.address = address, .cell = 1}, 0);
  if (!is_one && slot->cell) vt_blocks_remove(&i->live, slot);
}

/* of_block: as the blocks tell. */
static int of_block(vt_interpreted_t *i, vt_event_t const *e, uint64_t old) {
  int one = e->api == VT_API_OTHER;
  switch (e->kind) {
  case VT_EVENT_ALLOC: set(i, e->address, one); return one;
  case VT_EVENT_FREE:
    one = is_live(i, e->address);
    set(i, e->address, 0);
    return one;
  case VT_EVENT_REALLOC_DONE:
    if (!e->address && e->size) return is_live(i, old);
    if (old) set(i, old, 0);
    if (e->address) set(i, e->address, one);
    return one;
  default: return is_live(i, e->address);
  }
}

int vt_interpreted_has(vt_interpreted_t *i, vt_event_t const *event, uint64_t old) {
  if (!i->any || event->heap) return 0;
  return i->told ? event->api == VT_API_OTHER : of_block(i, event, old);
}
