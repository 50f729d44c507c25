/* The owner word.  A waiter spins, yields and finally sleeps; now and then it asks whether the
   owner still lives, and if not takes the lock over and repairs the wksp before it goes on. */

#include <sched.h>
#include <time.h>

#include "fd/util/log/fd_log.h"
#include "wksp_internal.h"

#define SPIN_CNT     128UL  /* tries before yielding */
#define YIELD_CNT    1024UL /* tries before sleeping */
#define QUERY_PERIOD 64UL   /* sleeps between looks at the owner, which cost system calls */
#define SLEEP_NS     50000L

#if FD_WKSP_LOCK_RECLAIM

/* PERM is the live process of another user. */
static int owner_is_dead(ulong owner) {
  int status = fd_log_group_id_query(owner);
  return status == FD_LOG_GROUP_ID_QUERY_DEAD || status == FD_LOG_GROUP_ID_QUERY_INVAL;
}

/* Makes the wksp whole after its previous owner died inside an operation. */
static int lock_recover(fd_wksp_t *wksp, ulong dead) {
  FD_LOG_WARNING(("the owner of a wksp died in an operation; verifying"));
  if (FD_LIKELY(!fd_wksp_verify(wksp) || !fd_wksp_rebuild(wksp, wksp->seed)))
    return FD_WKSP_SUCCESS;
  FD_LOG_WARNING(("wksp can not be rebuilt"));
  /* pairs with the acquiring compare-exchange of the next waiter that finds the owner dead */
  __atomic_store_n(&wksp->owner, dead, __ATOMIC_RELEASE);
  return FD_WKSP_ERR_CORRUPT;
}

#endif

static void lock_wait(ulong try) {
  if (try < SPIN_CNT)
    FD_SPIN_PAUSE();
  else if (try < YIELD_CNT)
    sched_yield();
  else {
    struct timespec ts = {0, SLEEP_NS};
    nanosleep(&ts, NULL);
  }
}

/* Owner word old -> me; acquire pairs with the release in unlock. */
static inline int lock_cas(fd_wksp_t *wksp, ulong old, ulong me) {
  return __atomic_compare_exchange_n(&wksp->owner, &old, me, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

int fd_wksp_private_lock(fd_wksp_t *wksp) {
  ulong me = fd_log_group_id();
  for (ulong try = 0UL;; try++) {
    ulong owner = __atomic_load_n(&wksp->owner, __ATOMIC_RELAXED);
    if (FD_LIKELY(owner == ULONG_MAX)) {
      if (FD_LIKELY(lock_cas(wksp, ULONG_MAX, me))) return FD_WKSP_SUCCESS;
      continue;
    }
#if FD_WKSP_LOCK_RECLAIM
    if (FD_UNLIKELY(try >= YIELD_CNT && try % QUERY_PERIOD == 0UL && owner_is_dead(owner) &&
                    lock_cas(wksp, owner, me)))
      return lock_recover(wksp, owner);
#endif
    lock_wait(try);
  }
}

void fd_wksp_private_unlock(fd_wksp_t *wksp) {
  /* pairs with the acquire of lock_cas */
  __atomic_store_n(&wksp->owner, ULONG_MAX, __ATOMIC_RELEASE);
}

ulong fd_wksp_owner(fd_wksp_t const *wksp) {
  return __atomic_load_n(&wksp->owner, __ATOMIC_RELAXED);
}
