// operator new and delete of every form, and exceptions that pass through them: out of constructors, out of
// operator new itself, and out of the allocator's own throw. Prints calls of new, and exceptions caught.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

struct Part {
  char room[90];
  explicit Part(int n) {
    if (n % 10 == 3) throw n;
  }
};
struct alignas(64) Wide {
  char room[128];
};

static void *volatile sink;
template <typename T> static T *keep(T *p) {
  sink = p;
  return p;
}

int main() {
  int news = 0, caught = 0;
  for (int i = 0; i < 60; i++) {
    try {
      news++;
      delete keep(new Part(i));
    } catch (int) {
      caught++;
    }
    news += 6;
    delete keep(new Wide);
    delete[] keep(new char[33]);
    delete keep(new (std::nothrow) Part(1));
    delete[] keep(new (std::nothrow) char[7]);
    delete[] keep(new Wide[2]);
    ::operator delete(keep(::operator new(10)), std::size_t(10));
  }
  for (int i = 0; i < 20; i++) {
    try {
      sink = ::operator new(SIZE_MAX / 3);
    } catch (std::bad_alloc const &) {
      caught++;
    }
    sink = ::operator new(SIZE_MAX / 3, std::nothrow);
  }
  std::fprintf(stderr, "%d %d\n", news, caught);
}
