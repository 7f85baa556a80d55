// Opens a TCP port with callbacks on an io_context.

#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <damson/damson.hpp>

#include "job.hpp"

namespace asio = boost::asio;

namespace {

/// Handlers run in `io.run()`, one after the other, so that nothing here needs a lock.
class port_keeper {
 public:
  port_keeper(asio::io_context& io, const job& work)
      : work_(work), stop_(io, SIGINT, SIGTERM), client_(io, work.options) {}

  void start() {
    stop_.async_wait([this](const auto& error, int) {
      if (!error) give_back();
    });
    client_.async_map(work_.request, std::bind_front(&port_keeper::on_mapped, this));
  }

  int status() const { return status_; }

 private:
  void on_mapped(const damson::error_code& error, damson::mapping mapping) {
    if (error) {
      tell_failed(mapping.why());
      stop_.cancel();
      return;
    }
    mapping_ = std::move(mapping);
    tell_open(mapping_.info());
    if (work_.once) return give_back();
    wait_for_change();
  }

  void wait_for_change() {
    mapping_.async_next_event([this](const auto& error, const damson::mapping_event& event) {
      // `removed` is told by the release.
      if (error || event.kind == damson::event_kind::removed) return;
      tell(event);
      wait_for_change();
    });
  }

  void give_back() {
    stop_.cancel();
    std::move(mapping_).async_release([this](const auto& error, damson::removal how) {
      if (error) {  // nothing was open yet; async_map is still at work
        client_.async_close([](const auto&) {});
        return;
      }
      tell_removed(how);
      status_ = EXIT_SUCCESS;
    });
  }

  const job& work_;
  asio::signal_set stop_;
  damson::client client_;
  damson::mapping mapping_;
  int status_ = EXIT_FAILURE;
};

}  // namespace

int main(int argc, char** argv) try {
  const job work = read_arguments(argc, argv);
  asio::io_context io;
  port_keeper keeper{io, work};
  keeper.start();
  io.run();
  return keeper.status();
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
