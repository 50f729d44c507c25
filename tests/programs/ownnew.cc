// Operators new and delete of the program's own (OWN), out of memory that no malloc gave, or of the C++
// runtime.
#include <cstdio>
#include <cstdlib>
#include <new>

#ifdef OWN
static char arena[1 << 20];
static std::size_t used;

void *operator new(std::size_t sz) {
  std::size_t at = used;
  used += (sz + 15) & ~std::size_t{15};
  if (used > sizeof arena) throw std::bad_alloc();
  return arena + at;
}
static std::size_t deleted;
void operator delete(void *p) noexcept {
  if (p) deleted++;
}
void operator delete(void *p, std::size_t sz) noexcept {
  if (p) deleted += sz != 0;
}
#endif

int main() {
  long *volatile last = nullptr;
  for (int i = 0; i < 1000; i++) {
    delete last;
    last = new long;
  }
  std::printf("%d\n", last != nullptr);
}
