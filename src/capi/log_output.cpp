#include "capi/log_output.hpp"

#include <cstdio>
#include <string>

namespace damson::capi {

plum_log_level_t to_plum(log_level level) noexcept {
  switch (level) {
    case log_level::trace:
      return PLUM_LOG_LEVEL_VERBOSE;
    case log_level::debug:
      return PLUM_LOG_LEVEL_DEBUG;
    case log_level::info:
      return PLUM_LOG_LEVEL_INFO;
    case log_level::warning:
      return PLUM_LOG_LEVEL_WARN;
    case log_level::error:
      return PLUM_LOG_LEVEL_ERROR;
    case log_level::none:
      break;
  }
  return PLUM_LOG_LEVEL_NONE;
}

bool log_output::shows(log_level level) const noexcept { return to_plum(level) >= level_; }

void write_line(plum_log_callback_t callback, log_level level, std::string_view line) {
  if (callback != nullptr) {
    callback(to_plum(level), std::string{line}.c_str());
    return;
  }
  // In one piece, so that lines of other threads stay apart from it.
  const std::string text = "damson " + std::string{to_string(level)} + ": " + std::string{line};
  static_cast<void>(std::puts(text.c_str()));
  static_cast<void>(std::fflush(stdout));
}

}  // namespace damson::capi
