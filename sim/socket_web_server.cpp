#include "sim/socket_web_server.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
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

std::size_t declared_body(std::string_view head) {
  const auto message = read_message(head);
  if (!message || message->field("Transfer-Encoding") != nullptr) return 0;
  const std::string* const length = message->field("Content-Length");
  return length == nullptr ? 0 : read_decimal(*length, body_limit).value_or(0);
}

/// One request and its answer. Pending operations keep it alive.
class connection : public std::enable_shared_from_this<connection> {
 public:
  connection(tcp::socket socket, const tcp::endpoint& client)
      : socket_(std::move(socket)),
        client_(from_asio(client)),
        deadline_(socket_.get_executor()),
        pause_(socket_.get_executor()) {}

  /// `end` is called once, unless the executor ends first; never before this returns.
  void start(socket_web_server::visitor ask, std::function<void()> end) {
    ask_ = std::move(ask);
    end_ = std::move(end);
    end_after(patience);
    asio::async_read_until(socket_, asio::dynamic_buffer(text_, head_limit), head_end,
                           [self = shared_from_this()](const error_code& error, std::size_t head) {
                             if (error == asio::error::eof || error == asio::error::not_found)
                               self->answer();
                             else
                               self->read_body(error, head);
                           });
  }

  void cut() {
    error_code ignored;
    std::ignore = socket_.close(ignored);
    deadline_.cancel(ignored);
    pause_.cancel(ignored);
  }

 private:
  void read_body(const error_code& error, std::size_t head) {
    if (error) {
      finish();
      return;
    }
    const std::size_t whole = head + declared_body(std::string_view{text_}.substr(0, head));
    const std::size_t got = text_.size();
    if (whole <= got) {
      answer();
      return;
    }
    text_.resize(whole);
    asio::async_read(socket_, asio::buffer(text_) + got,
                     [self = shared_from_this(), got](const error_code& failure, std::size_t more) {
                       self->text_.resize(got + more);
                       if (!failure || failure == asio::error::eof)
                         self->answer();
                       else
                         self->finish();
                     });
  }

  void answer() {
    if (!socket_.is_open()) {
      finish();
      return;
    }
    auto [text, after, then] = ask_(client_, text_);
    text_ = std::move(text);
    then_ = std::move(then);
    end_after(patience + after);
    pause_.expires_after(after);
    pause_.async_wait([self = shared_from_this()](const error_code& /*error*/) { self->send(); });
  }

  void send() {
    if (!socket_.is_open()) {
      finish();
      return;
    }
    if (text_.empty()) {
      wait_for_end({});
      return;
    }
    asio::async_write(socket_, asio::buffer(text_),
                      [self = shared_from_this()](const error_code& error, std::size_t /*length*/) {
                        error_code ignored;
                        std::ignore = self->socket_.shutdown(tcp::socket::shutdown_send, ignored);
                        self->answered();
                        self->wait_for_end(error);
                      });
  }

  /// Closing while there is something unread would reset the connection, and the answer with it.
  void wait_for_end(const error_code& error) {
    if (error) {
      finish();
      return;
    }
    socket_.async_read_some(
        asio::buffer(unwanted_),
        [self = shared_from_this()](const error_code& failure, std::size_t /*length*/) {
          self->wait_for_end(failure);
        });
  }

  void answered() {
    if (const auto then = std::exchange(then_, nullptr)) then();
  }

  void finish() {
    cut();
    answered();
    const auto end = std::exchange(end_, nullptr);
    if (end) end();
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
  socket_web_server::visitor ask_;
  std::function<void()> end_;
  std::function<void()> then_;
  std::string text_;  ///< the request, then the answer
  std::array<char, 1'024> unwanted_{};
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
    one->start(ask_, [weak = weak_from_this(), one = one.get()] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      std::erase_if(self->connections_, [one](const auto& each) { return each.get() == one; });
      self->accept();
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
