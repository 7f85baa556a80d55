#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace damson::cli {

/// The text with every control character, which could move a terminal's cursor or break a line, as
/// '?'.
std::string printable(std::string_view text);

/// "0.437 ms", "12.3 ms", "1.24 s", "310 s": three digits that count.
std::string short_duration(std::chrono::nanoseconds duration);

}  // namespace damson::cli
