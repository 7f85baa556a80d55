// damson_bench [NAME]: all benchmarks, or one.

#include <array>
#include <cstddef>
#include <exception>
#include <iostream>
#include <span>
#include <string_view>
#include <utility>

#include "benchmarks.hpp"

namespace {

struct benchmark {
  std::string_view name;
  void (*run)();
};

constexpr std::array benchmarks{benchmark{"simulated-day", damson::bench::simulated_day}};

int run(std::string_view wanted) {
  bool found = false;
  for (const benchmark& each : benchmarks) {
    if (!wanted.empty() && wanted != each.name) continue;
    found = true;
    each.run();
  }
  if (found) return 0;
  std::cerr << "damson_bench: there is no benchmark '" << wanted << "'\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::span words{argv, static_cast<std::size_t>(argc)};
    return run(words.size() > 1 ? words[1] : "");
  } catch (const std::exception& error) {
    std::cerr << "damson_bench: " << error.what() << '\n';
    return 1;
  }
}
