#include "test_router.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <future>
#include <random>
#include <utility>

namespace damson::cli {
namespace {

constexpr ip_address public_address{ip_address::v4_bytes{198, 51, 100, 7}};

}  // namespace

ip_address fresh_loopback_address() {
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<unsigned> byte{1, 254};
  const auto next = [&] { return static_cast<std::uint8_t>(byte(random)); };
  return ip_address{ip_address::v4_bytes{127, next(), next(), next()}};
}

test_router::test_router(const sim::profile& how) {
  while (!gateway_) {
    address_ = fresh_loopback_address();
    try {
      gateway_ = std::make_unique<sim::socket_gateway>(
          context_.get_executor(),
          sim::gateway{how, address_, public_address, sim::socket_gateway::now()});
    } catch (const boost::system::system_error& error) {
      if (error.code() != boost::asio::error::address_in_use) {
        throw;
      }
    }
  }
  thread_ = std::thread{[this] { context_.run(); }};
}

// A router that cannot be stopped ends the test run, as it should.
// NOLINTNEXTLINE(bugprone-exception-escape)
test_router::~test_router() {
  boost::asio::post(context_, [this] { gateway_.reset(); });
  work_.reset();
  thread_.join();
}

std::vector<sim::nat_rule> test_router::rules() {
  std::vector<sim::nat_rule> out;
  run_inside([&] { out = gateway_->model().rules(); });
  return out;
}

void test_router::change(const std::function<void(sim::gateway&, time_point now)>& what) {
  run_inside([&] { gateway_->change(what); });
}

void test_router::run_inside(const std::function<void()>& what) {
  std::packaged_task<void()> task{what};
  std::future<void> done = task.get_future();
  boost::asio::post(context_, std::move(task));
  done.get();
}

silent_router::silent_router()
    : socket_(context_, {boost::asio::ip::address_v4{address_.to_v4()}, sim::server_port}) {}

}  // namespace damson::cli
