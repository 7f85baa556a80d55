#include "driver/http_exchange.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_category.hpp>

#include "driver/endpoints.hpp"
#include "driver/http_answer.hpp"

namespace damson::driver {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds longest_deadline = std::chrono::hours{24};

http_error meaning_of(const error_code& error) {
  switch (error.value()) {
    case ECONNREFUSED:
      return http_error::refused;
    case ETIMEDOUT:
      return http_error::timed_out;
    case EACCES:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EINVAL:
    case ENETDOWN:
    case ENETUNREACH:
    case ENODEV:
    case ENONET:
    case EPERM:
      return http_error::unreachable;
    default:
      return http_error::broken;
  }
}

class exchange final : public http_exchange, public std::enable_shared_from_this<exchange> {
 public:
  exchange(const asio::any_io_executor& executor, send_http order,
           std::weak_ptr<http_listener> listener)
      : order_(std::move(order)),
        listener_(std::move(listener)),
        socket_(executor),
        timer_(executor),
        answer_(order_.body_limit) {}

  void begin();
  void cancel() override;

 private:
  error_code make_socket();
  void connected(const error_code& error);
  void written(const error_code& error);
  void receive();
  void received(const error_code& error, std::size_t length);
  void succeed();
  void fail(http_error error);

  /// Keeps alive, during an operation, the exchange and who waits for it.
  template <class Function>
  auto keeping(Function function) {
    return [self = shared_from_this(), listener = listener_.lock(), function](
               const error_code& error, auto... results) {
      if (!self->over_) function(*self, error, results...);
    };
  }

  send_http order_;
  std::weak_ptr<http_listener> listener_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  http_answer answer_;
  std::array<char, 4'096> incoming_{};
  endpoint local_;
  endpoint peer_;
  bool over_ = false;
};

void exchange::begin() {
  // One for the whole exchange: a time-out for each step would let a slow drip go on.
  timer_.expires_after(
      std::clamp(order_.deadline, std::chrono::milliseconds::zero(), longest_deadline));
  timer_.async_wait(keeping([](exchange& self, const error_code& error) {
    if (!error) self.fail(http_error::timed_out);
  }));
  if (const auto error = make_socket()) {
    asio::post(
        socket_.get_executor(),
        [after = keeping([](exchange& self, const error_code& why) { self.fail(meaning_of(why)); }),
         error] { after(error); });
    return;
  }
  socket_.async_connect(to_tcp(order_.remote), keeping([](exchange& self, const error_code& error) {
                          self.connected(error);
                        }));
}

/// Made by hand because Asio's sockets would be inherited by programs that this one starts.
error_code exchange::make_socket() {
  const auto family = to_tcp(order_.remote).protocol().family();
  const int handle = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (handle < 0) return {errno, boost::system::system_category()};
  error_code error;
  if (socket_.assign(family == AF_INET ? tcp::v4() : tcp::v6(), handle, error)) {
    ::close(handle);
    return error;
  }
  if (order_.local.is_unspecified()) return error;
  return socket_.bind(to_tcp({order_.local, 0}), error);
}

void exchange::connected(const error_code& error) {
  if (error) {
    fail(meaning_of(error));
    return;
  }
  error_code failure;
  const auto local = socket_.local_endpoint(failure);
  const auto peer = failure ? tcp::endpoint{} : socket_.remote_endpoint(failure);
  // Head and body in segments of their own are too much for some routers.
  if (failure || socket_.set_option(tcp::no_delay{true}, failure)) {
    fail(http_error::broken);
    return;
  }
  local_ = from_tcp(local);
  peer_ = from_tcp(peer);
  asio::async_write(socket_, asio::buffer(order_.head_and_body),
                    keeping([](exchange& self, const error_code& failed, std::size_t /*length*/) {
                      self.written(failed);
                    }));
}

void exchange::written(const error_code& error) {
  if (error)
    fail(meaning_of(error));
  else
    receive();
}

void exchange::receive() {
  socket_.async_read_some(asio::buffer(incoming_),
                          keeping([](exchange& self, const error_code& error, std::size_t length) {
                            self.received(error, length);
                          }));
}

void exchange::received(const error_code& error, std::size_t length) {
  if (error == asio::error::eof) {
    if (const auto whole = answer_.put_end(); !whole)
      fail(whole.error());
    else
      succeed();
    return;
  }
  if (error) {
    fail(meaning_of(error));
    return;
  }
  const auto whole = answer_.put(std::string_view{incoming_.data(), length});
  if (!whole)
    fail(whole.error());
  else if (*whole)
    succeed();
  else
    receive();
}

void exchange::succeed() {
  cancel();
  auto answer = answer_.response();
  answer.id = order_.id;
  answer.local = local_;
  answer.peer = peer_;
  if (const auto listener = listener_.lock()) listener->on_http_response(answer);
}

void exchange::fail(http_error error) {
  cancel();
  if (const auto listener = listener_.lock()) listener->on_http_failed({order_.id, error});
}

void exchange::cancel() {
  over_ = true;
  timer_.cancel();
  error_code ignored;
  std::ignore = socket_.close(ignored);
}

}  // namespace

std::shared_ptr<http_exchange> http_exchange::start(const asio::any_io_executor& executor,
                                                    send_http order,
                                                    std::weak_ptr<http_listener> listener) {
  auto made = std::make_shared<exchange>(executor, std::move(order), std::move(listener));
  made->begin();
  return made;
}

}  // namespace damson::driver
