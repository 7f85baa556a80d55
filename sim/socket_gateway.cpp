#include "sim/socket_gateway.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "sim/socket_datagrams.hpp"
#include "sim/socket_endpoint.hpp"
#include "sim/socket_event_carrier.hpp"
#include "sim/socket_web_server.hpp"

namespace damson::sim {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

namespace {

/// The host's own clock stands still while it is suspended; a router on the same host does too
/// then.
using host_clock = std::chrono::steady_clock;

}  // namespace

class socket_gateway::server : public std::enable_shared_from_this<server> {
 public:
  server(asio::any_io_executor executor, gateway model, socket_settings settings)
      : executor_(std::move(executor)),
        model_(std::move(model)),
        settings_(std::move(settings)),
        web_(executor_, [this](const endpoint& from,
                               std::string_view request) { return visited(from, request); }),
        events_(executor_, model_.lan_address(), settings_.event_patience),
        timer_(executor_) {
    listen();
  }

  void stop() {
    for (auto* const port : {&mapping_port_, &search_port_, &group_}) port->reset();
    web_.close();
    events_.drop();
    error_code ignored;
    timer_.cancel(ignored);
    stopped_ = true;
  }

  gateway& model() noexcept { return model_; }
  const socket_counters& counters() const noexcept { return counters_; }
  std::uint16_t mapping_port() const noexcept {
    return mapping_port_ ? mapping_port_->number() : std::uint16_t{0};
  }
  std::uint16_t web_port() const noexcept {
    return web_start_ == 0 ? std::uint16_t{0} : model_.upnp().http_port();
  }

  /// Has all ports that the model now wants, and no other.
  void listen() {
    const profile& how = model_.behaviour();
    const bool maps = how.speaks_pcp || how.speaks_nat_pmp || !how.closed_port_refuses;
    listen_for_mappings(maps && serves(socket_service::mapping));
    listen_for_searches(how.speaks_upnp && serves(socket_service::search));
    if (!how.speaks_upnp || !serves(socket_service::web)) {
      web_.close();
      events_.drop();
      web_start_ = 0;
    } else if (web_start_ != model_.upnp().boot_id()) {
      listen_for_requests();
    }
  }

  void set_serving(socket_service which, bool serving) {
    bool& now_serving = serving_.at(static_cast<std::size_t>(which));
    now_serving = serving;
    try {
      listen();
    } catch (...) {
      now_serving = false;
      throw;
    }
  }

  void set_plugged(bool plugged) {
    plugged_ = plugged;
    if (!plugged) events_.drop();
  }
  bool is_plugged() const noexcept { return plugged_; }

  /// Sends what is due now, and comes back when more is.
  void tell_and_wait() {
    send(model_.advance(now()));
    tell_subscribers();
    if (settings_.on_event) settings_.on_event();
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
  bool serves(socket_service which) const { return serving_.at(static_cast<std::size_t>(which)); }

  void listen_for_mappings(bool wanted) {
    if (!wanted) {
      mapping_port_.reset();
    } else if (!mapping_port_) {
      mapping_port_ = open(settings_.mapping_port, false, [this](const datagram& in) {
        heard({in.from, {model_.lan_address(), server_port}, in.bytes});
      });
      // Closed and opened again it is the same.
      settings_.mapping_port = mapping_port_->number();
    }
  }

  void listen_for_searches(bool wanted) {
    if (!wanted) {
      search_port_.reset();
      group_.reset();
      return;
    }
    const auto receive = [this](const datagram& in) { heard(in); };
    if (!search_port_) search_port_ = open(ssdp_port, true, receive);
    if (!group_ && settings_.joins_group) {
      error_code ignored;  // clients that search with unicast find it all the same
      group_ = socket_datagrams::join(executor_, {ssdp_group, ssdp_port}, model_.lan_address(),
                                      receive, ignored);
    }
  }

  void heard(const datagram& in) {
    ++(plugged_ ? counter_of(in) : counters_.unheard);
    if (plugged_) send(model_.handle(now(), in));
    tell_and_wait();
  }

  std::uint64_t& counter_of(const datagram& in) {
    constexpr std::byte nat_pmp_version{0};
    constexpr std::byte pcp_version{2};
    if (in.to.port != server_port) return counters_.searches;
    if (in.bytes.empty()) return counters_.other_requests;
    switch (in.bytes.front()) {
      case nat_pmp_version:
        return counters_.nat_pmp_requests;
      case pcp_version:
        return counters_.pcp_requests;
      default:
        return counters_.other_requests;
    }
  }

  std::unique_ptr<socket_datagrams> open(std::uint16_t port, bool shared,
                                         socket_datagrams::receiver receive) {
    const endpoint here{model_.lan_address(), port};
    error_code error;
    auto out = socket_datagrams::open(executor_, here, shared, std::move(receive), error);
    if (error) throw std::system_error(error, "UDP port " + to_string(here));
    return out;
  }

  /// A port that somebody else has makes the router start again, which moves its web server.
  void listen_for_requests() {
    constexpr int tries = 16;
    for (int i = 1;; ++i) {
      const endpoint here{model_.lan_address(), model_.upnp().http_port()};
      const auto error = web_.listen(here);
      if (!error) break;
      web_start_ = 0;
      const bool may_move = model_.behaviour().upnp.http_port_moves && i < tries;
      if (error != asio::error::address_in_use || !may_move)
        throw std::system_error(error, "TCP port " + to_string(here));
      model_.reboot(now(), true);
    }
    web_start_ = model_.upnp().boot_id();
    // A restart ends all subscriptions.
    events_.drop();
  }

  socket_web_server::reply visited(const endpoint& from, std::string_view request) {
    ++(plugged_ ? counters_.http_requests : counters_.unheard);
    if (!plugged_) return {};
    const http_answer answer = model_.handle_http(now(), from, request);
    ++answers_due_;
    tell_and_wait();
    return {answer.text(), model_.behaviour().upnp.processing, [weak = weak_from_this()] {
              const auto self = weak.lock();
              if (self == nullptr) return;
              --self->answers_due_;
              self->tell_subscribers();
            }};
  }

  /// Not before answers that are due: the first event of a subscription comes after the one that
  /// names it.
  void tell_subscribers() {
    if (answers_due_ > 0 || stopped_) return;
    auto events = model_.take_events(now());
    if (!plugged_ || web_start_ == 0) return;
    events_.carry(std::move(events));
  }

  void send(const std::vector<datagram>& all) {
    if (!plugged_) return;
    for (const auto& one : all) {
      if (is_ssdp_group(one.to.address) && !settings_.joins_group) continue;
      ++counters_.datagrams_sent;
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
  socket_settings settings_;
  socket_counters counters_;
  std::array<bool, 3> serving_{true, true, true};  ///< by socket_service
  bool plugged_ = true;
  std::unique_ptr<socket_datagrams> mapping_port_;
  std::unique_ptr<socket_datagrams> search_port_;
  std::unique_ptr<socket_datagrams> group_;
  socket_web_server web_;
  std::uint32_t web_start_ = 0;  ///< the start of the model whose web server's port is open
  socket_event_carrier events_;
  std::size_t answers_due_ = 0;  ///< of the web server
  asio::steady_timer timer_;
  bool stopped_ = false;
};

socket_gateway::socket_gateway(const asio::any_io_executor& executor, gateway model,
                               socket_settings settings)
    : server_(std::make_shared<server>(executor, std::move(model), std::move(settings))) {
  server_->tell_and_wait();
}

socket_gateway::~socket_gateway() { server_->stop(); }

time_point socket_gateway::now() {
  return time_point{std::chrono::nanoseconds{host_clock::now().time_since_epoch()}};
}

const gateway& socket_gateway::model() const noexcept { return server_->model(); }

const socket_counters& socket_gateway::counters() const noexcept { return server_->counters(); }

std::uint16_t socket_gateway::mapping_port() const noexcept { return server_->mapping_port(); }

std::uint16_t socket_gateway::web_port() const noexcept { return server_->web_port(); }

void socket_gateway::change(const std::function<void(gateway&, time_point now)>& what) {
  what(server_->model(), now());
  server_->listen();
  server_->tell_and_wait();
}

void socket_gateway::set_serving(socket_service which, bool serving) {
  server_->set_serving(which, serving);
}

void socket_gateway::set_plugged(bool plugged) { server_->set_plugged(plugged); }

bool socket_gateway::is_plugged() const noexcept { return server_->is_plugged(); }

}  // namespace damson::sim
