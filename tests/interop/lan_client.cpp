#include "lan_client.hpp"

#include <gtest/gtest.h>

#include <future>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <damson/client.hpp>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Starts an operation and waits for its error code and result.
template <class T, class Start>
std::pair<damson::error_code, T> within_limit(std::string_view what, Start&& start) {
  auto answer = std::make_shared<std::promise<std::pair<damson::error_code, T>>>();
  start([answer](damson::error_code error, T result) {
    answer->set_value({error, std::move(result)});
  });
  auto future = answer->get_future();
  if (future.wait_for(30s) != std::future_status::ready) {
    throw lab::error("nothing came of " + std::string(what) + " within thirty seconds");
  }
  return future.get();
}

}  // namespace

damson::options with_log(damson::options opts) {
  if (lab::environment_flag("DAMSON_VERBOSE")) {
    opts.level = damson::log_level::debug;
    opts.log = [](damson::log_level level, std::string_view line) {
      std::cerr << "damson: " << to_string(level) << ": " << line << '\n';
    };
  }
  return opts;
}

class lan_client::loop {
 public:
  loop(const lab::network& net, const damson::options& opts)
      : client(context, with_log(opts)),
        thread(lab::in_background(net.lan(), [this] { context.run(); })) {}
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;
  ~loop() {
    auto closed = client.async_close(asio::use_future);
    EXPECT_EQ(closed.wait_for(30s), std::future_status::ready) << "the client does not close";
    work.reset();
  }

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  damson::client client;
  damson::mapping mapping;
  std::jthread thread;
};

lan_client::lan_client(const lab::network& net, const damson::options& opts)
    : loop_(std::make_unique<loop>(net, opts)) {}

lan_client::~lan_client() = default;

std::optional<damson::failure> lan_client::map(const damson::map_request& request) {
  auto [error, mapping] = within_limit<damson::mapping>(
      "async_map", [&](auto handler) { loop_->client.async_map(request, std::move(handler)); });
  if (error) return mapping.why();
  loop_->mapping = std::move(mapping);
  lab::note("mapped: " + to_string(info().external) + " through " +
            std::string(to_string(info().protocol)));
  return std::nullopt;
}

damson::mapping_info lan_client::info() const { return loop_->mapping.info(); }

std::vector<damson::mapping_part> lan_client::parts() const { return loop_->mapping.parts(); }

lab::endpoint lan_client::external() const {
  return lab::endpoint::parse(to_string(info().external));
}

damson::mapping_event lan_client::next_event() {
  auto [error, event] = within_limit<damson::mapping_event>("async_next_event", [&](auto handler) {
    loop_->mapping.async_next_event(std::move(handler));
  });
  if (error) throw lab::error("no event: " + error.message());
  return event;
}

damson::removal lan_client::release() {
  auto [error, how] = within_limit<damson::removal>("async_release", [&](auto handler) {
    std::move(loop_->mapping).async_release(std::move(handler));
  });
  if (error) throw lab::error("no release: " + error.message());
  return how;
}
