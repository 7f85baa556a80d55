#include "text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace damson::cli {

std::string printable(std::string_view text) {
  std::string out{text};
  std::ranges::replace_if(
      out,
      [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
      },
      '?');
  return out;
}

std::string short_duration(std::chrono::nanoseconds duration) {
  const double milliseconds = std::chrono::duration<double, std::milli>(duration).count();
  const bool in_seconds = milliseconds >= 999.5;
  const double value = in_seconds ? milliseconds / 1000 : milliseconds;
  // Where rounding adds a digit, one decimal less.
  const int decimals = value < 0.9995 ? 3 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f %s", decimals, value, in_seconds ? "s" : "ms");
  return text.data();
}

}  // namespace damson::cli
