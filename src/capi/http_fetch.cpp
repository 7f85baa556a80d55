#include "capi/http_fetch.hpp"

#include <memory>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/system/error_code.hpp>

namespace damson::capi {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

asio::ip::tcp::endpoint to_asio(const endpoint& where) {
  if (where.address.is_v4()) return {asio::ip::address_v4{where.address.to_v4()}, where.port};
  return {asio::ip::address_v6{where.address.to_v6(), where.address.scope()}, where.port};
}

/// Connect, ask, read: each step starts the next, and whatever fails leaves no answer.
class exchange {
 public:
  exchange(asio::io_context& io, const web_file& what)
      : stream_(io), server_(to_asio(what.server)) {
    request_.method(http::verb::get);
    request_.target(what.target);
    request_.version(11);
    request_.set(http::field::host, what.host);
    request_.keep_alive(false);
    answer_.body_limit(longest_file);
  }

  void start(std::chrono::steady_clock::time_point deadline) {
    stream_.expires_at(deadline);
    stream_.async_connect(server_, [this](error_code error) {
      if (!error) ask();
    });
  }

  std::optional<std::string> take_answer() { return std::move(body_); }

 private:
  void ask() {
    http::async_write(stream_, request_, [this](error_code error, std::size_t) {
      if (!error) read();
    });
  }

  void read() {
    http::async_read(stream_, buffer_, answer_, [this](error_code error, std::size_t) {
      if (!error && answer_.get().result() == http::status::ok)
        body_ = std::move(answer_.get().body());
    });
  }

  beast::tcp_stream stream_;
  asio::ip::tcp::endpoint server_;
  http::request<http::empty_body> request_;
  http::response_parser<http::string_body> answer_;
  beast::flat_buffer buffer_{longest_file};
  std::optional<std::string> body_;
};

}  // namespace

std::optional<std::string> fetch_file(const web_file& what,
                                      std::chrono::steady_clock::time_point deadline) {
  asio::io_context io{1};
  exchange one{io, what};
  one.start(deadline);
  io.run();
  return one.take_answer();
}

}  // namespace damson::capi
