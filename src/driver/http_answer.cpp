#include "driver/http_answer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/error_code.hpp>

namespace damson::driver {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

struct http_answer::parser : http::response_parser<http::string_body> {};

namespace {

constexpr std::string_view version_prefix = "HTTP/";

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

/// One past the empty line that ends the head, or npos while it has not come.
std::size_t end_of_head(std::string_view text) {
  for (auto line_end = text.find('\n'); line_end != std::string_view::npos;
       line_end = text.find('\n', line_end + 1)) {
    const auto next = text.substr(line_end + 1);
    if (next.starts_with('\n')) return line_end + 2;
    if (next.starts_with("\r\n")) return line_end + 3;
  }
  return std::string_view::npos;
}

/// Beast wants CRLF at each line's end and a space behind the status code; some routers send LF
/// alone, and neither space nor reason.
std::string with_regular_lines(std::string_view head) {
  constexpr std::size_t status_line_without_reason = std::string_view{"HTTP/1.1 200"}.size();
  std::string out;
  out.reserve(head.size() + http_answer::field_line_limit + 3);
  for (char previous = '\0'; const char each : head) {
    const bool bare_line_end = each == '\n' && previous != '\r';
    if ((each == '\r' || bare_line_end) && out.size() == status_line_without_reason) out += ' ';
    if (bare_line_end) out += '\r';
    out += each;
    previous = each;
  }
  return out;
}

/// Nobody asked for another coding, and nothing here can undo one.
bool is_coded(const http::fields& head) {
  const auto is_any_of = [](beast::string_view value, const auto&... names) {
    return (beast::iequals(value, names) || ...);
  };
  return std::ranges::any_of(head, [&](const auto& field) {
    switch (field.name()) {
      case http::field::content_encoding:
        return !is_any_of(field.value(), "identity", "");
      case http::field::transfer_encoding:
        return !is_any_of(field.value(), "identity", "chunked", "");
      default:
        return false;
    }
  });
}

http_error meaning_of(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::body_limit ||
      error == http::error::buffer_overflow)
    return http_error::too_large;
  return error == http::error::partial_message ? http_error::broken : http_error::malformed;
}

}  // namespace

http_answer::http_answer(std::size_t body_limit) : body_limit_(body_limit) {}

http_answer::~http_answer() = default;

std::expected<bool, http_error> http_answer::put(std::string_view bytes) {
  unparsed_ += bytes;
  if (const auto taken = take_heads(); !taken) return std::unexpected{taken.error()};
  if (parser_ == nullptr) return false;
  if (const auto taken = take_body(); !taken) return std::unexpected{taken.error()};
  return parser_->is_done();
}

/// Until the head of the final answer is there.
std::expected<void, http_error> http_answer::take_heads() {
  while (parser_ == nullptr) {
    const auto compared = std::min(unparsed_.size(), version_prefix.size());
    if (!version_prefix.starts_with(std::string_view{unparsed_}.substr(0, compared)))
      return std::unexpected{http_error::malformed};
    const auto length = end_of_head(unparsed_);
    const bool whole = length != std::string::npos;
    if (head_bytes_ + (whole ? length : unparsed_.size()) > head_limit)
      return std::unexpected{http_error::too_large};
    if (!whole) return {};
    if (const auto taken = take_head(length); !taken) return taken;
  }
  return {};
}

std::expected<void, http_error> http_answer::take_head(std::size_t length) {
  constexpr std::ptrdiff_t other_lines = 2;  // the status line and the empty one
  const std::string_view raw = std::string_view{unparsed_}.substr(0, length);
  if (std::ranges::count(raw, '\n') > std::ptrdiff_t{field_line_limit} + other_lines)
    return std::unexpected{http_error::too_large};
  const auto head = with_regular_lines(raw);
  head_bytes_ += length;
  unparsed_.erase(0, length);

  auto next = std::make_unique<parser>();
  next->eager(true);
  next->header_limit(static_cast<std::uint32_t>(2 * head_limit));  // it has been seen to be shorter
  next->body_limit(body_limit_);
  error_code error;
  next->put(asio::buffer(head), error);
  if (error) return std::unexpected{meaning_of(error)};
  const auto status = next->get().result_int();
  constexpr unsigned switching_protocols = 101;  // nobody asked for that
  if (!next->is_header_done() || status < 100 || status == switching_protocols)
    return std::unexpected{http_error::malformed};
  if (status < 200) return {};
  if (is_coded(next->get())) return std::unexpected{http_error::malformed};
  // A trailer must not change what the head said.
  location_ = view(next->get()[http::field::location]);
  content_type_ = view(next->get()[http::field::content_type]);
  subscription_ = view(next->get()["SID"]);
  timeout_ = view(next->get()["TIMEOUT"]);
  parser_ = std::move(next);
  return {};
}

std::expected<void, http_error> http_answer::take_body() {
  // Beast asserts that the last chunk does not come in pieces smaller than this.
  constexpr std::size_t shortest_chunk = std::string_view{"0\r\n\r\n"}.size();
  const std::size_t least = parser_->chunked() ? shortest_chunk : 1;
  if (parser_->is_done() || unparsed_.size() < least) return {};
  error_code error;
  unparsed_.erase(0, parser_->put(asio::buffer(unparsed_), error));
  if (error == http::error::need_more) error.clear();
  if (error) return std::unexpected{meaning_of(error)};
  if (!parser_->is_done() && unparsed_.size() > head_limit)
    return std::unexpected{http_error::too_large};
  return {};
}

std::expected<void, http_error> http_answer::put_end() {
  if (parser_ == nullptr) return std::unexpected{http_error::broken};
  error_code error;
  parser_->put_eof(error);
  if (error) return std::unexpected{meaning_of(error)};
  return {};
}

http_response http_answer::response() const {
  const auto& message = parser_->get();
  http_response out;
  out.status = static_cast<std::uint16_t>(message.result_int());
  out.location = location_;
  out.content_type = content_type_;
  out.body = message.body();
  out.subscription = subscription_;
  out.timeout = timeout_;
  return out;
}

}  // namespace damson::driver
