#pragma once

#include <cstdint>
#include <utility>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace damson::driver {

/// Tells waits apart where one object is waited for again and again, so that a cancellation which
/// comes late does not hit the next wait.
enum class wait_ticket : std::uint64_t {};

template <class Signature>
class pending_operation;

/// A handler that waits for its completion. Holds work on the executor that it will run on.
///
/// Move-constructible only: any_completion_handler of Boost 1.81 does not survive move assignment,
/// and takes copies for conversions.
template <class... Args>
class pending_operation<void(Args...)> {
 public:
  using handler_type = boost::asio::any_completion_handler<void(Args...)>;

  /// `executor` is the one for handlers that have none of their own.
  pending_operation(handler_type handler, const boost::asio::any_io_executor& executor)
      : executor_(executor),
        work_(boost::asio::make_work_guard(handler, executor)),
        handler_(std::move(handler)) {}
  pending_operation(pending_operation&&) noexcept = default;
  pending_operation(const pending_operation&) = delete;
  pending_operation& operator=(pending_operation&&) = delete;
  pending_operation& operator=(const pending_operation&) = delete;
  ~pending_operation() = default;

  /// Has the handler called on its executor, never from here.
  void complete(Args... args) && {
    boost::asio::post(executor_, boost::asio::append(std::move(handler_), std::move(args)...));
    work_.reset();
  }

 private:
  boost::asio::any_io_executor executor_;
  boost::asio::executor_work_guard<boost::asio::any_completion_executor> work_;
  handler_type handler_;
};

}  // namespace damson::driver
