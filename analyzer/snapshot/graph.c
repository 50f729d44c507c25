/* See graph.h. */
#include "analyzer/snapshot/graph.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

#define NONE UINT32_MAX

typedef struct {
  vt_graph_t const *graph;
  vt_judged_t out;
  uint32_t *queue;
  size_t queue_cnt;
} judge_t;

static uint32_t target(uint32_t edge) { return edge & ~VT_EDGE_WEAK; }

static void mark(judge_t *j, uint32_t block, vt_class_t kind, uint64_t holder) {
  j->out.kinds[block] = (uint8_t)kind;
  j->out.holders[block] = holder;
  j->queue[j->queue_cnt++] = block;
}

/* flood marks from the queue's blocks from `at` on what they reach and has no kind yet. */
static void flood(judge_t *j, size_t at, vt_class_t kind, int weak_too) {
  vt_graph_t const *g = j->graph;
  for (; at < j->queue_cnt; at++) {
    uint32_t block = j->queue[at];
    for (size_t e = g->first[block]; e < g->first[block + 1]; e++) {
      uint32_t edge = g->edges[e];
      if ((edge & VT_EDGE_WEAK && !weak_too) || j->out.kinds[target(edge)]) continue;
      mark(j, target(edge), kind, block);
    }
  }
}

static void mark_roots(judge_t *j, vt_class_t kind, int weak_too) {
  vt_graph_t const *g = j->graph;
  for (size_t r = 0; r < g->roots_cnt; r++) {
    uint32_t edge = g->roots[r].edge;
    if ((edge & VT_EDGE_WEAK && !weak_too) || j->out.kinds[target(edge)]) continue;
    mark(j, target(edge), kind, VT_HELD_BY_ROOT + r);
  }
}

static void judge_reached(judge_t *j) {
  mark_roots(j, VT_CLASS_REACHABLE, 0);
  flood(j, 0, VT_CLASS_REACHABLE, 0);
  size_t reachable = j->queue_cnt;
  mark_roots(j, VT_CLASS_POSSIBLE, 1);
  for (size_t i = 0; i < reachable; i++) { /* the weak pointers in reachable blocks */
    uint32_t block = j->queue[i];
    for (size_t e = j->graph->first[block]; e < j->graph->first[block + 1]; e++)
      if (!j->out.kinds[target(j->graph->edges[e])])
        mark(j, target(j->graph->edges[e]), VT_CLASS_POSSIBLE, block);
  }
  flood(j, reachable, VT_CLASS_POSSIBLE, 1);
}

/* ---- components of what is lost ---- */

typedef struct {
  uint32_t *number, *low, *component;
  uint32_t *stack, *path;
  size_t *next; /* edge that is looked at next, by place in path */
  size_t stack_cnt, path_cnt;
  uint32_t numbers, components;
} tarjan_t;

static int lost(judge_t const *j, uint32_t block) { return !j->out.kinds[block]; }

static void enter(judge_t const *j, tarjan_t *t, uint32_t block) {
  t->number[block] = t->low[block] = ++t->numbers;
  t->stack[t->stack_cnt++] = block;
  t->next[t->path_cnt] = j->graph->first[block];
  t->path[t->path_cnt++] = block;
}

/* leave ends the visit of the block at the end of the path: of a component's first block, its stack
   holds the component. */
static void leave(tarjan_t *t) {
  uint32_t block = t->path[--t->path_cnt];
  if (t->path_cnt && t->low[block] < t->low[t->path[t->path_cnt - 1]])
    t->low[t->path[t->path_cnt - 1]] = t->low[block];
  if (t->low[block] != t->number[block]) return;
  uint32_t member;
  do t->component[member = t->stack[--t->stack_cnt]] = t->components;
  while (member != block);
  t->components++;
}

static void visit(judge_t const *j, tarjan_t *t, uint32_t start) {
  enter(j, t, start);
  while (t->path_cnt) {
    uint32_t block = t->path[t->path_cnt - 1];
    size_t *e = &t->next[t->path_cnt - 1];
    if (*e == j->graph->first[block + 1]) {
      leave(t);
      continue;
    }
    uint32_t to = target(j->graph->edges[(*e)++]);
    if (!lost(j, to)) continue;
    if (!t->number[to])
      enter(j, t, to);
    else if (t->component[to] == NONE && t->number[to] < t->low[block])
      t->low[block] = t->number[to];
  }
}

static void find_components(judge_t const *j, tarjan_t *t) {
  uint32_t n = j->graph->nodes;
  t->number = vt_mem_new(n + 1, sizeof *t->number);
  t->low = vt_mem_resize(NULL, n + 1, sizeof *t->low);
  t->component = vt_mem_resize(NULL, n + 1, sizeof *t->component);
  t->stack = vt_mem_resize(NULL, n + 1, sizeof *t->stack);
  t->path = vt_mem_resize(NULL, n + 1, sizeof *t->path);
  t->next = vt_mem_resize(NULL, n + 1, sizeof *t->next);
  for (uint32_t i = 0; i < n; i++) t->component[i] = NONE;
  for (uint32_t i = 0; i < n; i++)
    if (lost(j, i) && !t->number[i]) visit(j, t, i);
}

static void tarjan_free(tarjan_t *t) {
  free(t->number);
  free(t->low);
  free(t->component);
  free(t->stack);
  free(t->path);
  free(t->next);
}

/* choose finds the largest block of each component that no other one points to; NONE: it has a
   pointer from elsewhere. */
static uint32_t *choose(judge_t const *j, tarjan_t const *t,
                        uint64_t (*size_of)(void const *, uint32_t), void const *context) {
  vt_graph_t const *g = j->graph;
  uint32_t *chosen = vt_mem_resize(NULL, t->components + 1, sizeof *chosen);
  uint8_t *pointed = vt_mem_new(t->components + 1, 1);
  for (uint32_t c = 0; c < t->components; c++) chosen[c] = NONE;
  for (uint32_t i = 0; i < g->nodes; i++) {
    if (!lost(j, i)) continue;
    uint32_t c = t->component[i];
    if (chosen[c] == NONE || size_of(context, i) > size_of(context, chosen[c])) chosen[c] = i;
    for (size_t e = g->first[i]; e < g->first[i + 1]; e++)
      if (lost(j, target(g->edges[e])) && t->component[target(g->edges[e])] != c)
        pointed[t->component[target(g->edges[e])]] = 1;
  }
  for (uint32_t c = 0; c < t->components; c++)
    if (pointed[c]) chosen[c] = NONE;
  free(pointed);
  return chosen;
}

/* judge_lost: every lost block is reached from a definite one, because each chain of pointers
   backwards ends in a component that nothing points to. */
static void judge_lost(judge_t *j, uint64_t (*size_of)(void const *, uint32_t),
                       void const *context) {
  tarjan_t t = {0};
  find_components(j, &t);
  uint32_t *chosen = choose(j, &t, size_of, context);
  for (uint32_t i = 0; i < j->graph->nodes; i++)
    if (lost(j, i) && chosen[t.component[i]] == i) {
      j->queue_cnt = 0;
      mark(j, i, VT_CLASS_DEFINITE, VT_HELD_NOT);
      flood(j, 0, VT_CLASS_INDIRECT, 1);
    }
  free(chosen);
  tarjan_free(&t);
}

vt_judged_t vt_graph_judge(vt_graph_t const *graph,
                           uint64_t (*size_of)(void const *context, uint32_t block),
                           void const *context) {
  judge_t j = {.graph = graph};
  j.out.kinds = vt_mem_new(graph->nodes + 1, 1);
  j.out.holders = vt_mem_resize(NULL, graph->nodes + 1, sizeof *j.out.holders);
  j.queue = vt_mem_resize(NULL, graph->nodes + 1, sizeof *j.queue);
  judge_reached(&j);
  if (j.queue_cnt < graph->nodes) judge_lost(&j, size_of, context);
  free(j.queue);
  return j.out;
}

void vt_judged_free(vt_judged_t *verdict) {
  free(verdict->kinds);
  free(verdict->holders);
  *verdict = (vt_judged_t){0};
}

void vt_graph_free(vt_graph_t *graph) {
  free(graph->roots);
  free(graph->edges);
  free(graph->first);
  *graph = (vt_graph_t){0};
}
