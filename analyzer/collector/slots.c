/* See slots.h. A slot is described before its `pid` is stored (vt_sink_join_ring), and nothing of it
   changes but the seat until the collector frees it. */
#include "analyzer/collector/slots.h"

static uint64_t describe(vt_slots_t const *s, uint32_t slot, vt_identity_t *who) {
  vt_ring_image_t *row = &s->ring->images[slot];
  /* Pairs with the release in vt_sink_join_ring. */
  who->pid = atomic_load_explicit(&row->pid, memory_order_acquire);
  who->space = atomic_load_explicit(&row->space, memory_order_relaxed);
  who->tick = atomic_load_explicit(&row->born, memory_order_relaxed);
  who->seat = atomic_load_explicit(&row->seat, memory_order_relaxed);
  return who->pid ? atomic_load_explicit(&row->image, memory_order_relaxed) : 0;
}

uint64_t vt_slots_image(vt_slots_t const *s, uint32_t slot) {
  vt_identity_t who;
  return describe(s, slot, &who);
}

/* A process keeps its number through exec: who lies harms no other. */
uint32_t vt_slots_predecessor(vt_slots_t const *s, uint32_t slot) {
  vt_ring_image_t *row = &s->ring->images[slot];
  uint64_t follows = atomic_load_explicit(&row->follows, memory_order_relaxed);
  uint32_t at = atomic_load_explicit(&row->follows_slot, memory_order_relaxed);
  vt_identity_t who, old;
  if (!follows || !at || at >= VT_RING_IMAGES || at == slot) return 0;
  if (!describe(s, slot, &who) || describe(s, at, &old) != follows) return 0;
  return old.pid == who.pid && (!old.space || !who.space || old.space == who.space) ? at : 0;
}

/* inherited_space is the namespace of an image that cannot see it: exec leaves it as it is. */
static uint64_t inherited_space(vt_slots_t const *s, uint32_t slot) {
  vt_identity_t old;
  for (uint32_t steps = 0; steps < VT_RING_IMAGES && (slot = vt_slots_predecessor(s, slot)); steps++) {
    if (s->owner[slot].who.space) return s->owner[slot].who.space;
    if (describe(s, slot, &old) && old.space) return old.space;
  }
  return 0;
}

/* A look at an image that had not yet its seat may have been in vain. */
vt_owner_t *vt_slots_owner(vt_slots_t *s, uint32_t slot) {
  vt_owner_t *owner = &s->owner[slot];
  vt_identity_t who;
  describe(s, slot, &who);
  int in_vain = owner->several && who.seat && !owner->who.seat;
  if (owner->who.pid && !in_vain) return owner;
  if (!who.space) who.space = inherited_space(s, slot);
  *owner = vt_owner_find(s->end, &who);
  return owner;
}

/* The first process is of our namespace, and its number is nobody else's until `run` has told of its
   end. */
int vt_slots_first(vt_slots_t *s, uint32_t slot) {
  vt_owner_t const *owner = vt_slots_owner(s, slot);
  if (s->first_over && owner->who.tick > s->first_over) return 0;
  if (owner->pid) return owner->pid == s->first_pid;
  return (pid_t)owner->who.pid == s->first_pid && owner->who.space == vt_owner_space();
}

void vt_slots_free(vt_slots_t *s, uint32_t slot) {
  vt_ring_image_t *row = &s->ring->images[slot];
  if (s->owner[slot].who.pid) vt_owner_leave(&s->owner[slot]);
  s->owner[slot] = (vt_owner_t){0};
  /* Pairs with the compare-and-swap that claims the slot. */
  atomic_store_explicit(&row->pid, 0, memory_order_relaxed);
  atomic_store_explicit(&row->image, 0, memory_order_release);
}
