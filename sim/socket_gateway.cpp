#include "sim/socket_gateway.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

namespace damson::sim {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

namespace {

/// The host's own clock stands still while it is suspended; a router on the same host does too
/// then.
using host_clock = std::chrono::steady_clock;

udp::endpoint to_asio(const endpoint& where) {
  if (where.address.is_v4()) return {asio::ip::address_v4{where.address.to_v4()}, where.port};
  return {asio::ip::address_v6{where.address.to_v6(), where.address.scope()}, where.port};
}

endpoint from_asio(const udp::endpoint& where) {
  if (where.address().is_v4())
    return {ip_address{where.address().to_v4().to_bytes()}, where.port()};
  const auto v6 = where.address().to_v6();
  return {ip_address{v6.to_bytes(), static_cast<std::uint32_t>(v6.scope_id())}, where.port()};
}

}  // namespace

class socket_gateway::server : public std::enable_shared_from_this<server> {
 public:
  server(const asio::any_io_executor& executor, gateway model)
      : model_(std::move(model)), socket_(executor), timer_(executor) {
    const udp::endpoint here = to_asio({model_.lan_address(), server_port});
    socket_.open(here.protocol());
    if (here.address().is_v4())
      socket_.set_option(asio::ip::multicast::outbound_interface{here.address().to_v4()});
    socket_.bind(here);
    socket_.non_blocking(true);
  }

  void start() {
    receive();
    tell_and_wait();
  }

  void stop() {
    error_code ignored;
    std::ignore = socket_.close(ignored);
    timer_.cancel(ignored);
  }

  gateway& model() noexcept { return model_; }

  /// Sends what is due now, and comes back when more is.
  void tell_and_wait() {
    send(model_.advance(now()));
    const auto deadline = model_.deadline();
    if (!deadline) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(host_clock::time_point{
        std::chrono::duration_cast<host_clock::duration>(deadline->time_since_epoch())});
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error && self->socket_.is_open()) self->tell_and_wait();
    });
  }

 private:
  void receive() {
    socket_.async_receive_from(
        asio::buffer(buffer_), from_,
        [self = shared_from_this()](const error_code& error, std::size_t length) {
          self->received(error, length);
        });
  }

  void received(const error_code& error, std::size_t length) {
    if (!socket_.is_open()) return;
    if (!error) {
      const auto content = std::span{buffer_}.first(length);
      const endpoint here{model_.lan_address(), server_port};
      send(model_.handle(now(), {from_asio(from_), here, {content.begin(), content.end()}}));
      tell_and_wait();
    }
    receive();
  }

  /// What does not go out is lost, as on any network.
  void send(const std::vector<datagram>& all) {
    for (const auto& one : all) {
      error_code ignored;
      socket_.send_to(asio::buffer(one.bytes), to_asio(one.to), 0, ignored);
    }
  }

  gateway model_;
  udp::socket socket_;
  asio::steady_timer timer_;
  udp::endpoint from_;
  std::array<std::byte, 2'048> buffer_{};
};

socket_gateway::socket_gateway(const asio::any_io_executor& executor, gateway model)
    : server_(std::make_shared<server>(executor, std::move(model))) {
  server_->start();
}

socket_gateway::~socket_gateway() { server_->stop(); }

time_point socket_gateway::now() {
  return time_point{std::chrono::nanoseconds{host_clock::now().time_since_epoch()}};
}

const gateway& socket_gateway::model() const noexcept { return server_->model(); }

void socket_gateway::change(const std::function<void(gateway&, time_point now)>& what) {
  what(server_->model(), now());
  server_->tell_and_wait();
}

}  // namespace damson::sim
