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
  // From each of these on, rounding adds a digit before the point, and one less comes after it.
  constexpr std::array limits{0.9995, 9.995, 99.95};
  const auto decimals =
      3 - static_cast<int>(std::ranges::count_if(limits, [&](double l) { return value >= l; }));
  std::array<char, 64> text{};
  static_cast<void>(
      std::snprintf(text.data(), text.size(), "%.*f %s", decimals, value, in_seconds ? "s" : "ms"));
  return text.data();
}

}  // namespace damson::cli
