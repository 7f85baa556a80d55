#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include <boost/asio/any_io_executor.hpp>

#include <damson/client.hpp>
#include <damson/types.hpp>

namespace damson::detail {

/// Tells a program's callback which endpoint a mapping has outside. May be called from any thread.
///
/// One call is under way at a time, and what changes meanwhile is told as it is in the end. Holds
/// no executor, because it may outlive its context.
class endpoint_watch : public std::enable_shared_from_this<endpoint_watch> {
 public:
  /// `on_change` must not be empty.
  explicit endpoint_watch(endpoint_handler on_change) : on_change_(std::move(on_change)) {}

  /// Has the callback called on this executor if that changes what was told last.
  void note(const endpoint& external, const boost::asio::any_io_executor& executor);

  /// No call begins any more.
  void end() noexcept { over_ = true; }

 private:
  class call_under_way;

  void post(const boost::asio::any_io_executor& executor);
  void call(const boost::asio::any_io_executor& executor);

  const endpoint_handler on_change_;
  std::atomic<bool> over_{false};
  std::mutex mutex_;
  endpoint now_;   ///< port 0: none
  endpoint told_;  ///< the same
  bool posted_ = false;
};

}  // namespace damson::detail
