// Opens a TCP port on the router, shows it for a while, and gives it back.
//   port_mapping [PORT [SECONDS]]     (8080 for 60 s; Ctrl-C ends it earlier)

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <damson/damson.hpp>

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

asio::awaitable<int> show(std::uint16_t port, std::chrono::seconds pause) {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  const auto executor = co_await asio::this_coro::executor;
  asio::signal_set stop{executor, SIGINT, SIGTERM};
  damson::client client{executor};

  const damson::map_request request{.transport = damson::transport::tcp, .internal_port = port};
  auto first = co_await (client.async_map(request, token) || stop.async_wait(token));
  if (first.index() == 1)
    co_return EXIT_FAILURE;  // what the router may grant yet is given back by the client

  auto [error, mapping] = std::get<0>(std::move(first));
  if (error) {
    std::cerr << damson::to_string(mapping.why()) << '\n';
    co_return EXIT_FAILURE;
  }
  const damson::mapping_info info = mapping.info();
  std::cout << info.internal << " is " << info.external << " outside, through " << info.protocol
            << ".\nThe router's page should list it now.\n"
            << std::flush;

  asio::steady_timer timer{executor, pause};
  co_await (timer.async_wait(token) || stop.async_wait(token));

  const auto [release_error, how] = co_await std::move(mapping).async_release(token);
  std::cout << damson::to_string(how) << '\n';
  co_return release_error ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::span words{argv, static_cast<std::size_t>(argc)};
  const int port = words.size() > 1 ? std::stoi(words[1]) : 8080;
  const int seconds = words.size() > 2 ? std::stoi(words[2]) : 60;
  if (port < 1 || port > 65'535) throw std::out_of_range{"PORT must be 1 to 65535"};
  asio::io_context io;
  int status = EXIT_FAILURE;
  asio::co_spawn(io, show(static_cast<std::uint16_t>(port), std::chrono::seconds{seconds}),
                 [&](const std::exception_ptr& error, int result) {
                   if (error) std::rethrow_exception(error);
                   status = result;
                 });
  io.run();
  return status;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
