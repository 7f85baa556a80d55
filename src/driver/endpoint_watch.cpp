#include "driver/endpoint_watch.hpp"

#include <boost/asio/post.hpp>

namespace damson::detail {

/// Sees to the next call at the end of one, however it ended.
class endpoint_watch::call_under_way {
 public:
  call_under_way(endpoint_watch& of, const boost::asio::any_io_executor& executor)
      : of_(of), executor_(executor) {}
  call_under_way(const call_under_way&) = delete;
  call_under_way& operator=(const call_under_way&) = delete;
  ~call_under_way() {
    const std::lock_guard lock{of_.mutex_};
    of_.posted_ = false;
    try {
      if (of_.now_ != of_.told_) of_.post(executor_);
    } catch (...) {
      // Without memory it is told with the next change.
      return;
    }
  }

 private:
  endpoint_watch& of_;
  const boost::asio::any_io_executor& executor_;
};

void endpoint_watch::note(const endpoint& external, const boost::asio::any_io_executor& executor) {
  const std::lock_guard lock{mutex_};
  now_ = external;
  if (now_ != told_ && !posted_) post(executor);
}

void endpoint_watch::post(const boost::asio::any_io_executor& executor) {
  boost::asio::post(executor, [self = shared_from_this(), executor] { self->call(executor); });
  posted_ = true;
}

void endpoint_watch::call(const boost::asio::any_io_executor& executor) {
  endpoint next;
  {
    const std::lock_guard lock{mutex_};
    if (now_ == told_) {
      posted_ = false;
      return;
    }
    next = told_ = now_;
  }
  if (over_) return;
  const call_under_way guard{*this, executor};
  on_change_(next);
}

}  // namespace damson::detail
