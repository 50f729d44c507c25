// Operators new and delete of the program's own, on top of malloc. One block is lost. Prints calls of new.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>

static int calls;

__attribute__((noinline)) void *operator new(std::size_t sz) {
  calls++;
  void *p = std::malloc(sz);
  if (!p) throw std::bad_alloc();
  return p;
}
__attribute__((noinline)) void operator delete(void *p) noexcept { std::free(p); }
void operator delete(void *p, std::size_t) noexcept { ::operator delete(p); }

static void *volatile sink;

__attribute__((noinline)) static void churn() {
  for (int i = 0; i < 100; i++) {
    int *p = new int(i);
    sink = p;
    if (i != 50) delete p;
  }
  sink = nullptr;
}

int main() {
  churn();
  std::fprintf(stderr, "%d\n", calls);
  return 0;
}
