#ifndef CORE_UTIL_WAIT_H
#define CORE_UTIL_WAIT_H

/* Waiting for a word to change: spin briefly, then sleep in the kernel.  A waiter announces itself
   in `sleepers` before it sleeps and a publisher looks there after its store; both steps are
   sequentially consistent, so at least one of them sees the other and no wake-up is lost, and
   without sleepers publishing costs no system call. */

#include "fd/util/fd_util_base.h"

typedef struct {
  uint word;
  uint sleepers;
} fd_wait_t;

/* Returns once the word is not val any more; acquires what its publisher released. */
void fd_wait_while(fd_wait_t * w, uint val);

/* Stores val (release, pairs with fd_wait_while and fd_wait_word) and wakes all waiters. */
void fd_wait_publish(fd_wait_t * w, uint val);

/* The word, acquired. */
static inline uint fd_wait_word(fd_wait_t const * w) {
  return __atomic_load_n(&w->word, __ATOMIC_ACQUIRE);
}

/* Stores `to` iff the word is `from`; 1 if so.  Acquires; wakes nobody. */
static inline int fd_wait_claim(fd_wait_t * w, uint from, uint to) {
  return __atomic_compare_exchange_n(&w->word, &from, to, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

#endif
