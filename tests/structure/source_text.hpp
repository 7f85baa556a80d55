#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace damson::structure {

/// One `#include` line. `name` is what stands between the brackets or quotes, and empty when the
/// line names its header through a macro.
struct include_directive {
  std::size_t line = 0;
  bool quoted = false;
  std::string name;

  bool operator==(const include_directive&) const = default;
};

/// C++ source with comments turned into spaces. Line breaks stay, so line numbers hold.
std::string without_comments(std::string_view text);

/// The same, with the insides of string and character literals turned into spaces as well.
std::string code_only(std::string_view text);

/// Every `#include` of C++ source, also those in branches that the preprocessor would leave out.
std::vector<include_directive> includes_of(std::string_view text);

/// The number, from 1, of the line that holds `offset`.
std::size_t line_at(std::string_view text, std::size_t offset);

}  // namespace damson::structure
