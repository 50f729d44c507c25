/* See signals.h. */
#include "analyzer/collector/signals.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#define STOP_PAUSE_NS 20000000

static int const caught[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
                             SIGTSTP, SIGCONT, SIGWINCH, SIGALRM, SIGCHLD};
#define CAUGHT_CNT (sizeof caught / sizeof caught[0])

static struct sigaction before[CAUGHT_CNT];
static struct sigaction before_pipe, before_fsz;
static sigset_t mask_before;
static void (*wake_up)(void);
/* Per caught signal: arrived from a process (1). Terminal signals need no forwarding, but a stop does
   stop us (2). */
static _Atomic int pending[CAUGHT_CNT];

static void on_signal(int sig, siginfo_t *info, void *context) {
  (void)context;
  for (size_t i = 0; i < CAUGHT_CNT; i++)
    if (caught[i] == sig)
      atomic_store_explicit(&pending[i], info->si_code == SI_KERNEL ? 2 : 1, memory_order_relaxed);
  wake_up();
}

void vt_signals_install(void (*wake)(void)) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigset_t none;
  wake_up = wake;
  sigfillset(&action.sa_mask);
  for (size_t i = 0; i < CAUGHT_CNT; i++) {
    sigaction(caught[i], NULL, &before[i]);
    /* What our parent ignores (nohup) stays ignored, here and in the program. */
    if (before[i].sa_handler != SIG_IGN || caught[i] == SIGCHLD)
      sigaction(caught[i], &action, NULL);
  }
  sigaction(SIGPIPE, &ignore, &before_pipe);
  sigaction(SIGXFSZ, &ignore, &before_fsz);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, &mask_before);
}

void vt_signals_restore(void) {
  for (size_t i = 0; i < CAUGHT_CNT; i++) sigaction(caught[i], &before[i], NULL);
  sigaction(SIGPIPE, &before_pipe, NULL);
  sigaction(SIGXFSZ, &before_fsz, NULL);
  sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

void vt_signals_forward(pid_t pid) {
  for (size_t i = 0; i < CAUGHT_CNT; i++) {
    int how = atomic_exchange_explicit(&pending[i], 0, memory_order_relaxed);
    if (!how || caught[i] == SIGCHLD) continue;
    if (how == 1 && pid > 0) kill(pid, caught[i]);
    if (caught[i] != SIGTSTP) continue;
    struct timespec pause = {.tv_nsec = STOP_PAUSE_NS};
    nanosleep(&pause, NULL);
    raise(SIGSTOP);
  }
}

int vt_signals_pending(void) {
  for (size_t i = 0; i < CAUGHT_CNT; i++)
    if (atomic_load_explicit(&pending[i], memory_order_relaxed)) return 1;
  return 0;
}

void vt_signals_ignore(void) {
  struct sigaction ignore = {.sa_handler = SIG_IGN}, normal = {.sa_handler = SIG_DFL};
  for (size_t i = 0; i < CAUGHT_CNT; i++)
    sigaction(caught[i], caught[i] == SIGCHLD ? &normal : &ignore, NULL);
}
