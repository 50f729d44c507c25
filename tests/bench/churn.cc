// Allocation workloads of the overhead benchmark that need a program of their own.
//   churn map N         N rounds of a map of strings that grows and shrinks
//   churn pairs T N     T threads in pairs: N blocks of 64 bytes from one to the other; CPU seconds, too
//   churn threads T N   T threads, N blocks each; prints the CPU seconds of this process at the end
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
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
static void print_cpu();

static void churn_threads(int count, long n) {
  std::vector<std::thread> threads;
  for (int i = 1; i < count; i++)
    threads.emplace_back(churn_blocks, n, 77u + static_cast<unsigned>(i));
  churn_blocks(n, 77);
  for (auto &thread : threads) thread.join();
  print_cpu();
}

static void print_cpu() {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto sec = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
  auto usec = static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  std::printf("%.6f\n", sec + usec / 1e6);
}

/* A queue between a thread that allocates and one that frees. */
struct Queue {
  static constexpr int cap = 64;
  std::mutex mutex;
  std::condition_variable room, filled;
  std::deque<void *> blocks;

  void put(void *p) {
    std::unique_lock<std::mutex> lock(mutex);
    room.wait(lock, [this] { return blocks.size() < cap; });
    blocks.push_back(p);
    if (blocks.size() == 1) filled.notify_one();
  }
  void *take() {
    std::unique_lock<std::mutex> lock(mutex);
    filled.wait(lock, [this] { return !blocks.empty(); });
    void *p = blocks.front();
    blocks.pop_front();
    if (blocks.size() == cap - 1) room.notify_one();
    return p;
  }
};

static void churn_pairs(size_t count, long n) {
  std::vector<Queue> queues(count / 2);
  std::vector<std::thread> threads;
  for (auto &queue : queues) {
    threads.emplace_back([&queue, n] {
      for (long i = 0; i < n; i++) queue.put(std::malloc(64));
    });
    threads.emplace_back([&queue, n] {
      for (long i = 0; i < n; i++) std::free(queue.take());
    });
  }
  for (auto &thread : threads) thread.join();
  print_cpu();
}

int main(int argc, char **argv) {
  if (argc > 2 && !std::strcmp(argv[1], "map")) churn_map(std::atol(argv[2]));
  if (argc > 3 && !std::strcmp(argv[1], "threads"))
    churn_threads(std::atoi(argv[2]), std::atol(argv[3]));
  if (argc > 3 && !std::strcmp(argv[1], "pairs"))
    churn_pairs(static_cast<size_t>(std::atol(argv[2])), std::atol(argv[3]));
  return 0;
}
