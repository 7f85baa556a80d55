#include "sim/socket_router.hpp"

#include <future>
#include <random>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include "sim/socket_endpoint.hpp"

namespace damson::sim {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

ip_address any_loopback_address() {
  std::random_device random;
  std::uniform_int_distribution<unsigned> byte{1, 254};
  const auto next = [&] { return static_cast<std::uint8_t>(byte(random)); };
  return ip_address{ip_address::v4_bytes{127, next(), next(), next()}};
}

/// Its descriptions name the port, so it has to be known before the router starts.
std::uint16_t free_tcp_port(asio::io_context& io, const ip_address& address) {
  const endpoint any{address, 0};
  boost::system::error_code error;
  tcp::acceptor probe{io};
  std::ignore = probe.open(to_asio<tcp>(any).protocol(), error);
  if (!error) std::ignore = probe.bind(to_asio<tcp>(any), error);
  if (error) throw std::system_error(error, "TCP port " + to_string(any));
  return probe.local_endpoint().port();
}

}  // namespace

socket_router::socket_router(const profile& how, const router_settings& settings) {
  constexpr int tries = 16;
  for (int i = 1; !gateway_; ++i) {
    address_ = settings.address.value_or(any_loopback_address());
    try {
      start(how, settings);
    } catch (const std::system_error& error) {
      const bool is_taken = error.code() == std::errc::address_in_use;
      if (settings.address || !is_taken || i == tries) throw;
    }
  }
  thread_ = std::thread{[this] { io_.run(); }};
}

void socket_router::start(profile how, const router_settings& settings) {
  if (how.upnp.http_port == 0) how.upnp.http_port = free_tcp_port(io_, address_);
  const auto on_event = [this, tell = settings.on_event] {
    {
      const std::scoped_lock lock{mutex_};
      ++events_;
    }
    happened_.notify_all();
    if (tell) tell();
  };
  gateway_ = std::make_unique<socket_gateway>(
      io_.get_executor(),
      gateway{how, address_, settings.public_address, socket_gateway::now() - settings.uptime},
      socket_settings{.mapping_port = settings.mapping_port,
                      .joins_group = settings.joins_group,
                      .on_event = on_event});
}

// A router that cannot be stopped ends the program, as it should.
// NOLINTNEXTLINE(bugprone-exception-escape)
socket_router::~socket_router() {
  asio::post(io_, [this] { gateway_.reset(); });
  work_.reset();
  thread_.join();
}

std::vector<nat_rule> socket_router::rules() {
  std::vector<nat_rule> out;
  run([&](socket_gateway& router) { out = router.model().rules(); });
  return out;
}

std::vector<complaint> socket_router::complaints() {
  std::vector<complaint> out;
  run([&](socket_gateway& router) { out = router.model().complaints(); });
  return out;
}

void socket_router::change(const std::function<void(gateway&, time_point now)>& what) {
  run([&](socket_gateway& router) { router.change(what); });
}

void socket_router::run(const std::function<void(socket_gateway&)>& what) {
  std::packaged_task<void()> task{[&] { what(*gateway_); }};
  std::future<void> done = task.get_future();
  asio::post(io_, std::move(task));
  done.get();
}

bool socket_router::wait_until(clock::time_point deadline, const std::function<bool()>& condition) {
  while (true) {
    std::unique_lock lock{mutex_};
    const std::uint64_t seen = events_;
    lock.unlock();
    if (condition()) return true;
    lock.lock();
    if (!happened_.wait_until(lock, deadline, [&] { return events_ != seen; })) return false;
  }
}

}  // namespace damson::sim
