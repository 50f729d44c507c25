/* The model of the near future that encoder and decoder of packed events share (codec.h).

   Normative text: docs/trace-format.md, "The model". Every function here is used by both sides, so
   that they cannot differ. */
#ifndef VT_ANALYZER_TRACE_CODEC_MODEL_H
#define VT_ANALYZER_TRACE_CODEC_MODEL_H

#include <stdint.h>
#include <string.h>
#include "analyzer/trace/bytes.h"
#include "analyzer/trace/event.h"

#define VT_MODEL_BITS    13
#define VT_MODEL_SLOTS   ((uint32_t)1 << VT_MODEL_BITS)
#define VT_MODEL_CLASSES 512
#define VT_MODEL_NONE    UINT32_MAX
/* Sizes up to this come from an interpreter's pools (CPython's SMALL_REQUEST_THRESHOLD), each multiple of 16 from its own. */
#define VT_MODEL_POOL_MAX 512

/* What a stack did last. */
typedef struct {
  uint64_t size;
  uint32_t said; /* what its operator delete was told of the latest block that is not of this chunk */
  uint8_t op;
  uint8_t changes; /* of `said` */
} vt_model_site_t;
#define VT_MODEL_CHANGES 32 /* a stack whose `said` has changed so often is asked no more */

/* An allocation of this chunk; live ones are a doubly linked list in order of allocation. */
typedef struct {
  uint64_t address;
  uint32_t size_class;
  uint32_t older, newer; /* VT_MODEL_NONE at the ends */
  uint32_t released;
} vt_model_alloc_t;

/* A release (free) of this chunk; those not used again are a list for each class, latest first. */
typedef struct {
  uint64_t address;
  uint32_t next;
  uint32_t used;
} vt_model_release_t;

typedef struct {
  uint32_t after_one[VT_MODEL_SLOTS]; /* stack that followed a stack */
  uint32_t after_two[VT_MODEL_SLOTS]; /* stack that followed a pair of stacks */
  vt_model_site_t site[VT_MODEL_SLOTS];
  uint32_t free_list[VT_MODEL_CLASSES]; /* index of the latest unused release, or NONE */
  vt_model_alloc_t *allocs;
  vt_model_release_t *releases;
  uint32_t alloc_cnt, release_cnt;
  uint32_t newest;   /* live allocation, or NONE */
  uint32_t beside;   /* live allocation next newer than the one released last, or NONE */
  uint32_t previous; /* stack of the previous event */
  uint32_t before;   /* stack of the one before it */
  uint32_t intent;   /* 1: the previous event is a REALLOC_INTENT */
  uint64_t intent_size, intent_address;
  uint32_t intent_alloc; /* its allocation, or NONE */
  uint64_t last_address; /* of the latest allocation */
  uint64_t last_end;     /* where its chunk of memory would end */
  uint64_t last_free;    /* latest address coded as a difference by a release */
  /* The same of an interpreter's blocks, for each class of pools and for each stack that frees. */
  int pools; /* they have a column of their own */
  uint64_t pool_last[VT_MODEL_POOL_MAX / 16 + 1];
  uint64_t pool_free[VT_MODEL_SLOTS];
} vt_model_state_t;

static inline uint32_t vt_model_slot(uint32_t a, uint32_t b) {
  return (a * 0x9E3779B1u ^ b * 0x85EBCA77u) >> (32 - VT_MODEL_BITS);
}

/* glibc's chunk size for a request, in units of 16 bytes. */
static inline uint64_t vt_model_units(uint64_t size) {
  uint64_t units = (size + 23) >> 4;
  return units < 2 ? 2 : units;
}
static inline uint32_t vt_model_class(uint64_t size) {
  uint64_t units = vt_model_units(size);
  return units < VT_MODEL_CLASSES ? (uint32_t)units : 1;
}

static inline void vt_model_reset(vt_model_state_t *m) {
  memset(m->after_one, 0, sizeof m->after_one);
  memset(m->after_two, 0, sizeof m->after_two);
  memset(m->site, 0, sizeof m->site);
  memset(m->free_list, 0xff, sizeof m->free_list);
  m->alloc_cnt = m->release_cnt = 0;
  m->newest = m->beside = VT_MODEL_NONE;
  m->previous = m->before = m->intent = 0;
  m->last_address = m->last_end = m->last_free = 0;
  memset(m->pool_last, 0, sizeof m->pool_last);
  memset(m->pool_free, 0, sizeof m->pool_free);
}

/* The slots an event's stack is predicted from and learned in. */
static inline uint32_t *vt_model_after_two(vt_model_state_t *m) {
  return &m->after_two[vt_model_slot(m->previous, m->before + 1)];
}
static inline uint32_t *vt_model_after_one(vt_model_state_t *m) {
  return &m->after_one[vt_model_slot(m->previous, 0)];
}
static inline vt_model_site_t *vt_model_site(vt_model_state_t *m, uint32_t stack) {
  return &m->site[vt_model_slot(stack, m->intent)];
}

/* vt_model_reusable is the release whose address an allocation of this class gets first, or NONE.
 */
static inline uint32_t vt_model_reusable(vt_model_state_t *m, uint32_t size_class) {
  uint32_t i = m->free_list[size_class];
  while (i != VT_MODEL_NONE && m->releases[i].used) i = m->releases[i].next;
  return m->free_list[size_class] = i;
}

/* An interpreter's pools hand out addresses in the order of their class, whatever else is allocated in between,
   and a place in the program that frees blocks frees those of one class mostly. */
static inline int vt_model_pooled(vt_model_state_t const *m, vt_event_t const *e) {
  return m->pools && e->api == VT_API_OTHER;
}
static inline uint64_t *vt_model_pool_last(vt_model_state_t *m, uint64_t size) {
  return &m->pool_last[size <= VT_MODEL_POOL_MAX ? (size + 15) >> 4 : 0];
}
/* What an address that is coded as a difference differs from. */
static inline uint64_t *vt_model_alloc_base(vt_model_state_t *m, vt_event_t const *e) {
  return vt_model_pooled(m, e) ? vt_model_pool_last(m, e->size) : &m->last_address;
}
static inline uint64_t *vt_model_release_base(vt_model_state_t *m, vt_event_t const *e) {
  return vt_model_pooled(m, e) ? &m->pool_free[vt_model_slot(e->stack, 0)] : &m->last_free;
}

/* vt_model_allocated notes an allocation; reused: the release whose address it has, or NONE. */
static inline void vt_model_allocated(vt_model_state_t *m, vt_event_t const *e, uint32_t reused) {
  uint32_t i = m->alloc_cnt++;
  vt_model_alloc_t *a = &m->allocs[i];
  if (reused != VT_MODEL_NONE) m->releases[reused].used = 1;
  a->address = e->address;
  a->size_class = vt_model_class(e->size);
  a->released = 0;
  a->older = m->newest;
  a->newer = VT_MODEL_NONE;
  if (m->newest != VT_MODEL_NONE) m->allocs[m->newest].newer = i;
  m->newest = i;
  m->last_address = e->address;
  if (e->api == VT_API_OTHER) *vt_model_pool_last(m, e->size) = e->address;
  m->last_end = e->address + (vt_model_units(e->size) << 4);
}

/* vt_model_released notes a release; i: its allocation in this chunk, or NONE. */
static inline void vt_model_released(vt_model_state_t *m, uint64_t address, uint32_t i) {
  uint32_t size_class = 0;
  if (i != VT_MODEL_NONE) {
    vt_model_alloc_t *a = &m->allocs[i];
    size_class = a->size_class;
    a->released = 1;
    if (a->older != VT_MODEL_NONE) m->allocs[a->older].newer = a->newer;
    if (a->newer != VT_MODEL_NONE)
      m->allocs[a->newer].older = a->older;
    else
      m->newest = a->older;
    m->beside = a->newer;
  }
  uint32_t r = m->release_cnt++;
  m->releases[r] = (vt_model_release_t){address, m->free_list[size_class], 0};
  m->free_list[size_class] = r;
}

/* vt_model_resized: the realloc whose INTENT came before has left the block where it was. */
static inline void vt_model_resized(vt_model_state_t *m, uint64_t size) {
  if (m->intent_alloc != VT_MODEL_NONE)
    m->allocs[m->intent_alloc].size_class = vt_model_class(size);
}

/* What a stack's operator delete is expected to be told of a block that is not of this chunk. */
static inline uint32_t vt_model_said(vt_model_site_t const *site) {
  return site->changes < VT_MODEL_CHANGES ? site->said : 0;
}
static inline void vt_model_says(vt_model_site_t *site, uint64_t size, uint64_t align) {
  if (align || size > UINT32_MAX) return;
  site->said = (uint32_t)size;
  site->changes++;
}

static inline int vt_model_has_size(uint8_t kind) {
  return kind != VT_EVENT_FREE && kind < VT_EVENT_HEAP_FREE;
}
static inline int vt_model_has_align(uint8_t op) {
  return (op & 15) == VT_OP_ALLOC_ALIGNED || (op & 15) == VT_EVENT_HEAP_ALLOC;
}
/* The size an event is expected to have. */
static inline uint64_t vt_model_size(vt_model_state_t const *m, vt_model_site_t const *site,
                                     uint8_t kind) {
  return m->intent && kind == VT_EVENT_REALLOC_DONE ? m->intent_size : site->size;
}

/* vt_model_learn ends an event: what it was is remembered. */
static inline void vt_model_learn(vt_model_state_t *m, vt_event_t const *e) {
  *vt_model_after_two(m) = e->stack;
  *vt_model_after_one(m) = e->stack;
  m->before = m->previous;
  m->previous = e->stack;
  m->intent = e->kind == VT_EVENT_REALLOC_INTENT;
  if (!m->intent) return;
  m->intent_size = e->size;
  m->intent_address = e->address;
}

#endif
