// Threads of OpenMP, each with blocks of its own, and a coroutine.
#include <coroutine>
#include <cstdio>
#include <string>
#include <vector>

struct Sequence {
  struct promise_type {
    int value;
    Sequence get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(int v) {
      value = v;
      return {};
    }
    void return_void() {}
    void unhandled_exception() {}
  };
  std::coroutine_handle<promise_type> handle;
};

static Sequence squares(int n) {
  std::string kept(100, 'x');
  for (int i = 0; i < n; i++) co_yield i *i + (int)kept.size();
}

int main() {
  long total = 0;
#pragma omp parallel for reduction(+ : total) num_threads(4)
  for (int i = 0; i < 2000; i++) {
    std::vector<std::string> v(10, std::string(20 + i % 50, 'y'));
    total += (long)v.back().size();
  }
  Sequence s = squares(100);
  while (s.handle.resume(), !s.handle.done()) total += s.handle.promise().value;
  s.handle.destroy();
  std::printf("%ld\n", total);
}
