// Counts words in a map, and throws at the end.
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

int main() {
  std::map<std::string, int> counts;
  for (int i = 0; i < 3000; i++) counts["a rather long word " + std::to_string(i * 7 % 300)]++;
  auto copy = std::make_unique<std::map<std::string, int>>(counts);
  try {
    throw std::runtime_error(std::to_string(copy->size()) + " words");
  } catch (std::exception const &e) {
    std::puts(e.what());
  }
}
