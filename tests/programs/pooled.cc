// Allocates with operator new on whatever provides it: first a block of malloc's size, then 1,000
// small ones of which ten live on, then larger ones.
#include <cstdio>
#include <new>

struct Small {
  long words[6];
};
struct Large {
  char bytes[300];
};
struct Huge {
  char bytes[3000];
};

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  delete new Large;
  Small *small[1000];
  for (auto &p : small) p = new Small;
  for (auto &p : small)
    if (&p - small >= 10) delete p;
  for (int i = 0; i < 100; i++) {
    delete new Huge;
    delete new Large;
    delete new Small;
  }
  std::printf("%d\n", static_cast<int>(sizeof small / sizeof *small));
}
