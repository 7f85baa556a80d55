// Opens a TCP port with the engine and poll(), without Asio: what a driver for any event loop does.
//
// The engine is told the time, the network and what arrives, and says what to send. PCP and NAT-PMP
// need no more than the UDP sockets here. UPnP would need a search socket and an HTTP client; so
// `map_request::protocols` leaves it out, and engine_job.hpp says to what asks for them all the
// same that there are none.

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <deque>
#include <exception>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "engine_job.hpp"

namespace {

class poll_driver {
 public:
  explicit poll_driver(const job& work) : job_(work), engine_(work.options, random_seed()) {}

  /// One thing that happened, and all that follows from it.
  void put(damson::input what) {
    for (inputs_.push_back(std::move(what)); !inputs_.empty(); inputs_.pop_front()) {
      engine_.handle(damson::boot_time_now(), inputs_.front());
      while (auto out = engine_.poll()) std::visit([this](const auto& order) { act(order); }, *out);
    }
  }

  /// Waits for a signal, a datagram or the deadline.
  void wait(int signals) {
    const auto sockets = sockets_;  // what comes may close some of them
    std::vector<pollfd> wanted{{.fd = signals, .events = POLLIN, .revents = 0}};
    for (const auto& [channel, socket] : sockets)
      wanted.push_back({.fd = socket, .events = POLLIN, .revents = 0});
    ::poll(wanted.data(), wanted.size(), wait_for(engine_.deadline()));
    put(damson::time_passed{});
    signalfd_siginfo which{};
    if (::read(signals, &which, sizeof which) > 0) put(damson::close_engine{});
    for (const auto& [channel, socket] : sockets) receive(channel);
  }

  bool is_closed() const { return closed_; }
  int exit_status() const { return job_.exit_status(); }

 private:
  void receive(damson::channel_id channel) {
    const auto found = sockets_.find(channel);
    if (found == sockets_.end()) return;
    datagram_buffer bytes;
    socket_address from;
    const auto length =
        ::recvfrom(found->second, bytes.data(), bytes.size(), 0, from.get(), &from.length);
    if (length >= 0)
      put(damson::datagram_received{
          channel, from_socket(from.get()), {bytes.data(), static_cast<std::size_t>(length)}});
    else if (errno != EAGAIN && errno != EINTR)
      put(damson::channel_failed{channel, channel_error_of(errno)});
  }

  // What the engine asks for. Answers wait in `inputs_` until it has said everything.

  void act(const damson::open_channel& order) {
    using enum damson::channel_error;
    const int socket = open_socket(order);
    if (socket < 0) {
      inputs_.emplace_back(damson::channel_failed{order.channel, cannot_open});
      return;
    }
    sockets_.emplace(order.channel, socket);
    inputs_.emplace_back(damson::channel_opened{order.channel, local_endpoint(socket)});
  }

  void act(const damson::close_channel& order) {
    const auto closed = sockets_.extract(order.channel);
    if (closed) ::close(closed.mapped());
  }

  void act(const damson::send_datagram& order) {
    const int socket = sockets_.at(order.channel);
    if (::send(socket, order.bytes.data(), order.bytes.size(), 0) < 0 && errno != EAGAIN)
      inputs_.emplace_back(damson::channel_failed{order.channel, channel_error_of(errno)});
  }

  void act(damson::engine_closed /*order*/) { closed_ = true; }

  void act(const auto& order) {
    if (auto answer = job_.answer(order)) inputs_.push_back(std::move(*answer));
  }

  engine_job job_;
  damson::engine engine_;
  std::deque<damson::input> inputs_;
  std::map<damson::channel_id, int> sockets_;
  bool closed_ = false;
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
  const int signals = ::signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);

  poll_driver driver{work};
  driver.put(damson::create_mapping{the_port, work.request});
  while (!driver.is_closed()) driver.wait(signals);
  return driver.exit_status();
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
