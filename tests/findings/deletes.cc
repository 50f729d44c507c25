/* Deletions that tell operator delete a wrong size or alignment ("wrong"), and the same ones right. With OWN an operator
   new of the program's own, which asks malloc for more than it was asked for. Each deletion has a line of its own. */
#include <pthread.h>
#include <cstdlib>
#include <memory>
#include <new>

struct base {
  long a;
};
struct derived : base {
  long b, c;
};
struct alignas(64) line {
  char c[64];
};
struct alignas(32) half { /* the runtime makes it a multiple of 32 */
  char c[40];
};

#ifdef OWN
void *operator new(std::size_t sz) { return malloc(sz + 100); }
void operator delete(void *p) noexcept { free(p); }
#endif

#define SITE __attribute__((noipa))
SITE static void drop(base *p) { delete p; }
SITE static base *make(bool wrong) { return wrong ? new derived : new base; }

/* Blocks of many sizes that another thread has allocated. */
static char *blocks[400];
static void *allocate(void *) {
  for (int i = 0; i < 400; i++) blocks[i] = std::allocator<char>().allocate((size_t)(100 + i));
  return nullptr;
}
SITE static void many(std::allocator<char> a, bool wrong) {
  pthread_t thread;
  pthread_create(&thread, nullptr, allocate, nullptr);
  pthread_join(thread, nullptr);
  for (int i = 0; i < 400; i++) {
    if (i == 3 && wrong)
      ::operator delete(blocks[i], (size_t)7);
    else
      a.deallocate(blocks[i], (size_t)(100 + i));
  }
}

int main(int argc, char **) {
  bool wrong = argc > 1;
  std::allocator<char> a;
  base *old = make(wrong);
  drop(make(wrong));
  a.deallocate(a.allocate(40), wrong ? 39 : 40);
  delete new half;
  delete[] new line[3];
  ::operator delete(::operator new(100000), wrong ? (size_t)70000 : (size_t)100000);
  if (wrong) {
    ::operator delete(new line, sizeof(line));
    ::operator delete(new line);
    ::operator delete(::operator new(64), std::align_val_t(64));
    ::operator delete(::operator new(64, std::align_val_t(64)), 64, std::align_val_t(128));
    ::operator delete[](::operator new[](640, std::align_val_t(64)), 64, std::align_val_t(64));
  }
  many(a, wrong);
  drop(old);
  return 0;
}
