// A header-heavy file for the compiler to chew on: the overhead benchmark compiles it.
#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct Stage {
  std::map<std::string, std::vector<std::variant<int, double, std::string>>> table;
  std::unordered_map<int, std::shared_ptr<Stage<N - 1>>> next;
  std::string run(std::string const &text) {
    std::regex const pattern("(\\w+)-(\\d+)");
    std::smatch match;
    if (std::regex_search(text, match, pattern)) table[match[1]].push_back(N);
    auto child = std::make_shared<Stage<N - 1>>();
    next[N] = child;
    std::ostringstream out;
    out << N << child->run(text);
    return out.str();
  }
};
template <> struct Stage<0> {
  std::string run(std::string const &text) { return text; }
};

int main() {
  Stage<8> stage;
  std::vector<std::function<int(int)>> functions;
  for (int i = 0; i < 3; i++) functions.emplace_back([i](int x) { return x + i; });
  std::cout << stage.run("a-1") << functions[0](1) << "\n";
}
