#pragma once

#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>

#include <damson/options.hpp>

namespace damson {

/// Lines longer than this are cut, and end in "..." then.
inline constexpr std::size_t log_line_bytes = 500;

/// `text` with everything but printable ASCII written as \n, \r, \t or \xHH (and the backslash as
/// \\), in at most `log_line_bytes` bytes: what a router sends can neither forge a line nor steer a
/// terminal.
std::string printable(std::string_view text);

/// Gives lines to the program's sink. Nothing is concatenated that nobody will see.
class logger {
 public:
  logger() = default;
  /// Lines below `level` are not made. An empty sink takes none.
  logger(log_level level, log_sink sink);

  bool enabled(log_level level) const noexcept {
    return sink_ && level != log_level::none && level >= level_;
  }

  /// One line, made printable.
  void write(log_level level, std::string_view text) const;

  /// One line out of everything that an std::ostream takes.
  template <class... Parts>
  void log(log_level level, const Parts&... parts) const {
    if (!enabled(level)) return;
    std::ostringstream text;
    (text << ... << parts);
    write(level, text.view());
  }

 private:
  log_level level_ = log_level::none;
  log_sink sink_;
};

}  // namespace damson
