#include "driver/own_thread.hpp"

#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): pthread_sigmask is in no other

#include <boost/asio/post.hpp>

namespace damson::detail {

namespace {

/// Has the threads that are made meanwhile leave signals to others.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

own_thread::own_thread() {
  const signals_blocked meanwhile;
  thread_ = std::thread{[this] { run(); }};
}

own_thread::~own_thread() {
  if (!thread_.joinable()) return;
  finishing_ = true;
  context_.stop();
  thread_.join();
}

void own_thread::run() {
  // The program can stop the context through the executor, but not take the thread away.
  for (context_.run(); !finishing_; context_.run()) context_.restart();
  ended_.set_value();
}

void own_thread::finish(std::chrono::milliseconds grace) noexcept {
  try {
    std::promise<void> reached;
    boost::asio::post(context_, [&reached] { reached.set_value(); });
    reached.get_future().wait();
    finishing_ = true;
    work_.reset();
    ended_.get_future().wait_for(grace);
  } catch (...) {
    // Without memory for that, what was posted goes without having run.
  }
  finishing_ = true;
  context_.stop();
  thread_.join();
}

}  // namespace damson::detail
