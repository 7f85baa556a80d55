// Opens a TCP port with the engine and poll(), without Asio: what a driver for any event loop does.
//
// The engine is told the time, the network and what arrives, and says what to send. PCP and NAT-PMP
// need no more than the UDP sockets here. UPnP would need a search socket and an HTTP client; so
// `map_request::protocols` leaves it out, and whatever asks for them all the same is told that
// there are none.

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <map>
#include <span>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <damson/engine.hpp>
#include <damson/network.hpp>

#include "job.hpp"
#include "socket_address.hpp"

namespace {

constexpr damson::mapping_id the_port{1};

/// What the last call's error means for a channel.
damson::channel_error last_error() {
  return errno == ECONNREFUSED ? damson::channel_error::refused
                               : damson::channel_error::unreachable;
}

class poll_driver {
 public:
  explicit poll_driver(const job& work) : work_(work), engine_(work.options, random_seed()) {}
  ~poll_driver() {
    for (const auto& [id, socket] : sockets_) ::close(socket);
  }
  poll_driver(const poll_driver&) = delete;
  poll_driver& operator=(const poll_driver&) = delete;

  /// One thing that happened, and all that follows from it.
  void put(damson::input what) {
    inputs_.push_back(std::move(what));
    while (!inputs_.empty()) {
      engine_.handle(damson::boot_time_now(), inputs_.front());
      inputs_.pop_front();
      while (auto out = engine_.poll()) std::visit([this](const auto& order) { act(order); }, *out);
    }
  }

  /// Waits for a datagram, the deadline or a signal.
  void wait(int signals) {
    std::vector<pollfd> wanted{{.fd = signals, .events = POLLIN, .revents = 0}};
    std::vector<damson::channel_id> channels;
    for (const auto& [id, socket] : sockets_) {
      wanted.push_back({.fd = socket, .events = POLLIN, .revents = 0});
      channels.push_back(id);
    }
    ::poll(wanted.data(), wanted.size(), timeout());
    put(damson::time_passed{});
    if (wanted.front().revents != 0) {
      signalfd_siginfo which{};
      if (::read(signals, &which, sizeof which) > 0) put(damson::close_engine{});
    }
    for (std::size_t i = 0; i < channels.size(); ++i)
      if (wanted[i + 1].revents != 0) receive(channels[i]);
  }

  bool is_closed() const { return closed_; }
  int status() const { return status_; }

 private:
  /// In milliseconds, rounded up so that poll() does not wake just before the deadline.
  int timeout() const {
    const auto deadline = engine_.deadline();
    if (!deadline) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline - damson::boot_time_now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  }

  void receive(damson::channel_id channel) {
    const auto found = sockets_.find(channel);
    if (found == sockets_.end()) return;  // closed by what came before
    std::array<std::byte, damson::engine_limits::search_answer_bytes + 1> bytes{};
    socket_address from;
    const auto length =
        ::recvfrom(found->second, bytes.data(), bytes.size(), 0, from.get(), &from.length);
    if (length >= 0)
      put(damson::datagram_received{
          channel, from_socket(from.get()),
          std::span<const std::byte>{bytes}.first(static_cast<std::size_t>(length))});
    else if (errno != EAGAIN && errno != EINTR)
      put(damson::channel_failed{channel, last_error()});
  }

  // What the engine asks for. Answers wait in `inputs_` until it has said everything.

  void act(damson::look_at_network /*order*/) {
    std::error_code error;
    auto facts = damson::read_network_facts(error);
    if (error) std::cerr << "cannot read routes and addresses: " << error.message() << '\n';
    inputs_.emplace_back(damson::network_changed{std::move(facts)});
  }

  void act(const damson::open_channel& order) {
    const auto* how = std::get_if<damson::connected_channel>(&order.what);
    const auto cannot = damson::channel_failed{order.channel, damson::channel_error::cannot_open};
    if (how == nullptr) {  // a search, or announcements of the router, which only save time
      inputs_.emplace_back(cannot);
      return;
    }
    auto local = to_socket({.address = how->local, .port = 0});
    const auto remote = to_socket(how->remote);
    const int socket =
        ::socket(remote.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0 ||
        (!how->local.is_unspecified() && ::bind(socket, local.get(), local.length) != 0) ||
        ::connect(socket, remote.get(), remote.length) != 0) {
      if (socket >= 0) ::close(socket);
      inputs_.emplace_back(cannot);
      return;
    }
    ::getsockname(socket, local.get(), &(local.length = sizeof local.storage));
    sockets_.emplace(order.channel, socket);
    inputs_.emplace_back(damson::channel_opened{order.channel, from_socket(local.get())});
  }

  void act(const damson::close_channel& order) {
    const auto found = sockets_.find(order.channel);
    if (found == sockets_.end()) return;
    ::close(found->second);
    sockets_.erase(found);
  }

  void act(const damson::send_datagram& order) {
    const auto found = sockets_.find(order.channel);
    if (found == sockets_.end()) return;
    if (::send(found->second, order.bytes.data(), order.bytes.size(), 0) < 0 && errno != EAGAIN)
      inputs_.emplace_back(damson::channel_failed{order.channel, last_error()});
  }

  void act(const damson::send_http& order) {
    inputs_.emplace_back(damson::http_failed{order.id, damson::http_error::unreachable});
  }

  void act(const damson::mapping_event& event) {
    const bool was_never_open =
        event.kind == damson::event_kind::removed && status_ != EXIT_SUCCESS;
    if (!was_never_open) tell(event);
    if (event.kind == damson::event_kind::mapped) status_ = EXIT_SUCCESS;
    if (is_last_word(event, work_)) inputs_.emplace_back(damson::close_engine{});
  }

  void act(damson::engine_closed /*order*/) { closed_ = true; }
  void act(const auto& /*order*/) {}  // the end of exchanges and discoveries that never began

  const job& work_;
  damson::engine engine_;
  std::deque<damson::input> inputs_;
  std::map<damson::channel_id, int> sockets_;
  bool closed_ = false;
  int status_ = EXIT_FAILURE;
};

}  // namespace

int main(int argc, char** argv) try {
  job work = read_arguments(argc, argv);
  work.request.protocols = damson::protocol_filter::pcp;
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  const int signals = ::signalfd(-1, &stop, SFD_CLOEXEC);

  poll_driver driver{work};
  driver.put(damson::create_mapping{the_port, work.request});
  while (!driver.is_closed()) driver.wait(signals);
  ::close(signals);
  return driver.status();
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
