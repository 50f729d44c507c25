/* The error paths of the wksp tables that test_api_wksp leaves out: tables of bad arguments for the
   calls that take many, what each operation does to a workspace that is damaged or that nobody can
   repair, what verify and rebuild say to each broken invariant, and files that are no checkpoint.
 */

#include "api.h"
#include "fd/util/wksp/fd_wksp_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

#define NORMAL   FD_SHMEM_NORMAL_PAGE_SZ
#define PART_MAX (32UL)
#define DATA_MAX (20000UL)
#define NONE     FD_WKSP_PRIVATE_PINFO_IDX_NULL

static uchar mem[1UL << 16] __attribute__((aligned(4096)));
static char name[40], base[] = "/dev/shm/api_wksp_errXXXXXX";

static ulong const one[2] = {1UL, 0UL}, zero[2] = {0UL, 0UL}, cpu0[2] = {0UL, 0UL};
static ulong const sum_wraps[2] = {ULONG_MAX, 2UL}, bytes_wrap[1] = {1UL << 52};
static ulong no_cpu[2];

static fd_wksp_t *fresh(void) {
  return fd_wksp_join(fd_wksp_new(mem, "w", 1U, PART_MAX, DATA_MAX));
}

/* Sizing and formatting
 * ***************************************************************************/

static void test_sizing(void) {
  int good = 1;
  for (ulong f = 4096UL; f < 4096UL + 256UL; f++) {
    good &= fd_wksp_part_max_est(f, 1UL) == fd_wksp_part_max_est(f & ~127UL, 1UL);
    good &= fd_wksp_data_max_est(f, 3UL) == fd_wksp_data_max_est(f & ~127UL, 3UL);
  }
  SILENT(good);
  ulong least = fd_wksp_footprint(1UL, 1UL);
  SILENT(!fd_wksp_data_max_est(least - 1UL, 1UL) && fd_wksp_data_max_est(least, 1UL) &&
         !fd_wksp_data_max_est(least, 1UL << 30) && !fd_wksp_data_max_est(0UL, UINT_MAX));
  SILENT(!fd_wksp_part_max_est(least, ULONG_MAX - 8UL) && !fd_wksp_part_max_est(127UL, 1UL));
  ulong most = 1UL; /* the largest data_max there is a footprint for */
  for (int b = 63; b >= 0; b--) {
    if (fd_wksp_footprint(1UL, most | 1UL << b)) most |= 1UL << b;
  }
  SILENT(fd_wksp_footprint(1UL, most) && !fd_wksp_footprint(1UL, most + 1UL) &&
         !fd_wksp_footprint(2UL, most) && !fd_wksp_footprint(ULONG_MAX, 1UL));
  LOGS(!fd_wksp_new(mem, "w", 0U, 1UL, most)); /* ends behind the last address */
  LOGS(!fd_wksp_new(mem, "w", 0U, 1UL << 32, DATA_MAX));
  LOGS(!fd_wksp_new(mem, "", 0U, PART_MAX, DATA_MAX));
  LOGS(!fd_wksp_new(mem, "a123456789b123456789c123456789d123456789", 0U, PART_MAX, DATA_MAX));
  SILENT(fd_mem_iszero(mem, sizeof(mem))); /* refusals touch nothing */
}

/* Allocation
 * **************************************************************************************/

/* What alloc is asked for, and how often it logs with fd_wksp_oom_silent off and on. */
static struct {
  char const *what;
  int no_wksp;
  ulong align, sz, tag, logs, logs_silenced;
} const bad_alloc[] = {
    {"nothing", 0, 1UL, 0UL, 1UL, 0UL, 0UL},
    {"nothing, all else bad", 1, 3UL, 0UL, 0UL, 0UL, 0UL},
    {"NULL wksp", 1, 1UL, 1UL, 1UL, 1UL, 1UL},
    {"align 3", 0, 3UL, 1UL, 1UL, 1UL, 1UL},
    {"align all ones", 0, ULONG_MAX, 1UL, 1UL, 1UL, 1UL},
    {"tag 0", 0, 1UL, 1UL, 0UL, 1UL, 1UL},
    {"overflow with align", 0, 2UL, ULONG_MAX, 1UL, 1UL, 1UL},
    {"overflow with the default align", 0, 0UL, ULONG_MAX - 4094UL, 1UL, 1UL, 1UL},
    {"most there is, no overflow", 0, 1UL, ULONG_MAX, 1UL, 1UL, 0UL},
    {"one byte too many", 0, 1UL, DATA_MAX + 1UL, 1UL, 1UL, 0UL},
    {"an align nothing has", 0, 1UL << 63, 1UL, 1UL, 1UL, 0UL},
};

static void test_alloc(void) {
  fd_wksp_t *w = fresh();
  for (ulong i = 0UL; i < sizeof(bad_alloc) / sizeof(bad_alloc[0]); i++) {
    for (int silent = 0; silent < 2; silent++) {
      ulong lo = 7UL, hi = 7UL;
      fd_wksp_oom_silent = silent;
      ulong r = fd_wksp_alloc_at_least(bad_alloc[i].no_wksp ? NULL : w, bad_alloc[i].align,
                                       bad_alloc[i].sz, bad_alloc[i].tag, &lo, &hi);
      ulong want = silent ? bad_alloc[i].logs_silenced : bad_alloc[i].logs;
      ok(api_held(!r && !lo && !hi && fd_wksp_oom_silent == silent, want),
         "alloc of %s, oom_silent %d: 0, %lu logs", bad_alloc[i].what, silent, want);
    }
  }
  fd_wksp_oom_silent = 0;
  LOGS(!fd_wksp_alloc_laddr(NULL, 1UL, 1UL, 1UL));
  LOGS(!fd_wksp_alloc_laddr(w, 3UL, 1UL, 1UL));
  LOGS(!fd_wksp_alloc_laddr(w, 1UL, DATA_MAX + 1UL, 1UL));
  SILENT(!fd_wksp_alloc_laddr(NULL, 3UL, 0UL, 0UL));
  ulong lo = 7UL, hi = 7UL, cnt = 0UL;
  while (cnt < PART_MAX - 1UL && fd_wksp_alloc(w, 1UL, 1UL, 2UL)) cnt++;
  SILENT(cnt == PART_MAX - 1UL); /* the rest is the last partition */
  LOGS(!fd_wksp_alloc_at_least(w, 1UL, 1UL, 2UL, &lo, &hi) && !lo && !hi);
  fd_wksp_oom_silent = 1;
  SILENT(!fd_wksp_alloc(w, 1UL, 1UL, 2UL));
  fd_wksp_oom_silent = 0;
  SILENT(!fd_wksp_verify(w));
}

/* Arguments that name no allocation: no effect. */
static void test_no_alloc(void) {
  fd_wksp_t *w = fresh();
  ulong a = fd_wksp_alloc(w, 1UL, 100UL, 5UL), lo = fd_wksp_gaddr_lo(w), hi = fd_wksp_gaddr_hi(w);
  ulong none = 0UL, other = 6UL;
  fd_wksp_usage_t usage, zeros;
  static uchar kept[sizeof(mem)];
  memset(&zeros, 0, sizeof(zeros));
  fd_wksp_tag(w, a);
  memcpy(kept, mem, sizeof(mem));
  ulong const at[] = {1UL, lo - 1UL, a + 100UL, hi - 1UL, hi, hi + 1UL, ULONG_MAX};
  for (ulong i = 0UL; i < sizeof(at) / sizeof(at[0]); i++) {
    SILENT((fd_wksp_free(w, at[i]), !fd_wksp_tag(w, at[i])));
    LOGS((fd_wksp_memset(w, at[i], 'x'), 1));
  }
  fd_wksp_memset(w, 0UL, 'x');
  api_logged(); /* may log or not */
  LOGS((fd_wksp_memset(NULL, a, 'x'), 1));
  SILENT((fd_wksp_tag_free(w, &none, 1UL), fd_wksp_tag_free(w, &other, 1UL),
          fd_wksp_tag_free(NULL, NULL, 0UL), !fd_wksp_tag_query(w, &other, 1UL, NULL, 0UL)));
  LOGS((fd_wksp_tag_free(NULL, NULL, 1UL), 1));
  LOGS(!fd_wksp_tag_query(NULL, NULL, 1UL, NULL, 1UL));
  LOGS(fd_wksp_usage(NULL, NULL, 0UL, &usage) == &usage && !memcmp(&usage, &zeros, 56UL));
  LOGS(!fd_wksp_usage(NULL, NULL, 0UL, NULL));
  SILENT(!memcmp(kept, mem, sizeof(mem)) && fd_wksp_tag(w, a) == 5UL);
}

/* Damage
 * ******************************************************************************************/

static fd_wksp_private_pinfo_t *pinfo;
static ulong used[6];  /* records of six allocations, the third and the fifth freed again */
static ulong gaddr[6]; /* where they are */

static fd_wksp_t *populated(void) {
  fd_wksp_t *w = fresh();
  pinfo = fd_wksp_private_pinfo(w);
  for (ulong i = 0UL; i < 6UL; i++) gaddr[i] = fd_wksp_alloc(w, 1UL, 100UL, 1UL + i);
  for (ulong i = 0UL; i < 6UL; i++) used[i] = fd_wksp_private_used_treap_query(gaddr[i], w, pinfo);
  fd_wksp_free(w, gaddr[2]);
  fd_wksp_free(w, gaddr[4]);
  return w;
}

/* Each way to break an invariant: 1 iff rebuild can repair it. */
static int break_magic(fd_wksp_t *w) { return w->magic++, 0; }
static int break_part_max(fd_wksp_t *w) { return w->part_max = 0UL, 0; }
static int break_part_max_large(fd_wksp_t *w) { return w->part_max = 1UL << 40, 0; }
static int break_data_max(fd_wksp_t *w) { return w->data_max = ULONG_MAX, 0; }
static int break_data_max_alone(fd_wksp_t *w) { return w->data_max -= 128UL, 0; }
static int break_gaddr_lo(fd_wksp_t *w) { return w->gaddr_lo++, 0; }
static int break_gaddr_hi(fd_wksp_t *w) { return w->gaddr_hi++, 0; }
static int break_name(fd_wksp_t *w) { return w->name[0] = '/', 0; }
static int break_name_end(fd_wksp_t *w) { return memset(w->name, 'a', sizeof(w->name)), 0; }
static int break_no_used(fd_wksp_t *w) { return w->part_used_cidx = (uint)NONE, 1; }
static int break_no_free(fd_wksp_t *w) { return w->part_free_cidx = (uint)NONE, 1; }
static int break_no_idle(fd_wksp_t *w) { return w->idle_top_cidx = (uint)NONE, 1; }
static int break_no_list(fd_wksp_t *w) { return w->part_head_cidx = (uint)NONE, 1; }
static int break_tail(fd_wksp_t *w) { return w->part_tail_cidx = w->part_head_cidx, 1; }
static int break_far_used(fd_wksp_t *w) { return w->part_used_cidx = (uint)PART_MAX, 1; }
static int break_far_free(fd_wksp_t *w) { return w->part_free_cidx = (uint)PART_MAX, 1; }
static int break_far_idle(fd_wksp_t *w) { return w->idle_top_cidx = 1U << 30, 1; }
static int break_far_head(fd_wksp_t *w) { return w->part_head_cidx = (uint)PART_MAX, 1; }
static int break_used_as_idle(fd_wksp_t *w) { return w->idle_top_cidx = (uint)used[0], 1; }
static int break_swapped(fd_wksp_t *w) { return w->part_free_cidx = w->part_used_cidx, 1; }
static int break_idle_cycle(fd_wksp_t *w) {
  return pinfo[w->idle_top_cidx].stack_cidx = w->idle_top_cidx, 1;
}
static int break_list_cycle(fd_wksp_t *w) {
  return (void)w, pinfo[used[3]].next_cidx = (uint)used[1], 1;
}
static int break_prev(fd_wksp_t *w) { return (void)w, pinfo[used[3]].prev_cidx = 0U, 1; }
static int break_list_skips(fd_wksp_t *w) {
  return (void)w, pinfo[used[0]].next_cidx = (uint)used[3], 1;
}
static int break_parent(fd_wksp_t *w) {
  return pinfo[w->part_used_cidx].parent_cidx = w->part_used_cidx, 1;
}
static int break_tree_cycle(fd_wksp_t *w) {
  return pinfo[w->part_used_cidx].left_cidx = w->part_used_cidx, 1;
}
static int break_priority(fd_wksp_t *w) { return pinfo[w->part_used_cidx].heap_prio = 0U, 1; }
static int break_free_priority(fd_wksp_t *w) {
  return pinfo[w->part_free_cidx].heap_prio = 0U,
         pinfo[w->part_free_cidx].left_cidx == (uint)NONE && /* without a child that is no fault */
                 pinfo[w->part_free_cidx].right_cidx == (uint)NONE
             ? -1
             : 1;
}
/* A record marked free without being taken out, as when a free is cut short: adjacent free ones. */
static int break_tag(fd_wksp_t *w) { return (void)w, pinfo[used[3]].tag = 0UL, 1; }
static int break_free_tag(fd_wksp_t *w) { return (void)w, pinfo[used[2]].tag = 9UL, 1; }
static int break_shrunk(fd_wksp_t *w) { return (void)w, pinfo[used[3]].gaddr_hi--, 1; }
static int break_overlap(fd_wksp_t *w) { return (void)w, pinfo[used[0]].gaddr_hi++, 0; }
static int break_empty(fd_wksp_t *w) {
  return (void)w, pinfo[used[0]].gaddr_hi = pinfo[used[0]].gaddr_lo, 0;
}
static int break_below(fd_wksp_t *w) { return pinfo[used[0]].gaddr_lo = w->gaddr_lo - 1UL, 0; }
static int break_above(fd_wksp_t *w) { return pinfo[used[5]].gaddr_hi = w->gaddr_hi + 1UL, 0; }
static int break_free_range(fd_wksp_t *w) { return (void)w, pinfo[used[2]].gaddr_lo++, 1; }
/* Splits the last free partition in two that all lists and indices know. */
static int break_adjacent(fd_wksp_t *w) {
  ulong last = fd_wksp_private_pinfo_idx(w->part_tail_cidx);
  ulong n = fd_wksp_private_idle_stack_pop(w, pinfo);
  int err = fd_wksp_private_free_treap_remove(last, w, pinfo);
  pinfo[n].gaddr_hi = pinfo[last].gaddr_hi;
  pinfo[n].gaddr_lo = pinfo[last].gaddr_hi = pinfo[last].gaddr_lo + 7UL;
  pinfo[n].prev_cidx = w->part_tail_cidx;
  pinfo[n].next_cidx = pinfo[last].next_cidx;
  pinfo[last].next_cidx = w->part_tail_cidx = fd_wksp_private_pinfo_cidx(n);
  err |= fd_wksp_private_free_treap_insert(last, w, pinfo);
  return err || fd_wksp_private_free_treap_insert(n, w, pinfo) ? -1 : 1;
}
static int break_same(fd_wksp_t *w) { /* the two freed ones have one size */
  return (void)w, pinfo[used[2]].in_same ^= 1U, 1;
}

#define BREAK(how)                                                                                 \
  { #how, break_##how }
static struct {
  char const *what;
  int (*how)(fd_wksp_t *);
} const damage[] = {
    BREAK(magic),      BREAK(part_max),   BREAK(part_max_large), BREAK(data_max),
    BREAK(gaddr_lo),   BREAK(gaddr_hi),   BREAK(data_max_alone), BREAK(name),
    BREAK(name_end),   BREAK(no_used),    BREAK(no_free),        BREAK(no_idle),
    BREAK(no_list),    BREAK(tail),       BREAK(far_used),       BREAK(far_free),
    BREAK(far_idle),   BREAK(far_head),   BREAK(used_as_idle),   BREAK(swapped),
    BREAK(idle_cycle), BREAK(list_cycle), BREAK(prev),           BREAK(list_skips),
    BREAK(parent),     BREAK(tree_cycle), BREAK(priority),       BREAK(free_priority),
    BREAK(tag),        BREAK(free_tag),   BREAK(shrunk),         BREAK(overlap),
    BREAK(empty),      BREAK(below),      BREAK(above),          BREAK(free_range),
    BREAK(same),       BREAK(adjacent),
};

/* What rebuild may never change: the allocation records and every byte of the data region. */
static ulong real_hash(void) {
  ulong h = fd_hash(0UL, mem + fd_wksp_private_data_off(PART_MAX), DATA_MAX);
  for (ulong i = 0UL; i < PART_MAX; i++) {
    ulong rec[3] = {pinfo[i].gaddr_lo, pinfo[i].gaddr_hi, pinfo[i].tag};
    if (rec[2]) h = fd_hash(h, rec, sizeof(rec));
  }
  return h;
}

static void test_damage(void) {
  for (ulong i = 0UL; i < sizeof(damage) / sizeof(damage[0]); i++) {
    fd_wksp_t *w = populated();
    api_logged();
    int repairs = damage[i].how(w);
    if (repairs < 0) continue;
    ulong hash = real_hash();
    ok(api_held(fd_wksp_verify(w) == FD_WKSP_ERR_CORRUPT, 1UL), "verify logs: %s", damage[i].what);
    int err = fd_wksp_rebuild(w, 7U);
    ok(api_held(err == (repairs ? FD_WKSP_SUCCESS : FD_WKSP_ERR_CORRUPT), repairs ? 0UL : 1UL),
       "rebuild %s: %s", repairs ? "is silent" : "logs", damage[i].what);
    ok(api_held(real_hash() == hash && (!repairs || (!fd_wksp_verify(w) && w->seed == 7U)), 0UL),
       "no allocation was changed: %s", damage[i].what);
  }
}

static void test_too_few(void) {
  fd_wksp_t *w = fd_wksp_join(fd_wksp_new(mem, "w", 1U, 2UL, DATA_MAX));
  pinfo = fd_wksp_private_pinfo(w);
  ulong a = fd_wksp_alloc(w, 1UL, 100UL, 1UL);
  ulong i = fd_wksp_private_used_treap_query(a, w, pinfo);
  pinfo[i].gaddr_lo++; /* a gap in front as well, and no third record */
  LOGS(fd_wksp_verify(w) == FD_WKSP_ERR_CORRUPT);
  LOGS(fd_wksp_rebuild(w, 1U) == FD_WKSP_ERR_CORRUPT);
  SILENT(pinfo[i].gaddr_lo == a + 1UL && pinfo[i].gaddr_hi == a + 100UL && pinfo[i].tag == 1UL);
  pinfo[i].gaddr_lo = a;
  SILENT(!fd_wksp_rebuild(w, 1U) && !fd_wksp_verify(w));
}

/* Operations on damaged links come back, with a log where they can tell. */
static void test_damaged_ops(void) {
  ulong const tag[2] = {1UL, 4UL};
  fd_wksp_usage_t usage, zeros;
  memset(&zeros, 0, sizeof(zeros));
  int (*const list[])(fd_wksp_t *) = {break_no_list, break_far_head, break_list_cycle};
  for (ulong i = 0UL; i < 3UL; i++) {
    fd_wksp_t *w = populated();
    list[i](w);
    LOGS(!fd_wksp_tag_query(w, tag, 2UL, NULL, 0UL));
    LOGS(fd_wksp_usage(w, tag, 2UL, &usage) == &usage && !memcmp(&usage, &zeros, sizeof(usage)));
    w = populated();
    list[i](w);
    LOGS((fd_wksp_tag_free(w, tag, 2UL), 1));
    SILENT(!fd_wksp_rebuild(w, 1U) && !fd_wksp_verify(w));
  }
  int (*const free_index[])(fd_wksp_t *) = {break_no_free, break_far_free};
  for (ulong i = 0UL; i < 2UL; i++) {
    fd_wksp_t *w = populated();
    free_index[i](w);
    LOGS(!fd_wksp_alloc(w, 1UL, 10UL, 1UL));
    w = populated();
    free_index[i](w);
    fd_wksp_free(w, gaddr[3]); /* real at once; it can tell a bad link from none, not a lost root */
    ok(api_held(!fd_wksp_tag(w, gaddr[3]), i), "free, free index %s", i ? "bad" : "lost");
    SILENT(!fd_wksp_rebuild(w, 1U) && !fd_wksp_verify(w) && !fd_wksp_tag(w, gaddr[3]));
  }
  fd_wksp_t *w = populated();
  break_far_used(w);
  SILENT(!fd_wksp_tag(w, gaddr[0]));
  LOGS((fd_wksp_memset(w, gaddr[0], 1), 1));
  LOGS(!fd_wksp_alloc(w, 1UL, 10UL, 1UL));
  w = populated();
  break_far_idle(w);
  LOGS(!fd_wksp_alloc(w, 1UL, 10UL, 1UL)); /* no record to split with */
}

/* The number of a process that has ended. */
static ulong dead_process(void) {
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) _exit(0);
  waitpid(pid, NULL, 0);
  return (ulong)pid;
}

static fd_wksp_t *broken; /* its owner is dead and rebuild fails */
static ulong dead;

/* After c: it held, something was logged and the dead owner is back. */
#define CORRUPT(c)                                                                                 \
  do {                                                                                             \
    int held = !!(c);                                                                              \
    ok((api_logged() >= 1UL) & held && fd_wksp_owner(broken) == dead, "%d of a lost one: %s",      \
       __LINE__, #c);                                                                              \
  } while (0)

static void test_unrepairable(void) {
  ulong tag = 1UL, lo = 7UL, hi = 7UL;
  fd_wksp_usage_t usage, zeros;
  char path[80], good[80];
  memset(&zeros, 0, sizeof(zeros));
  fd_cstr_printf(path, sizeof(path), NULL, "%s/lost", base);
  fd_cstr_printf(good, sizeof(good), NULL, "%s/good", base);
  broken = populated();
  IS(!fd_wksp_checkpt(broken, good, 0600UL, 0, NULL));
  break_overlap(broken);
  dead = dead_process();
  broken->owner = dead;
  ulong hash = real_hash();
  CORRUPT(fd_wksp_private_lock(broken) == FD_WKSP_ERR_CORRUPT);
  CORRUPT(!fd_wksp_alloc_at_least(broken, 1UL, 1UL, 1UL, &lo, &hi) && !lo && !hi);
  CORRUPT((fd_wksp_free(broken, gaddr[0]), 1));
  CORRUPT(!fd_wksp_tag(broken, gaddr[1]));
  CORRUPT(!fd_wksp_tag_query(broken, &tag, 1UL, NULL, 0UL));
  CORRUPT((fd_wksp_tag_free(broken, &tag, 1UL), 1));
  CORRUPT((fd_wksp_memset(broken, gaddr[1], 'x'), 1));
  CORRUPT((fd_wksp_reset(broken, 9U), fd_wksp_seed(broken) != 9U));
  CORRUPT(fd_wksp_usage(broken, &tag, 1UL, &usage) == &usage && !memcmp(&usage, &zeros, 56UL));
  CORRUPT(fd_wksp_checkpt(broken, path, 0600UL, 0, NULL) == FD_WKSP_ERR_CORRUPT &&
          access(path, F_OK));
  CORRUPT(fd_wksp_restore(broken, good, 9U) == FD_WKSP_ERR_FAIL && fd_wksp_seed(broken) != 9U);
  SILENT(real_hash() == hash && !unlink(good));
  pinfo[used[0]].gaddr_hi--;
  IS(fd_wksp_tag(broken, gaddr[0]) == 1UL && api_logged() && fd_wksp_owner(broken) == ULONG_MAX);
}

/* Shared memory
 * ***********************************************************************************/

static struct {
  char const *what;
  char const *name;
  ulong page_sz, sub_cnt;
  ulong const *page_cnt, *cpu;
  ulong mode, part_max;
  int err;
} const bad_region[] = {
    {"NULL name", NULL, NORMAL, 1UL, one, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"empty name", "", NORMAL, 1UL, one, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"name with a slash", "a/b", NORMAL, 1UL, one, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"page size 0", name, 0UL, 1UL, one, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"page size 8192", name, 8192UL, 1UL, one, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"no parts", name, NORMAL, 0UL, one, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"NULL counts", name, NORMAL, 1UL, NULL, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"NULL cpus", name, NORMAL, 1UL, one, NULL, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"no pages", name, NORMAL, 2UL, zero, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"page counts overflow", name, NORMAL, 2UL, sum_wraps, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"bytes overflow", name, NORMAL, 1UL, bytes_wrap, cpu0, 0600UL, 0UL, FD_WKSP_ERR_INVAL},
    {"part_max beyond all", name, NORMAL, 1UL, one, cpu0, 0600UL, 1UL << 32, FD_WKSP_ERR_INVAL},
    {"part_max ULONG_MAX", name, NORMAL, 1UL, one, cpu0, 0600UL, ULONG_MAX, FD_WKSP_ERR_INVAL},
    {"part_max too large", name, NORMAL, 1UL, one, cpu0, 0600UL, 64UL, FD_WKSP_ERR_INVAL},
    {"no such cpu", name, NORMAL, 1UL, one, no_cpu, 0600UL, 0UL, FD_WKSP_ERR_FAIL},
    {"mode", name, NORMAL, 1UL, one, cpu0, 1UL << 32, 0UL, FD_WKSP_ERR_FAIL},
};

/* The named form, and the anonymous one, which has no mode. */
static void test_new(void) {
  fd_shmem_info_t info;
  for (ulong i = 0UL; i < sizeof(bad_region) / sizeof(bad_region[0]); i++) {
    char const *n = bad_region[i].name;
    int err =
        fd_wksp_new_named(n, bad_region[i].page_sz, bad_region[i].sub_cnt, bad_region[i].page_cnt,
                          bad_region[i].cpu, bad_region[i].mode, 0U, bad_region[i].part_max);
    ok(api_held(err == bad_region[i].err, 1UL), "new_named, %s: %s, logs", bad_region[i].what,
       fd_wksp_strerror(bad_region[i].err));
    if (n == name) SILENT(fd_shmem_info(name, 0UL, &info) == ENOENT); /* nothing left */
    if (bad_region[i].mode > 0777UL) continue;
    fd_wksp_t *w =
        fd_wksp_new_anon(n, bad_region[i].page_sz, bad_region[i].sub_cnt, bad_region[i].page_cnt,
                         bad_region[i].cpu, 0U, bad_region[i].part_max);
    ok(api_held(!w, 1UL), "new_anon, %s: NULL, logs", bad_region[i].what);
  }
  SILENT(fd_shmem_iter_done(fd_shmem_iter_begin()));
}

/* new_named when the join table is full: the file it made goes away. */
static void test_new_join_fails(void) {
  char text[40];
  ulong joined = 0UL;
  uchar *pages = (uchar *)fd_shmem_acquire(NORMAL, FD_SHMEM_JOIN_MAX, 0UL);
  for (; joined < FD_SHMEM_JOIN_MAX; joined++) {
    uchar *page = pages + NORMAL * joined;
    fd_cstr_printf(text, sizeof(text), NULL, "full%lu", joined);
    if (fd_shmem_join_anonymous(text, 1, page, page, NORMAL, 1UL)) break;
  }
  SILENT(joined == FD_SHMEM_JOIN_MAX);
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, one, cpu0, 0600UL, 0U, 0UL) == FD_WKSP_ERR_FAIL);
  LOGS(!fd_wksp_new_anon(name, NORMAL, 1UL, one, cpu0, 0U, 0UL));
  SILENT(fd_shmem_info(name, 0UL, NULL) == ENOENT);
  while (joined--) fd_shmem_leave_anonymous(pages + NORMAL * joined, NULL);
  SILENT(!fd_shmem_release(pages, NORMAL, FD_SHMEM_JOIN_MAX));
}

/* Deleting by name leaves an anonymous workspace of that name alone. */
static void test_delete_anon_by_name(void) {
  fd_wksp_t *wksp = fd_wksp_new_anon(name, NORMAL, 1UL, one, cpu0, 0U, 0UL);
  LOGS(fd_wksp_delete_named(name) == FD_WKSP_ERR_FAIL);
  SILENT(wksp && fd_wksp_verify(wksp) == FD_WKSP_SUCCESS);
  SILENT((fd_wksp_delete_anon(wksp), 1));
}

/* Regions that are there but hold no workspace. */
static void test_not_a_wksp(void) {
  char text[80];
  fd_shmem_join_info_t info;
  IS(!fd_shmem_create(name, NORMAL, 4UL, 0UL, 0600UL));
  LOGS(!fd_wksp_attach(name));
  LOGS(!fd_wksp_attach("a/b"));
  LOGS(!fd_wksp_attach(""));
  LOGS(fd_wksp_delete_named(name) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_delete_named("a/b") == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, one, cpu0, 0600UL, 0U, 0UL) == FD_WKSP_ERR_FAIL);
  SILENT(fd_shmem_join_query_by_name(name, &info) == ENOENT && !fd_shmem_info(name, 0UL, NULL));
  fd_cstr_printf(text, sizeof(text), NULL, "%s:4096", name);
  LOGS((fd_wksp_cstr_free(text), 1));
  LOGS(!fd_wksp_cstr_tag(text));
  LOGS((fd_wksp_cstr_memset(text, 1), 1));
  LOGS(!fd_wksp_map(text));
  LOGS(!fd_wksp_cstr_alloc(name, 0UL, 1UL, 1UL, text));
  uchar *shmem = (uchar *)fd_shmem_join(name, 1, 1, NULL, NULL, NULL);
  SILENT(shmem && !fd_wksp_containing(shmem) && !fd_wksp_containing(shmem + 4095));
  LOGS((fd_wksp_free_laddr(shmem), 1));
  LOGS((fd_wksp_unmap(shmem), 1));
  LOGS(!fd_wksp_cstr_laddr(shmem, text));
  LOGS((fd_wksp_delete_anon((fd_wksp_t *)(void *)shmem), 1)); /* joined, but not anonymously */
  LOGS((fd_wksp_mprotect((fd_wksp_t *)(void *)shmem, 1), 1));
  shmem[0] = 1; /* still writable, still joined */
  SILENT(!fd_shmem_leave(shmem, NULL, NULL) && !fd_shmem_unlink(name, NORMAL));
  LOGS((fd_wksp_delete_anon((fd_wksp_t *)(void *)mem), 1));
  LOGS(fd_wksp_detach((fd_wksp_t *)(void *)mem));
  LOGS((fd_wksp_mprotect((fd_wksp_t *)(void *)(mem + 128), 1), 1));
  fd_wksp_t *gone = (fd_wksp_t *)fd_wksp_delete(fresh());
  LOGS((fd_wksp_mprotect(gone, 1), 1));
}

/* A workspace of this process and text that leads nowhere in it. */
static void test_text(void) {
  fd_wksp_t *w = fd_wksp_new_anonymous(NORMAL, 16UL, 0UL, name, 8UL);
  char text[120];
  fd_shmem_join_info_t info;
  static struct {
    char const *tail; /* behind the name */
    ulong tag_logs, free_logs, memset_logs, map_logs;
  } const bad[] = {
      {":0", 0UL, 0UL, 0UL, 1UL},     {":1", 0UL, 0UL, 1UL, 1UL},
      {":5x", 1UL, 1UL, 1UL, 1UL},    {":", 1UL, 1UL, 1UL, 1UL},
      {":5:5", 1UL, 1UL, 1UL, 1UL},   {"", 1UL, 1UL, 1UL, 1UL},
      {"/:5", 1UL, 1UL, 1UL, 1UL},    {"-not-there:5", 1UL, 1UL, 1UL, 1UL},
      {":-1", 0UL, 0UL, 1UL, 1UL},    {"a123456789b123456789c123456789d123456789:5", 1, 1, 1, 1},
      {":65535", 0UL, 0UL, 1UL, 1UL},
  };
  IS(w && fd_wksp_gaddr_hi(w) < 65535UL + 1UL);
  for (ulong i = 0UL; i < sizeof(bad) / sizeof(bad[0]); i++) {
    fd_cstr_printf(text, sizeof(text), NULL, "%s%s", name, bad[i].tail);
    int zero_gaddr = !strcmp(bad[i].tail, ":0"), at_end = !strcmp(bad[i].tail, ":65535");
    ok(api_held(!fd_wksp_cstr_tag(text), bad[i].tag_logs), "cstr_tag NAME%s", bad[i].tail);
    fd_wksp_cstr_free(text);
    ok(api_held(1, bad[i].free_logs), "cstr_free NAME%s", bad[i].tail);
    fd_wksp_cstr_memset(text, 1);
    ulong logs = api_logged();
    ok(logs == bad[i].memset_logs || zero_gaddr, "cstr_memset NAME%s", bad[i].tail);
    if (!at_end) ok(api_held(!fd_wksp_map(text), bad[i].map_logs), "map NAME%s", bad[i].tail);
  }
  SILENT(!fd_shmem_join_query_by_name(name, &info) && info.ref_cnt == 1L); /* none was kept */
  memset(text, 'o', sizeof(text));
  LOGS(!fd_wksp_cstr(w, fd_wksp_gaddr_lo(w) - 1UL, text));
  LOGS(!fd_wksp_cstr(w, ULONG_MAX, text));
  LOGS(!fd_wksp_cstr_alloc("a/b", 0UL, 0UL, 1UL, text));
  LOGS(!fd_wksp_cstr_alloc(name, 0UL, fd_wksp_data_max(w) + 1UL, 1UL, text));
  LOGS(!fd_wksp_cstr_alloc(NULL, 0UL, 0UL, 1UL, text));
  SILENT(text[0] == 'o' && (fd_wksp_free_laddr(w), 1)); /* in it, but not allocated */
  LOGS((fd_wksp_memset(w, 5UL, 1), 1));
  SILENT((fd_wksp_delete_anonymous(w), !fd_wksp_containing(w)));
  LOGS((fd_wksp_delete_anonymous(w), 1));
  LOGS(!fd_wksp_attach(name));
}

/* Checkpoints
 * *************************************************************************************/

static void write_file(char const *path, void const *bytes, ulong sz) {
  ulong put;
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  IS(fd >= 0 && !fd_io_write(fd, bytes, sz, sz, &put));
  close(fd);
}

/* Of path preview and restore say so, the latter with one log, and nothing is changed. */
static void refuses(fd_wksp_t *w, char const *path, int err, char const *what) {
  fd_wksp_preview_t preview, kept;
  memset(&preview, 0x5a, sizeof(preview));
  kept = preview;
  ok(api_held(fd_wksp_preview(path, &preview) == err && !memcmp(&preview, &kept, sizeof(kept)),
              0UL),
     "preview of %s: %s, silent", what, fd_wksp_strerror(err));
  ulong hash = real_hash();
  ok(api_held(fd_wksp_restore(w, path, 9U) == err && real_hash() == hash && w->seed == 1U, 1UL),
     "restore of %s: %s, untouched", what, fd_wksp_strerror(err));
  ok(api_held(fd_wksp_printf(1, path, 5) < 0 && !fd_wksp_printf(1, path, -1), 1UL),
     "printf of %s: negative", what);
}

static void test_files(void) {
  char path[80], dir[80], far[5000];
  fd_wksp_t *w = populated();
  fd_cstr_printf(path, sizeof(path), NULL, "%s/file", base);
  fd_cstr_printf(dir, sizeof(dir), NULL, "%s/dir", base);
  memset(far, 'f', sizeof(far) - 1UL);
  far[sizeof(far) - 1UL] = '\0';
  IS(!mkdir(dir, 0700));
  refuses(w, path, FD_WKSP_ERR_FAIL, "a missing file");
  refuses(w, "", FD_WKSP_ERR_FAIL, "no name");
  refuses(w, far, FD_WKSP_ERR_FAIL, "a name too long");
  refuses(w, dir, FD_WKSP_ERR_FAIL, "a directory");
  write_file(path, "", 0UL);
  refuses(w, path, FD_WKSP_ERR_CORRUPT, "an empty file");
  write_file(path, mem, 20000UL);
  refuses(w, path, FD_WKSP_ERR_CORRUPT, "a file of something else");
  LOGS(fd_wksp_checkpt(w, path, 0600UL, 0, NULL) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_checkpt(w, dir, 0600UL, 0, NULL) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_checkpt(w, far, 0600UL, 0, NULL) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_checkpt(w, "", 0600UL, 0, NULL) == FD_WKSP_ERR_FAIL);
  struct stat st;
  IS(!stat(path, &st) && st.st_size == 20000 && !unlink(path));
  IS(!symlink("nowhere", path)); /* is an existing name too */
  LOGS(fd_wksp_checkpt(w, path, 0600UL, 0, NULL) == FD_WKSP_ERR_FAIL);
  IS(!lstat(path, &st) && S_ISLNK(st.st_mode) && !unlink(path));
  for (int style = -2; style < 7; style++) {
    if (style >= 0 && style < 3 + FD_HAS_LZ4) continue;
    ok(api_held(fd_wksp_checkpt(w, path, 0600UL, style, NULL) == FD_WKSP_ERR_INVAL, 1UL),
       "style %d", style);
  }
  SILENT(!fd_wksp_checkpt(w, path, 0600UL, 0, NULL));
  IS(fd_wksp_printf(-1, path, 0) < 0);
  IS(fd_wksp_printf(1, NULL, 0) < 0 && !fd_wksp_printf(1, NULL, -1));
  api_logged();
  LOGS(fd_wksp_restore(NULL, NULL, 1U) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_restore_tpool(NULL, 1UL, 1UL, w, path, 1U) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt_tpool(NULL, 3UL, 1UL, w, dir, 0600UL, 0, NULL) == FD_WKSP_ERR_INVAL);
  IS(!unlink(path) && !rmdir(dir));
}

/* Index operations
 * ********************************************************************************/

static void test_index(void) {
  fd_wksp_t *w = fresh();
  fd_wksp_private_pinfo_t *p = fd_wksp_private_pinfo(w);
  ulong lo = w->gaddr_lo, hi = w->gaddr_hi;
  w->part_used_cidx = w->part_free_cidx = fd_wksp_private_pinfo_cidx(NONE);
  ulong const range[][2] = {{lo - 1UL, lo + 1UL}, {hi - 1UL, hi + 1UL}, {hi, hi + 1UL},
                            {lo + 5UL, lo + 5UL}, {lo + 6UL, lo + 5UL}, {0UL, ULONG_MAX},
                            {lo - 5UL, lo - 4UL}};
  static uchar kept[sizeof(mem)];
  for (ulong i = 0UL; i < sizeof(range) / sizeof(range[0]); i++) {
    p[2].gaddr_lo = range[i][0], p[2].gaddr_hi = range[i][1];
    memcpy(kept, mem, sizeof(mem));
    int used_err = fd_wksp_private_used_treap_insert(2UL, w, p);
    int free_err = fd_wksp_private_free_treap_insert(2UL, w, p);
    ok(api_held(used_err == FD_WKSP_ERR_CORRUPT && free_err == FD_WKSP_ERR_CORRUPT &&
                    !memcmp(kept, mem, sizeof(mem)),
                0UL),
       "range %lu: neither index takes it nor is changed", i);
  }
  ulong const n[] = {PART_MAX, UINT_MAX, NONE, ULONG_MAX};
  for (ulong i = 0UL; i < 4UL; i++) {
    SILENT(fd_wksp_private_used_treap_insert(n[i], w, p) == FD_WKSP_ERR_CORRUPT &&
           fd_wksp_private_used_treap_remove(n[i], w, p) == FD_WKSP_ERR_CORRUPT &&
           fd_wksp_private_free_treap_insert(n[i], w, p) == FD_WKSP_ERR_CORRUPT &&
           fd_wksp_private_free_treap_remove(n[i], w, p) == FD_WKSP_ERR_CORRUPT);
  }
  SILENT(fd_wksp_private_used_treap_query(lo, w, p) == NONE &&
         fd_wksp_private_free_treap_query(1UL, w, p) == NONE &&
         fd_wksp_private_free_treap_query(ULONG_MAX, w, p) == NONE);
}

int main(void) {
  char option[80], dir[80];
  if (!mkdtemp(base)) return 1;
  fd_cstr_printf(option, sizeof(option), NULL, "--shmem-path %s", base);
  api_boot(option);
  fd_cstr_printf(name, sizeof(name), NULL, "apie%d", (int)getpid());
  no_cpu[0] = no_cpu[1] = fd_shmem_cpu_cnt();
  test_sizing();
  test_alloc();
  test_no_alloc();
  test_damage();
  test_too_few();
  test_damaged_ops();
  test_unrepairable();
  test_new();
  test_new_join_fails();
  test_delete_anon_by_name();
  test_not_a_wksp();
  test_text();
  test_files();
  test_index();
  fd_halt();
  IS(!rmdir(fd_cstr_printf(dir, sizeof(dir), NULL, "%s/.normal", base)) && !rmdir(base));
  return done_testing();
}
