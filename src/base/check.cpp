#include "base/check.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace damson {

void assertion_failed(const char* file, int line, const char* text) noexcept {
  std::array<char, 512> message{};
  const int length = std::snprintf(message.data(), message.size(), "%s:%d: %s\n", file, line, text);
  // One write, so that lines of several threads stay whole.
  if (length > 0) {
    const auto bytes = static_cast<std::size_t>(length);
    static_cast<void>(std::fwrite(message.data(), 1,
                                  bytes < message.size() ? bytes : message.size() - 1, stderr));
  }
  std::abort();
}

}  // namespace damson
