#include "driver/network_watch.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "net/notice_socket.hpp"

namespace damson::driver {

using boost::asio::posix::stream_descriptor;
using boost::system::error_code;
using steady_clock = boost::asio::steady_timer::clock_type;

std::expected<std::shared_ptr<network_watch>, std::error_code> network_watch::open(
    const boost::asio::any_io_executor& executor) {
  const auto socket = net::open_notice_socket();
  if (!socket) return std::unexpected{socket.error()};
  return std::make_shared<network_watch>(executor, *socket);
}

network_watch::network_watch(const boost::asio::any_io_executor& executor, int socket)
    : socket_(executor, socket), timer_(executor) {}

void network_watch::start(const std::weak_ptr<network_listener>& listener) {
  if (auto alive = listener.lock()) listen(std::move(alive));
}

void network_watch::close() {
  error_code ignored;
  std::ignore = socket_.close(ignored);
  timer_.cancel();
}

void network_watch::listen(listener_pointer listener) {
  socket_.async_wait(
      stream_descriptor::wait_read,
      [self = shared_from_this(), listener = std::move(listener)](const error_code& error) {
        if (error) return self->close();
        self->hear(listener);
      });
}

void network_watch::hear(listener_pointer listener) {
  if (!is_open()) return;
  switch (net::read_notices(socket_.native_handle(), parser_)) {
    case net::heard::nothing:
      return listen(std::move(listener));
    case net::heard::news:
      return settle(std::move(listener));
    case net::heard::broken:
      return close();
  }
}

/// The socket is left alone meanwhile: whatever it takes in, or loses in a flood, the look will
/// see.
void network_watch::settle(listener_pointer listener) {
  timer_.expires_at(std::max(steady_clock::now() + settling_time, next_look_));
  timer_.async_wait([self = shared_from_this(), listener = std::move(listener)](
                        const error_code& /*error*/) { self->tell(listener); });
}

void network_watch::tell(listener_pointer listener) {
  if (!is_open()) return;
  // What was said until now is seen. What comes during the look may be too late for it.
  if (net::read_notices(socket_.native_handle(), parser_) == net::heard::broken) return close();
  next_look_ = steady_clock::now() + between_looks;
  listener->on_network_notice();
  if (is_open()) listen(std::move(listener));
}

}  // namespace damson::driver
