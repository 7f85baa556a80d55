#include "capi/library.hpp"

#include <string_view>
#include <utility>

#include "capi/callbacks.hpp"

namespace damson::capi {

library& library::instance() {
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): see above
  static library& only = *new library;
  return only;
}

bool library::start(session_options opts, plum_log_level_t level, plum_log_callback_t sink) {
  const std::lock_guard lock{mutex_};
  if (stage_ != stage::stopped) return false;
  end_callbacks_at_exit();
  log_.set_level(level);
  // The level may be changed later, so all lines are made.
  opts.client.level = log_level::trace;
  opts.client.log = [this, sink](log_level line_level, std::string_view line) {
    if (log_.shows(line_level)) call_back([&] { write_line(sink, line_level, line); });
  };
  session_ = session::start(opts);
  stage_ = stage::started;
  return true;
}

bool library::stop() {
  if (in_callback()) return false;
  {
    const std::lock_guard lock{mutex_};
    if (stage_ != stage::started) return false;
    stage_ = stage::stopping;
  }
  resume_callbacks();
  session_->stop();
  const std::lock_guard lock{mutex_};
  session_.reset();
  stage_ = stage::stopped;
  return true;
}

std::shared_ptr<session> library::current() const {
  const std::lock_guard lock{mutex_};
  return session_;
}

}  // namespace damson::capi
