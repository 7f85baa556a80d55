#include "sim/socket_gateway.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>

#include "sim/socket_datagrams.hpp"
#include "sim/socket_endpoint.hpp"
#include "sim/socket_web_server.hpp"

namespace damson::sim {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;
using boost::system::system_error;

namespace {

/// The host's own clock stands still while it is suspended; a router on the same host does too
/// then.
using host_clock = std::chrono::steady_clock;

}  // namespace

class socket_gateway::server : public std::enable_shared_from_this<server> {
 public:
  server(asio::any_io_executor executor, gateway model)
      : executor_(std::move(executor)),
        model_(std::move(model)),
        web_(executor_, [this](const endpoint& from,
                               std::string_view request) { return visited(from, request); }),
        timer_(executor_) {
    listen();
  }

  void stop() {
    for (auto* const port : {&mapping_port_, &search_port_, &group_}) port->reset();
    web_.close();
    error_code ignored;
    timer_.cancel(ignored);
    stopped_ = true;
  }

  gateway& model() noexcept { return model_; }

  /// Has all ports that the model now wants.
  void listen() {
    const profile& how = model_.behaviour();
    const bool port_is_there = how.speaks_pcp || how.speaks_nat_pmp || !how.closed_port_refuses;
    if (port_is_there && !mapping_port_) mapping_port_ = open(server_port, false);
    if (!how.speaks_upnp) {
      search_port_.reset();
      group_.reset();
      web_.close();
      web_start_ = 0;
      return;
    }
    if (!search_port_) search_port_ = open(ssdp_port, true);
    if (!group_) {
      error_code ignored;  // clients that search with unicast find it all the same
      group_ = socket_datagrams::join(executor_, {ssdp_group, ssdp_port}, model_.lan_address(),
                                      receiver(), ignored);
    }
    if (web_start_ != model_.upnp().boot_id()) listen_for_requests();
  }

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
      if (!error && !self->stopped_) self->tell_and_wait();
    });
  }

 private:
  socket_datagrams::receiver receiver() {
    return [this](const datagram& in) {
      send(model_.handle(now(), in));
      tell_and_wait();
    };
  }

  std::unique_ptr<socket_datagrams> open(std::uint16_t port, bool shared) {
    error_code error;
    auto out =
        socket_datagrams::open(executor_, {model_.lan_address(), port}, shared, receiver(), error);
    if (error) throw system_error(error);
    return out;
  }

  /// A port that somebody else has makes the router start again, which moves its web server.
  void listen_for_requests() {
    constexpr int tries = 16;
    for (int i = 1;; ++i) {
      const auto error = web_.listen({model_.lan_address(), model_.upnp().http_port()});
      if (!error) break;
      const bool may_move = model_.behaviour().upnp.http_port_moves && i < tries;
      if (error != asio::error::address_in_use || !may_move) throw system_error(error);
      model_.reboot(now(), true);
    }
    web_start_ = model_.upnp().boot_id();
  }

  socket_web_server::reply visited(const endpoint& from, std::string_view request) {
    const http_answer answer = model_.handle_http(now(), from, request);
    tell_and_wait();
    return {answer.text(), model_.behaviour().upnp.processing};
  }

  void send(const std::vector<datagram>& all) {
    for (const auto& one : all) {
      if (one.from.port == server_port && mapping_port_)
        mapping_port_->send(one);
      else if (one.from.port == ssdp_port && search_port_)
        search_port_->send(one);
      else
        send_from_elsewhere(one);
    }
  }

  /// Some routers answer from a port that they do not listen on.
  void send_from_elsewhere(const datagram& what) {
    udp::socket socket{executor_};
    const auto from = to_asio<udp>(what.from);
    error_code error;
    std::ignore = socket.open(from.protocol(), error);
    if (!error) std::ignore = socket.bind(from, error);
    if (!error) std::ignore = socket.non_blocking(true, error);
    if (!error) socket.send_to(asio::buffer(what.bytes), to_asio<udp>(what.to), 0, error);
  }

  asio::any_io_executor executor_;
  gateway model_;
  std::unique_ptr<socket_datagrams> mapping_port_;
  std::unique_ptr<socket_datagrams> search_port_;
  std::unique_ptr<socket_datagrams> group_;
  socket_web_server web_;
  std::uint32_t web_start_ = 0;  ///< the start of the model whose web server's port is open
  asio::steady_timer timer_;
  bool stopped_ = false;
};

socket_gateway::socket_gateway(const asio::any_io_executor& executor, gateway model)
    : server_(std::make_shared<server>(executor, std::move(model))) {
  server_->tell_and_wait();
}

socket_gateway::~socket_gateway() { server_->stop(); }

time_point socket_gateway::now() {
  return time_point{std::chrono::nanoseconds{host_clock::now().time_since_epoch()}};
}

const gateway& socket_gateway::model() const noexcept { return server_->model(); }

void socket_gateway::change(const std::function<void(gateway&, time_point now)>& what) {
  what(server_->model(), now());
  server_->listen();
  server_->tell_and_wait();
}

}  // namespace damson::sim
