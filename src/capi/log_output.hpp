#pragma once

#include <atomic>

#include <damson/options.hpp>

#include <plum/plum.h>

namespace damson::capi {

/// Where the lines of the log go, and which of them.
class log_output {
 public:
  /// Any level, at any time, from any thread.
  void set_level(plum_log_level_t level) noexcept { level_ = level; }
  bool shows(log_level level) const noexcept;

 private:
  std::atomic<plum_log_level_t> level_{PLUM_LOG_LEVEL_NONE};
};

plum_log_level_t to_plum(log_level level) noexcept;

/// Hands one line to the callback, or writes it to standard output where that is null.
void write_line(plum_log_callback_t callback, log_level level, std::string_view line);

}  // namespace damson::capi
