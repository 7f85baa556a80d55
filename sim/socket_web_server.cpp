#include "sim/socket_web_server.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "sim/message_text.hpp"
#include "sim/socket_endpoint.hpp"

namespace damson::sim {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::string_view head_end = "\r\n\r\n";
constexpr std::size_t head_limit = 16'384;
/// Longer ones are not waited for: the model refuses them by their head.
constexpr std::uint32_t body_limit = 65'536;
constexpr std::size_t connection_limit = 32;
constexpr std::chrono::seconds patience{30};
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

std::size_t declared_body(std::string_view head) {
  const auto message = read_message(head);
  if (!message || message->field("Transfer-Encoding") != nullptr) return 0;
  const std::string* const length = message->field("Content-Length");
  return length == nullptr ? 0 : read_decimal(*length, body_limit).value_or(0);
}

class connection : public std::enable_shared_from_this<connection> {
 public:
  connection(tcp::socket socket, const tcp::endpoint& client)
      : socket_(std::move(socket)),
        client_(from_asio(client)),
        deadline_(socket_.get_executor()),
        pause_(socket_.get_executor()) {}

  /// Whoever spawns it keeps both the connection and the visitor alive.
  asio::awaitable<void> run(const socket_web_server::visitor* ask) {
    end_after(patience);
    const auto text = co_await request();
    if (!text || !socket_.is_open()) co_return;
    const auto reply = (*ask)(client_, *text);
    end_after(patience + reply.after);
    if (reply.after > std::chrono::milliseconds::zero()) {
      pause_.expires_after(reply.after);
      std::ignore = co_await pause_.async_wait(as_result);
    }
    if (socket_.is_open()) co_await send(reply.text);
    cut();
  }

  void cut() {
    error_code ignored;
    std::ignore = socket_.close(ignored);
    deadline_.cancel();
    pause_.cancel();
  }

 private:
  /// Empty where the connection broke.
  asio::awaitable<std::optional<std::string>> request() {
    std::string text;
    const auto [error, head] = co_await asio::async_read_until(
        socket_, asio::dynamic_buffer(text, head_limit), head_end, as_result);
    if (error == asio::error::eof || error == asio::error::not_found) co_return text;
    if (error) co_return std::nullopt;
    const std::size_t whole = head + declared_body(std::string_view{text}.substr(0, head));
    const std::size_t got = text.size();
    if (whole <= got) co_return text;
    text.resize(whole);
    const auto [failure, more] =
        co_await asio::async_read(socket_, asio::buffer(text) + got, as_result);
    if (failure && failure != asio::error::eof) co_return std::nullopt;
    text.resize(got + more);
    co_return text;
  }

  /// Closing while there is something unread would reset the connection, and the answer with it.
  asio::awaitable<void> send(std::string_view text) {
    auto [error, length] = co_await asio::async_write(socket_, asio::buffer(text), as_result);
    if (!error) std::ignore = socket_.shutdown(tcp::socket::shutdown_send, error);
    std::array<char, 1'024> unwanted{};
    while (!error)
      std::tie(error, length) = co_await socket_.async_read_some(asio::buffer(unwanted), as_result);
  }

  void end_after(std::chrono::milliseconds time) {
    deadline_.expires_after(time);
    deadline_.async_wait([weak = weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (self != nullptr && !error) self->cut();
    });
  }

  tcp::socket socket_;
  endpoint client_;
  asio::steady_timer deadline_;
  asio::steady_timer pause_;
};

}  // namespace

class socket_web_server::server : public std::enable_shared_from_this<server> {
 public:
  server(const asio::any_io_executor& executor, visitor ask)
      : ask_(std::move(ask)), acceptor_(executor) {}

  error_code listen(const tcp::endpoint& where) {
    close();
    error_code error;
    std::ignore = acceptor_.open(where.protocol(), error);
    // Connections of an earlier start may linger at the port.
    if (!error) std::ignore = acceptor_.set_option(tcp::acceptor::reuse_address{true}, error);
    if (!error) std::ignore = acceptor_.bind(where, error);
    if (!error) std::ignore = acceptor_.listen(tcp::acceptor::max_listen_connections, error);
    if (error)
      close();
    else
      accept();
    return error;
  }

  void close() {
    ++turn_;
    error_code ignored;
    std::ignore = acceptor_.close(ignored);
    for (const auto& one : connections_) one->cut();
  }

 private:
  void accept() {
    if (accepting_ || !acceptor_.is_open() || connections_.size() >= connection_limit) return;
    accepting_ = true;
    acceptor_.async_accept(
        [self = shared_from_this(), turn = turn_](const error_code& error, tcp::socket socket) {
          self->accepting_ = false;
          // Where it has moved meanwhile, the connection came too late for it.
          const bool moved = turn != self->turn_;
          if (!error && !moved) self->serve(std::move(socket));
          // What else there is to fail is the system's room for sockets, which the next
          // connection's end makes.
          if (!error || moved) self->accept();
        });
  }

  void serve(tcp::socket socket) {
    error_code error;
    const auto client = socket.remote_endpoint(error);
    if (error) return;
    const auto one = std::make_shared<connection>(std::move(socket), client);
    connections_.push_back(one);
    asio::co_spawn(acceptor_.get_executor(), one->run(&ask_),
                   [self = shared_from_this(), one](const std::exception_ptr& failure) {
                     std::erase(self->connections_, one);
                     self->accept();
                     if (failure) std::rethrow_exception(failure);
                   });
  }

  visitor ask_;
  tcp::acceptor acceptor_;
  std::vector<std::shared_ptr<connection>> connections_;
  std::uint64_t turn_ = 0;  ///< counts the places where it has listened
  bool accepting_ = false;
};

socket_web_server::socket_web_server(const asio::any_io_executor& executor, visitor ask)
    : server_(std::make_shared<server>(executor, std::move(ask))) {}

socket_web_server::~socket_web_server() { server_->close(); }

error_code socket_web_server::listen(const endpoint& where) {
  return server_->listen(to_asio<tcp>(where));
}

void socket_web_server::close() { server_->close(); }

}  // namespace damson::sim
