/* Spin, then futex; see wait.h. */

#include "wait.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* About ten microseconds: longer than a hand-over between running threads, shorter than what a
   sleep and wake-up cost together.  Spinning on the only cpu would just delay the publisher. */
#define SPIN_CNT (200)

static int spin_cnt(void) {
  static int cnt = -1;
  int c = __atomic_load_n(&cnt, __ATOMIC_RELAXED);
  if (FD_UNLIKELY(c < 0)) {
    c = sysconf(_SC_NPROCESSORS_ONLN) > 1L ? SPIN_CNT : 0;
    __atomic_store_n(&cnt, c, __ATOMIC_RELAXED);
  }
  return c;
}

void fd_wait_while(fd_wait_t * w, uint val) {
  for (int spin = spin_cnt(); spin > 0; spin--) {
    if (fd_wait_word(w) != val) return;
    FD_SPIN_PAUSE();
  }
  while (fd_wait_word(w) == val) {
    __atomic_fetch_add(&w->sleepers, 1U, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&w->word, __ATOMIC_SEQ_CST) == val) {
      syscall(SYS_futex, &w->word, FUTEX_WAIT_PRIVATE, val, NULL, NULL, 0U);
    }
    __atomic_fetch_sub(&w->sleepers, 1U, __ATOMIC_RELAXED);
  }
}

void fd_wait_publish(fd_wait_t * w, uint val) {
  __atomic_store_n(&w->word, val, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&w->sleepers, __ATOMIC_SEQ_CST)) {
    syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0U);
  }
}
