#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

namespace damson::detail {

/// An io_context and the one thread that runs it.
class own_thread {
 public:
  /// Throws std::system_error when the system has no thread to give. Signals are left to the
  /// program's other threads.
  own_thread();
  own_thread(const own_thread&) = delete;
  own_thread& operator=(const own_thread&) = delete;
  /// Ends the thread after the handler that is being run.
  ~own_thread();

  boost::asio::io_context::executor_type executor() { return context_.get_executor(); }

  /// Whether the caller runs on it.
  bool is_current() const noexcept { return thread_.get_id() == std::this_thread::get_id(); }

  /// Lets everything run that was posted until now, and what comes of that for no longer than
  /// `grace`; then ends the thread. Not to be called on it.
  void finish(std::chrono::milliseconds grace) noexcept;

 private:
  void run();

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      context_.get_executor()};
  std::atomic<bool> finishing_{false};
  std::promise<void> ended_;
  std::thread thread_;
};

}  // namespace damson::detail
