/* SIGKILL at random points.  A child runs operations on a shared workspace and notes in a shared
   journal what it is about to do and what is done; the parent kills it, uses the workspace (which
   must recover), verifies it, and compares every completed allocation with the journal.  WKSP_KILLS
   sets the number of kills. */

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "wksp_tests.h"

#define SLOT_MAX 64UL

enum { EMPTY, ALLOCATING, LIVE, FREEING, FREEING_TAGGED };

/* state is stored last; tag is unique to the allocation. */
typedef struct {
  ulong state;
  ulong gaddr;
  ulong sz;
  ulong tag;
} slot_t;

typedef struct {
  ulong ready;
  ulong next_tag;
  ulong resetting;
  ulong op_cnt;
  slot_t slot[SLOT_MAX];
} journal_t;

static fd_wksp_t *wksp;
static journal_t *journal;
static model_t model[1];

static void set_state(slot_t *slot, ulong state) {
  __atomic_store_n(&slot->state, state, __ATOMIC_SEQ_CST);
}

static void mark_bytes(slot_t const *slot) {
  uchar *p = (uchar *)fd_wksp_laddr_fast(wksp, slot->gaddr);
  p[0] = (uchar)slot->tag;
  p[slot->sz - 1UL] = (uchar)slot->tag;
}

static void child_alloc(slot_t *slot, fd_rng_t *rng) {
  slot->tag = journal->next_tag++;
  slot->sz = 1UL + fd_rng_ulong_roll(rng, 3000UL);
  slot->gaddr = 0UL;
  set_state(slot, ALLOCATING);
  ulong gaddr = fd_wksp_alloc(wksp, 1UL << fd_rng_ulong_roll(rng, 9UL), slot->sz, slot->tag);
  slot->gaddr = gaddr;
  if (gaddr) mark_bytes(slot);
  set_state(slot, gaddr ? LIVE : EMPTY);
}

static void child_free(slot_t *slot, fd_rng_t *rng) {
  int by_tag = fd_rng_uint_roll(rng, 4U) == 0U;
  set_state(slot, by_tag ? FREEING_TAGGED : FREEING);
  if (by_tag)
    fd_wksp_tag_free(wksp, &slot->tag, 1UL);
  else
    fd_wksp_free(wksp, slot->gaddr);
  set_state(slot, EMPTY);
}

static void child_reset(fd_rng_t *rng) {
  __atomic_store_n(&journal->resetting, 1UL, __ATOMIC_SEQ_CST);
  fd_wksp_reset(wksp, fd_rng_uint(rng));
  for (ulong i = 0UL; i < SLOT_MAX; i++) set_state(journal->slot + i, EMPTY);
  __atomic_store_n(&journal->resetting, 0UL, __ATOMIC_SEQ_CST);
}

static void child_run(uint seed) {
  fd_rng_t rng[1];
  fd_rng_join(fd_rng_new(rng, seed, 0UL));
  __atomic_store_n(&journal->ready, 1UL, __ATOMIC_SEQ_CST);
  for (;;) {
    slot_t *slot = journal->slot + fd_rng_ulong_roll(rng, SLOT_MAX);
    uint what = fd_rng_uint_roll(rng, 1000U);
    if (what == 0U)
      child_reset(rng);
    else if (what < 20U)
      fd_wksp_tag(wksp, slot->gaddr);
    else if (slot->state == EMPTY)
      child_alloc(slot, rng);
    else
      child_free(slot, rng);
    journal->op_cnt++;
  }
}

/* Where the one allocation with tag is; 0 if there is none. */
static int tag_find(ulong tag, fd_wksp_tag_query_info_t *info) {
  return fd_wksp_tag_query(wksp, &tag, 1UL, info, 1UL) == 1UL;
}

/* 1 iff the slot and the workspace agree; settles operations the kill interrupted. */
static int slot_check(slot_t *slot) {
  fd_wksp_tag_query_info_t info;
  if (slot->state == EMPTY) return 1;
  int found = tag_find(slot->tag, &info);
  int whole = found && info.gaddr_lo <= slot->gaddr && slot->gaddr + slot->sz <= info.gaddr_hi;
  switch (slot->state) {
  case ALLOCATING: /* either way is right */
    if (found) {
      if (info.gaddr_hi - info.gaddr_lo != slot->sz) return 0;
      slot->gaddr = info.gaddr_lo;
      mark_bytes(slot);
    }
    break;
  case LIVE:
    if (!found && journal->resetting) break;
    if (!whole) return 0;
    uchar const *p = (uchar const *)fd_wksp_laddr_fast(wksp, slot->gaddr);
    if (p[0] != (uchar)slot->tag || p[slot->sz - 1UL] != (uchar)slot->tag) return 0;
    break;
  default:
    if (found && !whole) return 0;
  }
  slot->state = found ? LIVE : EMPTY;
  return 1;
}

static int check(void) {
  fd_wksp_tag(wksp, fd_wksp_gaddr_lo(wksp)); /* takes the lock, from the dead if need be */
  if (fd_wksp_verify(wksp)) return 0;
  ulong live = 0UL;
  for (ulong i = 0UL; i < SLOT_MAX; i++) {
    if (!slot_check(journal->slot + i)) {
      printf("# slot %lu: state %lu tag %lu gaddr %lu sz %lu\n", i, journal->slot[i].state,
             journal->slot[i].tag, journal->slot[i].gaddr, journal->slot[i].sz);
      return 0;
    }
    live += (ulong)(journal->slot[i].state == LIVE);
  }
  fd_wksp_usage_t usage;
  fd_wksp_usage(wksp, NULL, 0UL, &usage);
  if (journal->resetting && live) return 0; /* all or nothing is checked below */
  journal->resetting = 0UL;
  return usage.total_cnt - usage.free_cnt == live;
}

/* A reset that was killed has happened entirely or not at all. */
static int reset_check(void) {
  if (!journal->resetting) return 1;
  fd_wksp_usage_t usage;
  fd_wksp_usage(wksp, NULL, 0UL, &usage);
  ulong before = 0UL;
  for (ulong i = 0UL; i < SLOT_MAX; i++) before += (ulong)(journal->slot[i].state == LIVE);
  ulong now = usage.total_cnt - usage.free_cnt;
  if (now && now < before) return 0;
  if (now) journal->resetting = 0UL; /* not begun */
  return 1;
}

static void wait_ns(ulong ns) {
  long end = fd_log_wallclock() + (long)ns;
  while (fd_log_wallclock() < end) FD_SPIN_PAUSE();
}

/* One child, killed at a random time after it began; *held counts kills inside an operation. */
static int kill_once(fd_rng_t *rng, ulong *held) {
  journal->ready = 0UL;
  uint seed = fd_rng_uint(rng);
  pid_t pid = fork();
  if (pid < 0) return 0;
  if (!pid) child_run(seed);
  while (!__atomic_load_n(&journal->ready, __ATOMIC_ACQUIRE)) sched_yield();
  wait_ns(fd_rng_ulong_roll(rng, 100000UL));
  kill(pid, SIGKILL);
  int status;
  if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) return 0;
  *held += (ulong)(fd_wksp_owner(wksp) != ULONG_MAX);
  fd_wksp_tag(wksp, 1UL); /* recovers */
  return reset_check() && check();
}

/* Restores and checkpoints for ever; restores first, as a checkpoint waits for the disk. */
static void ckpt_child(fd_wksp_t *w, char const *path, char const *good, uint seed) {
  __atomic_store_n(&journal->ready, 1UL, __ATOMIC_SEQ_CST);
  for (;; seed++) {
    for (int i = 0; i < 30; i++)
      if (fd_wksp_restore(w, good, seed)) _exit(1);
    unlink(path);
    if (fd_wksp_checkpt(w, path, 0600UL, 1 + (int)(seed % 3U), NULL)) _exit(1);
  }
}

/* Removes what killed checkpoints left under temporary names: 1 iff none of it could be taken for a
   checkpoint and not be one. */
static int ckpt_sweep(fd_wksp_t *w) {
  char name[64];
  char cmd[160];
  int good = 1;
  snprintf(cmd, sizeof(cmd), "ls -A '%s' | grep tmp$", test_dir);
  FILE *list = popen(cmd, "r");
  while (list && fscanf(list, "%63s", name) == 1) {
    char const *path = test_path(name);
    if (!fd_wksp_preview(path, NULL))
      good &= !fd_wksp_restore(w, path, 1U) && model_agrees(model, w);
    unlink(path);
  }
  if (list) pclose(list);
  return good;
}

/* One process killed while it checkpoints or restores: the workspace is whole or empty, the file
   whole or not there. */
static int ckpt_kill_once(fd_wksp_t *w, fd_rng_t *rng, ulong *emptied) {
  static char path[96];
  static char good[96];
  snprintf(path, sizeof(path), "%s/path", test_dir);
  snprintf(good, sizeof(good), "%s/good", test_dir);
  journal->ready = 0UL;
  uint seed = fd_rng_uint(rng);
  pid_t pid = fork();
  if (pid < 0) return 0;
  if (!pid) ckpt_child(w, path, good, seed);
  while (!__atomic_load_n(&journal->ready, __ATOMIC_ACQUIRE)) sched_yield();
  wait_ns(fd_rng_ulong_roll(rng, 3000000UL));
  kill(pid, SIGKILL);
  int status;
  if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) return 0;
  fd_wksp_usage_t usage;
  fd_wksp_usage(w, NULL, 0UL, &usage); /* recovers */
  int empty = usage.free_cnt == usage.total_cnt;
  if (fd_wksp_verify(w) || !(empty || model_agrees(model, w))) return 0;
  *emptied += (ulong)empty;
  if (!access(path, F_OK) && (fd_wksp_restore(w, path, 1U) || !model_agrees(model, w))) return 0;
  return ckpt_sweep(w) && !fd_wksp_restore(w, good, 2U) && model_agrees(model, w);
}

static void test_ckpt_kill(fd_rng_t *rng, ulong cnt) {
  fd_wksp_t *w = test_wksp(64UL, 200000UL);
  model_init(model, w);
  for (ulong i = 0UL; i < 20UL; i++) {
    ulong lo, hi;
    fd_wksp_alloc_at_least(w, 1UL << i % 9UL, 1UL + fd_rng_ulong_roll(rng, 9000UL), 1UL + i, &lo,
                           &hi);
    fd_wksp_memset(w, lo, (int)i);
    model_insert(model, (model_alloc_t){lo, hi, 1UL + i, (int)i});
  }
  fd_wksp_checkpt(w, test_path("good"), 0600UL, 0, NULL);
  ulong emptied = 0UL;
  ulong n = 0UL;
  while (n < cnt && ckpt_kill_once(w, rng, &emptied)) n++;
  printf("# %lu kills, %lu of them in a restore\n", n, emptied);
  is_ulong(n, cnt, "checkpoints and restores are all or nothing");
}

int main(void) {
  test_boot("test_wksp_kill");
  fd_rng_t rng[1];
  fd_rng_join(fd_rng_new(rng, test_seed(), 0UL));
  wksp = test_wksp(100UL, 80000UL);
  journal = mmap(NULL, sizeof(*journal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  journal->next_tag = 1UL;
  ulong cnt = test_cnt("WKSP_KILLS", 300UL);
  ulong held = 0UL;
  ulong n = 0UL;
  fd_wksp_oom_silent = 1;
  alarm(600U + (uint)cnt / 10U); /* a wedge ends here */
  while (n < cnt && kill_once(rng, &held)) n++;
  printf("# %lu kills, %lu of them inside an operation, %lu operations\n", n, held,
         journal->op_cnt);
  is_ulong(n, cnt, "the workspace verifies and agrees with the journal after each kill");
  ok(held > 0UL, "some kills hit the owner of the lock");
  test_ckpt_kill(rng, cnt / 3UL);
  return test_halt();
}
