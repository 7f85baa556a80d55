#include "driver/event_listener.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/system_category.hpp>

#include "driver/endpoints.hpp"

namespace damson::driver {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int backlog = 16;
/// After the system had no socket to give for a connection.
constexpr std::chrono::seconds no_room_pause{1};

constexpr std::uint16_t bad_request = 400;
constexpr std::uint16_t length_required = 411;
constexpr std::uint16_t too_large = 413;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

std::string answer_text(std::uint16_t status) {
  return "HTTP/1.1 " + std::to_string(status) + " " +
         std::string{view(http::obsolete_reason(http::int_to_status(status)))} +
         "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
}

error_code last_error() { return {errno, boost::system::system_category()}; }

/// That the connection was lost before it was taken is nothing to wait for.
bool is_passing(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ECONNABORTED;
}

}  // namespace

/// One request and its answer. Pending operations keep it, and the observer, alive.
class event_listener::connection : public std::enable_shared_from_this<connection> {
 public:
  connection(tcp::socket socket, channel_id channel, const endpoint& from)
      : stream_(std::move(socket)),
        channel_(channel),
        from_(from),
        buffer_(engine_limits::event_bytes) {
    parser_.header_limit(head_bytes);
    parser_.body_limit(engine_limits::event_bytes - head_bytes);
  }

  /// `end` is called once, unless it is cut before; never before this returns.
  void start(std::shared_ptr<event_observer> observer, std::chrono::milliseconds patience,
             std::function<void()> end) {
    end_ = std::move(end);
    // One deadline for all that follows, so that a slow drip does not go on.
    stream_.expires_after(patience);
    http::async_read_header(
        stream_, buffer_, parser_,
        [self = shared_from_this(), observer = std::move(observer)](
            const error_code& error, std::size_t /*length*/) { self->read_body(observer, error); });
  }

  void cut() {
    end_ = nullptr;
    stream_.close();
  }

 private:
  void read_body(const std::shared_ptr<event_observer>& observer, const error_code& error) {
    // UDA 1.0 section 4.2.1 has events with their length.
    if (!error && parser_.chunked()) return answer(observer, length_required);
    if (error || parser_.is_done()) return take(observer, error);
    http::async_read(
        stream_, buffer_, parser_,
        [self = shared_from_this(), observer](const error_code& failure, std::size_t /*length*/) {
          self->take(observer, failure);
        });
  }

  void take(const std::shared_ptr<event_observer>& observer, const error_code& error) {
    if (end_ == nullptr) return;
    if (error == http::error::header_limit || error == http::error::body_limit ||
        error == http::error::buffer_overflow)
      return answer(observer, too_large);
    if (error == http::error::end_of_stream || error == http::error::partial_message)
      return finish();
    if (error && error.category() == http::make_error_code(http::error::bad_method).category())
      return answer(observer, bad_request);
    if (error) return finish();
    const auto& request = parser_.get();
    const std::uint16_t status = observer->on_event({.channel = channel_,
                                                     .id = {},
                                                     .from = from_,
                                                     .method = view(request.method_string()),
                                                     .target = view(request.target()),
                                                     .notification_type = view(request["NT"]),
                                                     .notification_sub_type = view(request["NTS"]),
                                                     .subscription = view(request["SID"]),
                                                     .sequence = view(request["SEQ"]),
                                                     .body = request.body()});
    // What the observer did may have closed the listener.
    if (end_ != nullptr) answer(observer, status);
  }

  void answer(const std::shared_ptr<event_observer>& observer, std::uint16_t status) {
    text_ = answer_text(status);
    asio::async_write(
        stream_, asio::buffer(text_),
        [self = shared_from_this(), observer](const error_code& /*error*/, std::size_t /*length*/) {
          error_code ignored;
          std::ignore = self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
          self->finish();
        });
  }

  void finish() {
    stream_.close();
    if (const auto end = std::exchange(end_, nullptr)) end();
  }

  beast::tcp_stream stream_;
  channel_id channel_;
  endpoint from_;
  beast::flat_buffer buffer_;
  http::request_parser<http::string_body> parser_;
  std::string text_;
  std::function<void()> end_;
};

event_listener::event_listener(const asio::any_io_executor& executor, const listen_for_events& what,
                               std::chrono::milliseconds patience)
    : what_(what), patience_(patience), acceptor_(executor), pause_(executor) {}

event_listener::~event_listener() = default;

std::expected<std::shared_ptr<event_listener>, error_code> event_listener::open(
    const asio::any_io_executor& executor, const listen_for_events& what,
    std::chrono::milliseconds patience) {
  auto made = std::make_shared<event_listener>(executor, what, patience);
  if (const error_code error = made->listen()) return std::unexpected{error};
  return made;
}

/// Made by hand because Asio's sockets would be inherited by programs that this one starts.
error_code event_listener::listen() {
  const auto where = to_tcp({what_.local, 0});
  const int family = where.protocol().family();
  const int handle = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (handle < 0) return last_error();
  error_code error;
  if (acceptor_.assign(where.protocol(), handle, error)) {
    ::close(handle);
    return error;
  }
  std::ignore = acceptor_.native_non_blocking(true, error);
  if (!error) std::ignore = acceptor_.bind(where, error);
  if (!error) std::ignore = acceptor_.listen(backlog, error);
  return error;
}

endpoint event_listener::local() const {
  error_code error;
  const auto where = acceptor_.local_endpoint(error);
  return error ? endpoint{} : from_tcp(where);
}

void event_listener::start(std::weak_ptr<event_observer> observer) {
  observer_ = std::move(observer);
  started_ = true;
  wait();
}

void event_listener::pause() {
  started_ = false;
  error_code ignored;
  std::ignore = acceptor_.cancel(ignored);
  pause_.cancel();
  cut_connections();
}

void event_listener::close() {
  started_ = false;
  error_code ignored;
  std::ignore = acceptor_.close(ignored);
  pause_.cancel();
  cut_connections();
}

void event_listener::cut_connections() {
  for (const auto& each : std::exchange(connections_, {})) each->cut();
}

void event_listener::wait() {
  if (!started_ || waiting_ || connections_.size() >= most_connections) return;
  waiting_ = true;
  acceptor_.async_wait(
      tcp::acceptor::wait_read,
      [self = shared_from_this(), keep = observer_.lock()](const error_code& error) {
        self->waiting_ = false;
        if (!self->started_) return;
        // Paused and started again meanwhile: the wait is to begin anew.
        if (error == asio::error::operation_aborted) return self->wait();
        if (!error) return self->accept();
        self->close();
        if (keep) keep->on_listener_failed(self->what_.channel);
      });
}

/// The port stays ready to be read while there is no room for what waits there.
void event_listener::wait_a_while() {
  waiting_ = true;
  pause_.expires_after(no_room_pause);
  pause_.async_wait(
      [self = shared_from_this(), keep = observer_.lock()](const error_code& /*error*/) {
        self->waiting_ = false;
        self->wait();
      });
}

/// With the system's own call, because Asio's has the socket inherited as well.
void event_listener::accept() {
  const int handle =
      ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (handle < 0 && !is_passing(errno)) return wait_a_while();
  if (handle >= 0) serve(handle);
  wait();
}

void event_listener::serve(int handle) {
  tcp::socket socket{acceptor_.get_executor()};
  error_code error;
  if (socket.assign(to_tcp({what_.local, 0}).protocol(), handle, error)) {
    ::close(handle);
    return;
  }
  const auto from = socket.remote_endpoint(error);
  const auto observer = observer_.lock();
  // Whoever else it is learns nothing.
  if (error || observer == nullptr || from_tcp(from).address != what_.peer) return;
  const auto made = std::make_shared<connection>(std::move(socket), what_.channel, from_tcp(from));
  connections_.push_back(made);
  made->start(observer, patience_, [weak = weak_from_this(), made = made.get()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    std::erase_if(self->connections_, [made](const auto& each) { return each.get() == made; });
    self->wait();
  });
}

}  // namespace damson::driver
