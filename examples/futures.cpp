// Opens a TCP port with futures, in a program without an event loop: the client has a thread of its
// own.

#include <csignal>
#include <cstdlib>
#include <exception>
#include <future>
#include <iostream>
#include <utility>

#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>

#include <damson/damson.hpp>

#include "job.hpp"

namespace asio = boost::asio;

int main(int argc, char** argv) try {
  const job work = read_arguments(argc, argv);
  damson::client client{work.options};

  // Closing the client gives the port back, and ends what is waited for below.
  asio::signal_set stop{client.get_executor(), SIGINT, SIGTERM};
  stop.async_wait([&client](const auto& error, int) {
    if (!error) client.async_close(asio::detached);
  });

  // use_future alone would throw the error. The handle that comes with it says more.
  const auto keep_handle = [](const auto&, damson::mapping handle) { return handle; };
  damson::mapping mapping = client.async_map(work.request, asio::use_future(keep_handle)).get();
  if (!mapping) {
    tell_failed(mapping.why());
    return EXIT_FAILURE;
  }
  tell_open(mapping.info());

  if (work.once) {
    tell_removed(std::move(mapping).async_release(asio::use_future).get());
    return EXIT_SUCCESS;
  }
  for (;;) {
    const damson::mapping_event event = mapping.async_next_event(asio::use_future).get();
    tell(event);
    if (event.kind == damson::event_kind::removed) return EXIT_SUCCESS;
  }
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
