// Allocation workloads of the overhead benchmark that need a program of their own.
//   churn map N         N rounds of a map of strings that grows and shrinks
//   churn threads T N   T threads, N blocks each; prints the CPU seconds of this process at the end
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

static void churn_map(long rounds) {
  std::map<std::string, std::vector<std::string>> map;
  unsigned state = 12345;
  for (long i = 0; i < rounds; i++) {
    state = state * 1103515245u + 12345u;
    std::string key = "a key that does not fit into the object " + std::to_string(state >> 18);
    auto &values = map[key];
    values.push_back(key + std::to_string(i));
    if (values.size() > 8) map.erase(key);
  }
  std::printf("%zu\n", map.size());
}

__attribute__((noinline)) static void *leaf(size_t sz) {
  void *p = std::malloc(sz);
  std::memset(p, 1, sz < 64 ? sz : 64);
  return p;
}
__attribute__((noinline)) static void *level(int depth, size_t sz) {
  void *volatile p = depth ? level(depth - 1, sz) : leaf(sz);
  return p;
}
static void churn_blocks(long n, unsigned state) {
  std::deque<void *> live;
  for (long i = 0; i < n; i++) {
    state = state * 1103515245u + 12345u;
    live.push_back(level(static_cast<int>(state >> 28), (state >> 8) % 600 + 1));
    if (live.size() > 100) {
      std::free(live.front());
      live.pop_front();
    }
  }
  for (void *p : live) std::free(p);
}
static void churn_threads(int count, long n) {
  std::vector<std::thread> threads;
  for (int i = 1; i < count; i++)
    threads.emplace_back(churn_blocks, n, 77u + static_cast<unsigned>(i));
  churn_blocks(n, 77);
  for (auto &thread : threads) thread.join();
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto sec = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
  auto usec = static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  std::printf("%.6f\n", sec + usec / 1e6);
}

int main(int argc, char **argv) {
  if (argc > 2 && !std::strcmp(argv[1], "map")) churn_map(std::atol(argv[2]));
  if (argc > 3 && !std::strcmp(argv[1], "threads"))
    churn_threads(std::atoi(argv[2]), std::atol(argv[3]));
  return 0;
}
