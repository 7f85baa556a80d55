#include "sim/socket_datagrams.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>

#include "sim/socket_endpoint.hpp"

namespace damson::sim {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

class socket_datagrams::port : public std::enable_shared_from_this<port> {
 public:
  port(const asio::any_io_executor& executor, const endpoint& here, receiver receive)
      : socket_(executor), here_(here), receive_(std::move(receive)) {}

  void bind(bool shared, error_code& error) {
    const auto where = to_asio<udp>(here_);
    std::ignore = socket_.open(where.protocol(), error);
    if (!error && shared) std::ignore = socket_.set_option(udp::socket::reuse_address{true}, error);
    if (!error) std::ignore = socket_.bind(where, error);
    if (!error) std::ignore = socket_.non_blocking(true, error);
    if (!error) here_.port = socket_.local_endpoint(error).port();
  }

  void speak_from(const ip_address& lan, error_code& error) {
    if (error || !lan.is_v4()) return;
    const asio::ip::address_v4 address{lan.to_v4()};
    std::ignore = socket_.set_option(asio::ip::multicast::outbound_interface{address}, error);
  }

  void join(const ip_address& lan, error_code& error) {
    if (error) return;
    const asio::ip::address_v4 group{here_.address.to_v4()};
    const asio::ip::address_v4 address{lan.to_v4()};
    std::ignore = socket_.set_option(asio::ip::multicast::join_group{group, address}, error);
  }

  void start() {
    socket_.async_receive_from(
        asio::buffer(buffer_), from_,
        [self = shared_from_this()](const error_code& error, std::size_t length) {
          self->received(error, length);
        });
  }

  void stop() {
    error_code ignored;
    std::ignore = socket_.close(ignored);
  }

  std::uint16_t number() const noexcept { return here_.port; }

  void send(const datagram& what) {
    error_code ignored;
    socket_.send_to(asio::buffer(what.bytes), to_asio<udp>(what.to), 0, ignored);
  }

 private:
  void received(const error_code& error, std::size_t length) {
    if (!socket_.is_open()) return;
    if (!error) {
      const auto content = std::span{buffer_}.first(length);
      receive_({from_asio(from_), here_, {content.begin(), content.end()}});
    }
    if (socket_.is_open()) start();
  }

  udp::socket socket_;
  endpoint here_;
  receiver receive_;
  udp::endpoint from_;
  std::array<std::byte, 2'048> buffer_{};
};

socket_datagrams::socket_datagrams(std::shared_ptr<port> made) : port_(std::move(made)) {
  port_->start();
}

socket_datagrams::~socket_datagrams() { port_->stop(); }

std::unique_ptr<socket_datagrams> socket_datagrams::open(const asio::any_io_executor& executor,
                                                         const endpoint& here, bool shared,
                                                         receiver receive, error_code& error) {
  auto made = std::make_shared<port>(executor, here, std::move(receive));
  made->bind(shared, error);
  made->speak_from(here.address, error);
  if (error) return nullptr;
  return std::unique_ptr<socket_datagrams>{new socket_datagrams{std::move(made)}};
}

std::unique_ptr<socket_datagrams> socket_datagrams::join(const asio::any_io_executor& executor,
                                                         const endpoint& group,
                                                         const ip_address& lan, receiver receive,
                                                         error_code& error) {
  if (!lan.is_v4() || !group.address.is_v4()) {
    error = asio::error::address_family_not_supported;
    return nullptr;
  }
  auto made = std::make_shared<port>(executor, group, std::move(receive));
  made->bind(true, error);
  made->join(lan, error);
  if (error) return nullptr;
  return std::unique_ptr<socket_datagrams>{new socket_datagrams{std::move(made)}};
}

std::uint16_t socket_datagrams::number() const noexcept { return port_->number(); }

void socket_datagrams::send(const datagram& what) { port_->send(what); }

}  // namespace damson::sim
