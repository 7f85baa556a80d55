#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include <plum/plum.h>

#include "capi/id_source.hpp"
#include "capi/log_output.hpp"
#include "capi/session.hpp"

namespace damson::capi {

/// What there is one of in the process: whether the library is started, ids, and the log level.
///
/// Never destroyed, and with it the client that is there when the process exits: its thread may be
/// in the middle of anything then.
class library {
 public:
  static library& instance();
  library(const library&) = delete;
  library& operator=(const library&) = delete;

  /// False where it is started already, or not stopped yet. The lines of the log go to `sink`
  /// (null: standard output) from `level` on.
  bool start(session_options opts, plum_log_level_t level, plum_log_callback_t sink);
  /// False where it is not started, is being stopped, or the caller is a callback.
  bool stop();

  /// Null where it is not started; not null while it is being stopped.
  std::shared_ptr<session> current() const;

  std::optional<int> next_id() noexcept { return ids_.next(); }
  void set_log_level(plum_log_level_t level) noexcept { log_.set_level(level); }

 private:
  enum class stage : std::uint8_t { stopped, started, stopping };

  library() = default;
  ~library() = default;

  id_source ids_;
  log_output log_;
  mutable std::mutex mutex_;
  stage stage_ = stage::stopped;
  std::shared_ptr<session> session_;
};

}  // namespace damson::capi
