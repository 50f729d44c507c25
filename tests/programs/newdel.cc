// Every form of operator new and delete, also when it fails, and containers that use them.
#include <cstdint>
#include <cstdio>
#include <map>
#include <new>
#include <string>
#include <vector>

struct alignas(256) Wide {
  char bytes[300];
};

static size_t volatile huge = PTRDIFF_MAX;
static int handled;

static void give_up() {
  if (++handled == 3) std::set_new_handler(nullptr);
}

static void failing() {
  try {
    char *p = new char[huge];
    std::printf("never %p\n", static_cast<void *>(p));
  } catch (std::bad_alloc const &) { std::puts("bad_alloc"); }
  std::printf("nothrow %d\n", new (std::nothrow) char[huge] == nullptr);
  std::set_new_handler(give_up);
  try {
    ::operator delete(::operator new(huge));
  } catch (std::bad_alloc const &) { std::printf("handler ran %d times\n", handled); }
}

static void forms() {
  ::operator delete(::operator new(10));
  ::operator delete(::operator new(11), std::size_t{11});
  ::operator delete[](::operator new[](12));
  ::operator delete[](::operator new[](13), std::size_t{13});
  ::operator delete(::operator new(14, std::nothrow), std::nothrow);
  ::operator delete[](::operator new[](15, std::nothrow), std::nothrow);
  auto a = std::align_val_t{512};
  ::operator delete(::operator new(16, a), a);
  ::operator delete(::operator new(17, a), std::size_t{17}, a);
  ::operator delete[](::operator new[](18, a), a);
  ::operator delete[](::operator new[](19, a), std::size_t{19}, a);
  ::operator delete(::operator new(20, a, std::nothrow), a, std::nothrow);
  ::operator delete[](::operator new[](21, a, std::nothrow), a, std::nothrow);
  ::operator delete(nullptr);
  ::operator delete[](nullptr);
}

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  forms();
  failing();
  Wide *w = new Wide[3];
  std::printf("aligned %d\n", static_cast<int>(reinterpret_cast<std::uintptr_t>(w) % 256 == 0));
  delete[] w;
  delete new Wide;
  std::map<std::string, std::vector<int>> m;
  for (int i = 0; i < 500; i++) m["a key that is too long for the small buffer " + std::to_string(i % 50)].push_back(i);
  std::printf("%zu keys\n", m.size());
}
