// Opens a TCP port in a coroutine.

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <utility>
#include <variant>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <damson/damson.hpp>

#include "job.hpp"

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

asio::awaitable<int> keep_port_open(job work) {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  const auto executor = co_await asio::this_coro::executor;
  asio::signal_set stop{executor, SIGINT, SIGTERM};
  damson::client client{executor, work.options};

  auto first = co_await (client.async_map(work.request, token) || stop.async_wait(token));
  if (first.index() == 1)
    co_return EXIT_FAILURE;  // what the router may grant yet is given back by the client

  auto [error, mapping] = std::get<0>(std::move(first));
  if (error) {
    tell_failed(mapping.why());
    co_return EXIT_FAILURE;
  }
  tell_open(mapping.info());

  while (!work.once) {
    const auto next = co_await (mapping.async_next_event(token) || stop.async_wait(token));
    if (next.index() == 1) break;
    const auto& [next_error, event] = std::get<0>(next);
    if (next_error) break;
    tell(event);
  }

  const auto [release_error, how] = co_await std::move(mapping).async_release(token);
  tell_removed(how);
  co_return release_error ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) try {
  const job work = read_arguments(argc, argv);
  asio::io_context io;
  int status = EXIT_FAILURE;
  asio::co_spawn(io, keep_port_open(work), [&](const std::exception_ptr& error, int result) {
    if (error) std::rethrow_exception(error);
    status = result;
  });
  io.run();
  return status;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
