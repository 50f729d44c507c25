/* operators: orders as of churn (p, r), one thread. Counts its calls of operator new, and the exceptions it throws, each of
   which is a block, too. */
#include <cstdint>
#include <cstdio>
#include <new>
#include <unistd.h>

static unsigned long allocations, frees;

template <class T> static T *counted(T *p) {
  allocations++;
  return p;
}

struct fails_t {
  char bytes[100];
  explicit fails_t(bool really) {
    if (really) throw 1;
  }
};

/* A constructor that throws: the block is freed by the compiler's call, the exception's by the end of its handler. */
static void throws() {
  allocations += 2;
  frees += 2;
  try {
    delete new fails_t(true);
  } catch (int) {
  }
}

/* A size that cannot be had: only the exception is a block. */
static void is_refused() {
  allocations++;
  frees++;
  try {
    delete[] new char[SIZE_MAX / 4];
  } catch (std::bad_alloc &) {
  }
}

static void round_of_all() {
  delete counted(new int(1));
  delete[] counted(new int[10]);
  delete counted(new fails_t(false));
  ::operator delete(counted(::operator new(64, std::align_val_t(64))), std::align_val_t(64));
  ::operator delete(counted(::operator new(30, std::nothrow)));
  frees += 5;
  throws();
  is_refused();
}

int main() {
  char order, line[64];
  while (read(0, &order, 1) == 1) {
    for (int i = 0; order == 'r' && i < 1000; i++) round_of_all();
    int n = snprintf(line, sizeof line, "%lu %lu\n", allocations, frees);
    if (write(1, line, n) < 0) return 1;
  }
}
