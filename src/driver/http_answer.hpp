#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include <damson/engine.hpp>

namespace damson::driver {

/// One HTTP/1.x answer, put together from what comes in on a connection; interim answers (1xx) are
/// passed over. Does no I/O. Whatever is put in, memory stays within the bounds.
class http_answer {
 public:
  /// Of all heads of one answer together, in bytes, and of the trailer.
  static constexpr std::size_t head_limit = 8'192;
  /// Field lines of one head.
  static constexpr std::size_t field_line_limit = 64;

  /// `body_limit` in bytes, after any transfer coding is undone.
  explicit http_answer(std::size_t body_limit);
  http_answer(const http_answer&) = delete;
  http_answer& operator=(const http_answer&) = delete;
  ~http_answer();

  /// Takes what came next. True when the answer is whole; it takes nothing more after that, nor
  /// after an error.
  std::expected<bool, http_error> put(std::string_view bytes);

  /// The connection has ended. No error when that makes the answer whole.
  std::expected<void, http_error> put_end();

  /// The whole answer without what only the connection knows: `id`, `local` and `peer`. Borrows
  /// from this object.
  http_response response() const;

 private:
  struct parser;

  std::expected<void, http_error> take_heads();
  std::expected<void, http_error> take_head(std::size_t length);
  std::expected<void, http_error> take_body();

  std::unique_ptr<parser> parser_;
  std::size_t body_limit_;
  std::size_t head_bytes_ = 0;
  std::string unparsed_;
  std::string location_;
  std::string content_type_;
  std::string subscription_;  ///< SID
  std::string timeout_;
};

}  // namespace damson::driver
