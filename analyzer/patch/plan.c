/* See plan.h. First the functions are found by name, then the module's branches tell which of them
   preloading does not reach and which cannot be patched, then an allocator whose malloc or free
   cannot be is left alone as a whole. */
#include "analyzer/patch/plan.h"
#include "analyzer/patch/branches.h"
#include "analyzer/util/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "valtrace/trace_format.h"

typedef struct {
  vt_plan_t *plan;
  vt_patch_givens_t const *givens;
  int sanitized; /* the module has a sanitizer's run-time */
  int python;    /* it is CPython with a mimalloc of its own */
} finding_t;

static int is_sanitizer(char const *name) {
  static char const *const known[] = {"__asan_init", "__tsan_init", "__msan_init", "__hwasan_init"};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (name[0] == '_' && !strcmp(name, known[i])) return 1;
  return 0;
}

static int is_given(vt_patch_givens_t const *givens, char const *name) {
  for (size_t i = 0; i < givens->cnt; i++)
    if (!strcmp(givens->list[i].name, name)) return 1;
  return 0;
}

static void add(vt_plan_t *plan, char const *name, vt_patch_name_t const *what, uint64_t entry,
                int exported) {
  vt_planned_t p = {.what = *what, .entry = entry, .exported = exported, .apis = 1u << what->kind.api};
  snprintf(p.name, sizeof p.name, "%s", name);
  VT_PUSH(plan->functions, p);
}

static void visit(void *context, char const *name, GElf_Sym const *symbol, int exported) {
  finding_t *f = context;
  vt_patch_name_t what;
  f->sanitized |= is_sanitizer(name);
  f->python |= !strcmp(name, "_PyMem_MiMalloc");
  if (!vt_patch_name_find(name, is_given(f->givens, name), &what))
    add(f->plan, name, &what, symbol->st_value, exported);
}

static void add_given(vt_plan_t *plan, vt_patch_givens_t const *givens) {
  vt_patch_name_t what;
  for (size_t i = 0; i < givens->cnt; i++) {
    vt_patch_given_t const *g = &givens->list[i];
    if (!g->has_address || vt_patch_name_find(g->name, 1, &what)) continue;
    add(plan, g->name, &what, g->address, 0);
  }
}

static int by_entry(void const *a, void const *b) {
  vt_planned_t const *x = a, *y = b;
  if (x->entry != y->entry) return x->entry < y->entry ? -1 : 1;
  return strcmp(x->name, y->name);
}

static int is_of_c(uint8_t api) { return api <= VT_API_PVALLOC || api == VT_API_REALLOCARRAY; }
static int is_new(uint8_t api) { return api == VT_API_NEW || api == VT_API_NEW_ARRAY; }

/* api_of_both: an allocation counts as one that free fits if it may be one, else as by new: other is an interpreter's.
   A free that may be one of several is other, of which nothing is said. */
static uint8_t api_of_both(uint8_t a, uint8_t b) {
  if (is_of_c(a) || is_of_c(b)) return is_of_c(a) ? a : b;
  if (is_new(a) || a == b) return a < b ? a : b;
  int alike = (a == VT_API_FREE || a == VT_API_FREE_SIZED) && (b == VT_API_FREE || b == VT_API_FREE_SIZED);
  return alike ? VT_API_FREE : VT_API_OTHER;
}

static int takes_block(vt_planned_t const *p) {
  return p->what.kind.shape == VT_SHAPE_FREE || p->what.kind.shape == VT_SHAPE_DELETE;
}

/* merge makes one of two names of one function: whose call it is cannot be told when they differ. */
static void merge(vt_planned_t *p, vt_planned_t const *other) {
  if (takes_block(p) != takes_block(other)) strcpy(p->why, "one of its names allocates, another frees");
  if (other->what.kind.shape < p->what.kind.shape) p->what.kind.shape = other->what.kind.shape;
  p->what.kind.api = api_of_both(p->what.kind.api, other->what.kind.api);
  p->apis |= other->apis;
  p->exported |= other->exported;
  p->what.allocates |= other->what.allocates;
  p->what.frees |= other->what.frees;
  if (!other->what.family[0]) { /* the plain name is the better one */
    strcpy(p->name, other->name);
    strcpy(p->what.family, "");
  }
}

/* leave_unjudged: what frees blocks of a function that has several names must not seem to be wrong, as they may have
   been allocated by another of these than they count as. */
static void leave_unjudged(vt_plan_t *plan) {
  for (size_t i = 0; i < plan->functions_cnt; i++)
    for (size_t j = 0; j < plan->functions_cnt; j++) {
      vt_patch_kind_t const *from = &plan->functions[i].what.kind;
      vt_patch_kind_t *by = &plan->functions[j].what.kind;
      uint8_t fits = by->api == VT_API_DELETE ? VT_API_NEW : by->api == VT_API_DELETE_ARRAY ? VT_API_NEW_ARRAY : from->api;
      if (fits != from->api && plan->functions[i].apis >> fits & 1) by->api = VT_API_OTHER;
    }
}

static void merge_aliases(vt_plan_t *plan) {
  size_t kept = 0;
  if (plan->functions_cnt)
    qsort(plan->functions, plan->functions_cnt, sizeof *plan->functions, by_entry);
  for (size_t i = 0; i < plan->functions_cnt; i++) {
    if (kept && plan->functions[kept - 1].entry == plan->functions[i].entry)
      merge(&plan->functions[kept - 1], &plan->functions[i]);
    else
      plan->functions[kept++] = plan->functions[i];
  }
  plan->functions_cnt = kept;
}

/* keep_if keeps the functions for which `wanted` is true. */
static void keep_if(vt_plan_t *plan, int (*wanted)(vt_plan_t const *, vt_planned_t const *)) {
  size_t kept = 0;
  int *keep = vt_mem_new(plan->functions_cnt + 1, sizeof *keep);
  for (size_t i = 0; i < plan->functions_cnt; i++) keep[i] = wanted(plan, &plan->functions[i]);
  for (size_t i = 0; i < plan->functions_cnt; i++)
    if (keep[i]) plan->functions[kept++] = plan->functions[i];
  plan->functions_cnt = kept;
  free(keep);
}

static int same_family(vt_planned_t const *a, vt_planned_t const *b) {
  return !strcmp(a->what.family, b->what.family);
}

/* in_allocator: a function of such a name belongs to an allocator if one beside it allocates and one
   frees. operator new may be replaced without operator delete. */
static int in_allocator(vt_plan_t const *plan, vt_planned_t const *p) {
  int allocates = 0, frees = !strcmp(p->what.family, "new");
  for (size_t i = 0; i < plan->functions_cnt; i++) {
    vt_planned_t const *q = &plan->functions[i];
    if (!same_family(p, q)) continue;
    allocates |= q->what.allocates;
    frees |= q->what.frees;
  }
  return (allocates || !strcmp(p->what.family, "new")) && frees;
}

/* not_mimalloc: CPython (from 3.13) has mimalloc for PYTHONMALLOC=mimalloc and free-threaded builds alone. Its
   malloc is part of the interpreter's functions and its free is not: frees would be recorded of blocks never seen.
   preload/python.c says in the trace that such an interpreter's blocks are not recorded. */
static int not_mimalloc(vt_plan_t const *plan, vt_planned_t const *p) {
  (void)plan;
  return strcmp(p->what.family, "mi_") != 0;
}

/* doubt_given: where a symbol is, a function begins; what the user says may be wrong. */
static void doubt_given(vt_plan_t *plan, vt_elf_code_t const *code) {
  for (size_t i = 0; i < plan->functions_cnt; i++)
    if (code->starts_cnt && !vt_elf_code_is_start(code, plan->functions[i].entry))
      strcpy(plan->functions[i].why, "no function begins at that address");
}

/* displace finds what each patch displaces, and the branches that lead there. */
static vt_branch_target_t *displace(vt_plan_t *plan, vt_elf_code_t const *code) {
  vt_branch_target_t *targets = vt_mem_new(plan->functions_cnt + 1, sizeof *targets);
  for (size_t i = 0; i < plan->functions_cnt; i++) {
    vt_planned_t *p = &plan->functions[i];
    char const *why = vt_displace(code, p->entry, &p->displaced);
    if (why && !p->why[0]) snprintf(p->why, sizeof p->why, "%s", why);
    uint32_t sz = p->displaced.sz < VT_JUMP_SZ ? VT_JUMP_SZ : p->displaced.sz;
    targets[i] = (vt_branch_target_t){.address = p->displaced.address, .sz = sz};
  }
  vt_branches_count(code, targets, plan->functions_cnt);
  return targets;
}

/* is_entered: does a symbol or a branch lead behind the first of the displaced bytes? */
static int is_entered(vt_elf_code_t const *code, vt_planned_t const *p, vt_branch_target_t const *t) {
  return t->into || vt_elf_code_next(code, p->displaced.address) < t->address + p->displaced.sz;
}

static void refuse_all(vt_plan_t *plan, char const *why) {
  for (size_t i = 0; i < plan->functions_cnt; i++) strcpy(plan->functions[i].why, why);
}

static void judge(vt_plan_t *plan, vt_elf_code_t const *code, vt_branch_target_t const *targets) {
  for (size_t i = 0; i < plan->functions_cnt; i++) {
    vt_planned_t *p = &plan->functions[i];
    if (!p->why[0] && is_entered(code, p, &targets[i]))
      strcpy(p->why, "other code leads into its first bytes");
    p->what.kind.keeps = targets[i].calls && !vt_branches_leave(code, p->entry);
  }
}

/* take_sites leads the C library's own calls past the hooks: when a thread ends, it frees the blocks of
   its cache, which the program has freed long ago. */
static void take_sites(vt_plan_t *plan, vt_branch_target_t const *targets) {
  for (size_t i = 0; i < plan->functions_cnt; i++) {
    vt_planned_t *p = &plan->functions[i];
    if (targets[i].sites_cnt < targets[i].calls) strcpy(p->why, "the C library calls it in a way that cannot be changed");
    memcpy(p->sites, targets[i].sites, sizeof p->sites);
    p->sites_cnt = targets[i].sites_cnt;
    p->what.kind.keeps = 0;
  }
}

/* is_bound: does this module call its own function, whatever is preloaded? */
static int is_bound(vt_plan_t const *plan, vt_elf_code_t const *code,
                    vt_branch_target_t const *targets, vt_planned_t const *p) {
  for (size_t i = 0; i < plan->functions_cnt; i++)
    if (same_family(p, &plan->functions[i]) &&
        (!plan->functions[i].exported || code->symbolic || targets[i].foreign))
      return 1;
  return 0;
}

/* drop_reached drops the allocators of a library whose calls come by preloaded functions. */
static void drop_reached(vt_plan_t *plan, vt_elf_code_t const *code,
                         vt_branch_target_t const *targets) {
  size_t kept = 0;
  int *bound = vt_mem_new(plan->functions_cnt + 1, sizeof *bound);
  for (size_t i = 0; i < plan->functions_cnt; i++)
    bound[i] = is_bound(plan, code, targets, &plan->functions[i]);
  for (size_t i = 0; i < plan->functions_cnt; i++)
    if (bound[i]) plan->functions[kept++] = plan->functions[i];
  plan->functions_cnt = kept;
  free(bound);
}

/* is_covered: a function that only jumps to a patched one is recorded there. */
static int needs_mention(vt_plan_t const *plan, vt_planned_t const *p) {
  vt_insn_t const *first = &p->displaced.insns[0];
  if (!p->why[0] || !p->displaced.insn_cnt || first->kind != VT_INSN_JUMP || !first->is_direct)
    return 1;
  for (size_t i = 0; i < plan->functions_cnt; i++)
    if (plan->functions[i].entry == first->target && !plan->functions[i].why[0]) return 0;
  return 1;
}

/* leave_alone refuses a whole allocator when its malloc or its free is refused: half of its events
   would be worse than none. */
static void leave_alone(vt_plan_t *plan) {
  for (size_t i = 0; i < plan->functions_cnt; i++) {
    vt_planned_t const *bad = &plan->functions[i];
    if (!bad->why[0] || !(bad->what.allocates || bad->what.frees) || !strcmp(bad->what.family, "new"))
      continue;
    for (size_t j = 0; j < plan->functions_cnt; j++) {
      vt_planned_t *p = &plan->functions[j];
      if (!p->why[0] && same_family(p, bad))
        snprintf(p->why, sizeof p->why, "its allocator's %.20s: %.57s", bad->name, bad->why);
    }
  }
}

static int is_covered(vt_plan_t const *plan) {
  int allocates = 0, frees = 0;
  for (size_t i = 0; i < plan->functions_cnt; i++) {
    vt_planned_t const *p = &plan->functions[i];
    if (p->why[0] || !strcmp(p->what.family, "new")) continue;
    allocates |= p->what.allocates;
    frees |= p->what.frees;
  }
  return allocates && frees;
}

vt_plan_t vt_plan_make(int fd, vt_plan_way_t way, vt_patch_givens_t const *givens, int here) {
  vt_plan_t plan = {0};
  vt_elf_code_t code;
  finding_t finding = {.plan = &plan, .givens = givens};
  if (vt_elf_code_open(&code, fd)) goto out;
  plan.low = code.low;
  plan.high = code.high;
  vt_elf_code_symbols(&code, visit, &finding);
  if (here) add_given(&plan, givens);
  merge_aliases(&plan);
  leave_unjudged(&plan);
  if (finding.python) keep_if(&plan, not_mimalloc);
  keep_if(&plan, in_allocator);
  if (!plan.functions_cnt || vt_elf_code_read(&code)) {
    plan.functions_cnt = 0;
    goto out;
  }
  doubt_given(&plan, &code);
  vt_branch_target_t *targets = displace(&plan, &code);
  judge(&plan, &code, targets);
  if (way == VT_PLAN_LIBC) take_sites(&plan, targets);
  if (way == VT_PLAN_REACHED) drop_reached(&plan, &code, targets);
  free(targets);
  if (code.relocated) refuse_all(&plan, "the loader changes the module's code (text relocations)");
  if (finding.sanitized) refuse_all(&plan, "it belongs to a sanitizer, which watches the program itself");
  leave_alone(&plan);
  keep_if(&plan, needs_mention);
  plan.covered = is_covered(&plan);
out:
  vt_elf_code_close(&code);
  return plan;
}

void vt_plan_free(vt_plan_t *plan) {
  free(plan->functions);
  *plan = (vt_plan_t){0};
}
