// Operators new and delete of the program's own, run one instruction at a time: a handler that allocates
// sees every place between the call and the function, also stub and copy, of which no unwind table knows.
// Prints how often the handler ran.
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <ucontext.h>

static char arena[1 << 24] __attribute__((aligned(64)));
static std::atomic<std::size_t> used;
static int steps;
static void *volatile sink;

__attribute__((noinline)) void *operator new(std::size_t sz) {
  std::size_t at = used.fetch_add((sz + 63) / 64 * 64);
  return at + sz <= sizeof arena ? arena + at : nullptr;
}
__attribute__((noinline)) void operator delete(void *p) noexcept { used.fetch_add(p != nullptr ? 64 : 0); }
void operator delete(void *p, std::size_t) noexcept { ::operator delete(p); }

static volatile bool over;

static void on_step(int, siginfo_t *, void *context) {
  steps++;
  sink = ::operator new(1000);
  if (over) static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_EFL] &= ~0x100;
}

// No frame pointer, and no frame: what is unwound by guess misses it.
__attribute__((noinline, optimize("omit-frame-pointer"))) static void stepped(std::size_t sz) {
  over = false;
  __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
  void *p = ::operator new(sz);
  ::operator delete(p);
  over = true;
}

int main() {
  struct sigaction sa = {};
  sa.sa_sigaction = on_step;
  sa.sa_flags = SA_SIGINFO;
  sigaction(SIGTRAP, &sa, nullptr);
  for (std::size_t i = 0; i < 1; i++) stepped(24 + i);
  std::fprintf(stderr, "%d\n", steps > 20);
  return 0;
}
