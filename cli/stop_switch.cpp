#include "stop_switch.hpp"

#include <csignal>
#include <cstdlib>

#include "exit_code.hpp"
#include "terminal.hpp"

namespace damson::cli {
namespace {

bool is_ignored(int signal) {
  const auto old = std::signal(signal, SIG_IGN);
  static_cast<void>(std::signal(signal, old));
  return old == SIG_IGN;
}

}  // namespace

stop_switch::stop_switch(const boost::asio::any_io_executor& executor)
    : signals_(executor, SIGINT, SIGTERM) {
  if (!is_ignored(SIGHUP)) {
    signals_.add(SIGHUP);
  }
  wait();
}

void stop_switch::wait() {
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) {
      return;
    }
    if (pulled_) {
      write_line(
          stream::err,
          "damson: interrupted twice: what is on the router stays there until its lease ends. "
          "Try: a single interrupt, which takes 2 s at most");
      std::_Exit(exit_failed);
    }
    pulled_ = true;
    wait();
    cancel_.emit(boost::asio::cancellation_type::terminal);
  });
}

}  // namespace damson::cli
