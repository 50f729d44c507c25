/* The stack trie: every distinct stack is a path from a root, so that a stack is one number.

   Node ids go up by one from 1; a root stands for an epoch of code addresses
   (docs/trace-format.md). Looking up a child first compares with the child its parent was asked for
   last, which is right for most events of most programs, then with its parent's first child. Only
   further children, a small part of most tries, are in a hash table. Not thread safe. */
#ifndef VT_ANALYZER_TRACE_TRIE_H
#define VT_ANALYZER_TRACE_TRIE_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/trace/bytes.h"

#define VT_TRIE_NODE_MAX ((uint32_t)1 << 31)

typedef struct {
  uint32_t latest; /* the child asked for last; 0: no children */
  uint32_t first;  /* the child made first */
} vt_trie_children_t;

typedef struct {
  uint32_t hash;
  uint32_t node; /* 0: free */
} vt_trie_slot_t;

typedef struct {
  uint32_t *parent;
  uint64_t *pc;
  vt_trie_children_t *children;
  uint32_t cnt; /* ids are below cnt; id 0 is "no stack" */
  uint32_t cap;
  vt_trie_slot_t *table; /* nodes that are not first children; open addressing */
  uint32_t table_sz;
  uint32_t table_cnt;
} vt_trie_t;

void vt_trie_init(vt_trie_t *t);
void vt_trie_fini(vt_trie_t *t);

uint32_t vt_trie_child_slow(vt_trie_t *t, uint32_t parent, uint64_t pc);

/* vt_trie_child is the node for pc below parent (0: the root of epoch pc), made when there is none.
 */
static inline uint32_t vt_trie_child(vt_trie_t *t, uint32_t parent, uint64_t pc) {
  uint32_t guess = t->children[parent].latest;
  if (__builtin_expect(t->pc[guess] == pc && guess, 1)) return guess;
  return vt_trie_child_slow(t, parent, pc);
}

/* vt_trie_encode appends the payload of a STACKS chunk with nodes from … cnt-1. */
void vt_trie_encode(vt_trie_t const *t, uint32_t from, vt_bytes_t *out);

/* vt_trie_decode adds the nodes of a STACKS payload. Nodes between the known ones and the first of
   the payload (a chunk was lost) become roots of no epoch. Returns 0, or -1 when the payload is
   malformed: a parent that is not an earlier node, more nodes than its bytes can hold, or nodes
   that are known already. A trie filled this way is only read. */
int vt_trie_decode(vt_trie_t *t, uint8_t const *payload, size_t sz);

#endif
