/* One finding a run, or the healthy twin of one that just does not make it: `planted KIND`. Each kind's place
   is the function of its name; the others keep out of its way. Everything is freed but what grows. */
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>
#include "valtrace/annotate.h"

#define SITE __attribute__((noinline, noclone))
static void *volatile sink;
static void *kept[1 << 16];
static size_t kept_cnt;

static void keep(void *p) { kept[kept_cnt++] = p; }
static void pause_ms(int ms) { usleep(1000 * ms); }

SITE static void grows(size_t sz) { keep(malloc(sz)); }
SITE static void spikes(size_t sz) {
  char *volatile p = static_cast<char *>(malloc(sz));
  sink = p;
  pause_ms(20);
  free(p);
}
SITE static void churns(int n) {
  while (n--) {
    sink = malloc(40);
    free(sink);
  }
}
/* What is allocated after each step lies in the hole that the block has left and behind the block, so that it
   has to move again. It is held for a while: a plateau is no spike. */
SITE static void creeps(size_t sz, size_t step, int steps) {
  void *p = malloc(sz);
  for (int i = 0; i < steps; i++, sz += step) {
    p = realloc(p, sz + step);
    keep(malloc(sz));
    keep(malloc(24));
  }
  pause_ms(100);
  free(p);
}
SITE static void copies(int vectors, bool reserve) {
  for (int k = 0; k < vectors; k++) {
    std::vector<long> v;
    if (reserve) v.reserve(4096);
    for (long i = 0; i < 4096; i++) v.push_back(i);
    sink = v.data();
  }
}
SITE static void loses(bool really) {
  for (int i = 0; i < 20; i++) {
    void *volatile p = malloc(123);
    if (!really) keep(p);
  }
}
SITE static void *foreign() { return malloc(50); }
static void hand_over(int n) {
  std::vector<void *> blocks;
  for (int i = 0; i < n; i++) blocks.push_back(foreign());
  std::thread([&] { for (void *p : blocks) free(p); }).join();
}
SITE static void mismatches(bool wrong) {
  int *volatile p = new int[10];
  if (wrong)
    free(p);
  else
    delete[] p;
}
SITE static void twice(bool wrong) {
  void *volatile p = malloc(2000); /* too large for the thread's cache, whose check would end us */
  void *volatile q = malloc(2000);
  free(p);
  free(q);
  if (wrong) free(p);
}

SITE static void annotated(bool wrong) { /* blocks of a heap of the program's own */
  static char pool[4096];
  vt_heap_create(pool, sizeof pool, VT_HEAP_CUSTOM, "pool", 0, 0);
  vt_block_alloc(pool, pool + 64, 60, 0, 0);
  vt_block_free(pool, pool + 64);
  if (wrong) vt_block_free(pool, pool + 64);
}

SITE static void rings(int n) { /* an old block goes before a new one comes, which is often larger: nothing is copied */
  static void *slots[16];
  for (int i = 0; i < n; i++) {
    free(slots[i % 16]);
    slots[i % 16] = malloc((size_t)(1000 + 500 * (i % 20)));
  }
  for (void *&slot : slots) free(slot);
}

/* Calls f so often, a millisecond apart. */
template <class F> static void over_time(int steps, F f) {
  for (int i = 0; i < steps; i++) {
    f(i);
    pause_ms(1);
  }
}

static long long now_us() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* is_even: is a curve that rose at these times a straight line, as a machine under load draws it? It rises in nearly
   all of 32 parts of the time, by a sixth in none, and no wait was so long that one at the end would count. */
static bool is_even(std::vector<long long> const &at, long long start) {
  long long whole = at.back() - start + 1, longest = 0;
  std::vector<size_t> parts(32);
  for (size_t i = 0; i < at.size(); i++) {
    parts[(at[i] - start) * 32 / whole]++;
    longest = std::max(longest, at[i] - (i ? at[i - 1] : start));
  }
  size_t flat = std::count(parts.begin(), parts.end(), 0u);
  return flat <= 3 && 6 * *std::max_element(parts.begin(), parts.end()) <= at.size() && 16 * longest <= whole;
}

/* Grows for as long as it takes. Its own notes are reserved before. */
static void grow_evenly(size_t sz) {
  static std::vector<long long> at;
  at.reserve(sizeof kept / sizeof *kept);
  long long start = now_us();
  do
    over_time(100, [&](int) { grows(sz), at.push_back(now_us()); });
  while (at.size() < 600 || (at.size() < 60000 && !is_even(at, start)));
}

/* Grows at first, then stays so for three times as long. */
static void settle() {
  long long start = now_us();
  over_time(200, [](int) { grows(900); });
  long long end = now_us() + 3 * (now_us() - start);
  while (now_us() < end) pause_ms(1);
}

SITE static void pins(size_t beside, int n) { /* each keeps a page, when what was beside it is freed */
  static void *large[5000];
  for (int i = 0; i < n; i++) {
    keep(memset(malloc(40), 1, 40));
    large[i] = memset(malloc(beside), 1, beside);
  }
  over_time(300, [](int) {});
  for (int i = 0; i < n; i++) free(large[i]);
}
SITE static void reserves(size_t sz, size_t used) { keep(memset(malloc(sz), 1, used)); }
SITE static void fills(size_t sz) { keep(memset(malloc(sz), 1, sz)); }
SITE static void fills_too(size_t sz) { keep(memset(malloc(sz), 1, sz)); }
static void reserves_among(size_t sz, size_t used) { /* it has not half of the peak */
  fills(2 * sz / 3);
  fills_too(2 * sz / 3);
  reserves(sz, used);
}
SITE static void maps(size_t sz, size_t used) {
  void *p = mmap(0, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(p, sz, MADV_NOHUGEPAGE);
  sink = memset(p, 1, used);
}

int main(int, char **argv) {
  char const *kind = argv[1];
  auto is = [&](char const *name) { return !strcmp(kind, name); };
  if (is("growing")) grow_evenly(300);
  if (is("growing-little")) over_time(600, [](int) { grows(20); });
  if (is("growing-once")) over_time(600, [](int i) { if (i == 300) for (int k = 0; k < 600; k++) grows(300); });
  if (is("growing-settled")) settle();
  if (is("constant")) over_time(600, [](int i) { void *volatile p = malloc(5000 + i % 2); free(p); });
  if (is("spike")) over_time(400, [](int i) { if (i == 200) spikes(4 << 20); });
  if (is("spike-small")) over_time(400, [](int i) { if (i == 200) spikes(900 << 10); });
  if (is("plateau")) { void *volatile p = malloc(4 << 20); over_time(300, [](int) {}); free(p); }
  if (is("peak")) { void *volatile p = malloc(9 << 20); over_time(300, [](int) {}); free(p); }
  if (is("churn")) churns(10000);
  if (is("churn-little")) churns(9900);
  if (is("creeping")) creeps(8192, 64, 130);
  if (is("creeping-doubling")) for (size_t sz = 64; sz < 1 << 18; sz *= 2) { void *p = malloc(sz); sink = p; p = realloc(p, 2 * sz); free(p); }
  if (is("creeping-little")) creeps(8192, 64, 99);
  if (is("copying")) copies(100, false);
  if (is("copying-reserved")) copies(100, true);
  if (is("copying-ring")) rings(4000);
  if (is("foreign-frees")) hand_over(10000);
  if (is("foreign-frees-little")) hand_over(9900);
  if (is("lost") || is("reachable")) loses(is("lost"));
  if (is("mismatch")) mismatches(true);
  if (is("matching")) mismatches(false);
  if (is("wrong-free")) twice(true);
  if (is("right-free")) twice(false);
  size_t mib = 1 << 20;
  if (is("pinned")) pins(3600, 1600);       /* 5.6 MiB of rest */
  if (is("pinned-little")) pins(3600, 1000); /* 3.5 */
  if (is("pinned-dense")) pins(40, 5000);    /* pages are as full as can be */
  if (is("untouched")) reserves_among(17 * mib, 8 * mib);
  if (is("untouched-used")) reserves_among(17 * mib, 9 * mib);
  if (is("untouched-little")) reserves_among(8 * mib, mib);
  if (is("outside")) maps(64 * mib, 9 * mib);
  if (is("outside-little")) maps(64 * mib, 7 * mib);
  if (is("annotated-twice") || is("annotated")) annotated(is("annotated-twice"));
  if (!is("growing") && !is("growing-little") && !is("growing-once") && !is("growing-settled") &&
      !is("reachable") && strncmp(kind, "pinned", 6) && strncmp(kind, "untouched", 9))
    for (size_t i = 0; i < kept_cnt; i++) free(kept[i]);
  _exit(0);
}
