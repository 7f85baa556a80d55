#include "driver/http_answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace damson::driver {
namespace {

using testing::AnyOf;

constexpr std::size_t body_limit = 1'000;

/// What an answer came to.
struct outcome {
  bool whole = false;
  std::optional<http_error> error{};
  std::uint16_t status = 0;
  std::string location{};
  std::string content_type{};
  std::string body{};
  std::string subscription{};
  std::string timeout{};

  bool operator==(const outcome&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const outcome& o) {
    out << (o.whole ? "whole" : "not whole");
    if (o.error) out << ", error " << static_cast<int>(*o.error);
    return out << ", " << o.status << ", location '" << o.location << "', type '" << o.content_type
               << "', body '" << o.body << "', subscription '" << o.subscription << "', timeout '"
               << o.timeout << "'";
  }
};

outcome failed(http_error error) { return {.error = error}; }

outcome whole(std::uint16_t status, std::string body) {
  return {.whole = true, .status = status, .body = std::move(body)};
}

enum class connection : std::uint8_t { stays, ends };

/// Puts the bytes in, in pieces of this size, until the answer is whole or an error.
outcome read_in_pieces(std::string_view bytes, connection after, std::size_t piece) {
  http_answer answer{body_limit};
  bool done = false;
  for (; !bytes.empty() && !done; bytes.remove_prefix(std::min(piece, bytes.size()))) {
    const auto put = answer.put(bytes.substr(0, piece));
    if (!put) return failed(put.error());
    done = *put;
  }
  if (!done && after == connection::ends) {
    if (const auto put = answer.put_end(); !put) return failed(put.error());
    done = true;
  }
  if (!done) return {};
  const auto response = answer.response();
  return {.whole = true,
          .status = response.status,
          .location = std::string{response.location},
          .content_type = std::string{response.content_type},
          .body = std::string{response.body},
          .subscription = std::string{response.subscription},
          .timeout = std::string{response.timeout}};
}

/// The same in pieces of every kind.
outcome read(std::string_view bytes, connection after = connection::stays) {
  const auto at_once = read_in_pieces(bytes, after, bytes.size());
  for (const std::size_t piece : {1U, 2U, 3U, 5U, 7U, 64U, 1'460U})
    EXPECT_EQ(read_in_pieces(bytes, after, piece), at_once) << "in pieces of " << piece;
  return at_once;
}

TEST(http_answer, ends_with_its_content_length) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\n"
                 "Content-Type: text/xml\r\n"
                 "Content-Length: 5\r\n"
                 "\r\n"
                 "hello"),
            (outcome{.whole = true, .status = 200, .content_type = "text/xml", .body = "hello"}));
}

TEST(http_answer, leaves_what_comes_after_its_content_length) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello"), whole(200, "he"));
}

TEST(http_answer, may_have_an_empty_body) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), whole(200, ""));
}

TEST(http_answer, ends_with_the_connection_where_it_has_no_length) {
  constexpr std::string_view bytes = "HTTP/1.0 200 OK\r\n\r\n<a/>";
  EXPECT_EQ(read(bytes), outcome{});
  EXPECT_EQ(read(bytes, connection::ends), whole(200, "<a/>"));
  EXPECT_EQ(read("HTTP/1.0 200 OK\r\n\r\n", connection::ends), whole(200, ""));
}

TEST(http_answer, is_put_together_from_chunks) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n"
                 "0000a;name=\"value\"\r\n0123456789\r\n"
                 "1\r\nx\r\n"
                 "0\r\n\r\n"),
            whole(200, "abc0123456789x"));
}

TEST(http_answer, may_be_one_empty_chunk) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), whole(200, ""));
}

TEST(http_answer, says_in_its_head_where_to_go) {
  EXPECT_EQ(read("HTTP/1.1 302 Found\r\n"
                 "location:   http://192.0.2.1/x \t\r\n"
                 "Content-Length: 0\r\n"
                 "\r\n"),
            (outcome{.whole = true, .status = 302, .location = "http://192.0.2.1/x"}));
}

TEST(http_answer, names_a_subscription_in_its_head) {
  EXPECT_EQ(
      read("HTTP/1.1 200 OK\r\n"
           "Sid: uuid:1\r\n"
           "Timeout: Second-600\r\n"
           "Content-Length: 0\r\n"
           "\r\n"),
      (outcome{.whole = true, .status = 200, .subscription = "uuid:1", .timeout = "Second-600"}));
}

TEST(http_answer, does_not_believe_its_trailer) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "0\r\nLocation: /elsewhere\r\nContent-Type: text/html\r\n\r\n"),
            whole(200, ""));
}

//
TEST(http_answer, may_end_its_lines_with_lf_alone) {
  EXPECT_EQ(
      read("HTTP/1.1 200 OK\n"
           "Content-Type: text/xml\n"
           "Content-Length: 8\n"
           "\n"
           "a\nb\r\nc\n\n"),
      (outcome{.whole = true, .status = 200, .content_type = "text/xml", .body = "a\nb\r\nc\n\n"}));
}

TEST(http_answer, may_mix_line_ends) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\nContent-Length: 1\r\n\nx"), whole(200, "x"));
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 1\n\r\nx"), whole(200, "x"));
}

//
TEST(http_answer, needs_no_reason) {
  EXPECT_EQ(read("HTTP/1.0 200\r\nContent-Length: 1\r\n\r\nx"), whole(200, "x"));
  EXPECT_EQ(read("HTTP/1.0 200\nContent-Length: 1\n\nx"), whole(200, "x"));
  EXPECT_EQ(read("HTTP/1.1 500 \r\nContent-Length: 1\r\n\r\nx"), whole(500, "x"));
}

TEST(http_answer, comes_after_interim_ones) {
  EXPECT_EQ(read("HTTP/1.1 100 Continue\r\n\r\n"
                 "HTTP/1.1 103 Early Hints\nContent-Length: 7\n\n"
                 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
            whole(200, "x"));
  EXPECT_EQ(read("HTTP/1.1 100 Continue\r\n\r\n"), outcome{});
}

TEST(http_answer, has_no_body_where_none_can_be) {
  EXPECT_EQ(read("HTTP/1.1 204 No Content\r\n\r\n"), whole(204, ""));
  EXPECT_EQ(read("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc"), whole(204, ""));
  EXPECT_EQ(read("HTTP/1.1 304 Not Modified\r\n\r\n"), whole(304, ""));
}

//
TEST(http_answer, has_a_body_whatever_its_status) {
  EXPECT_EQ(read("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nfault"),
            whole(500, "fault"));
  EXPECT_EQ(read("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"), whole(404, "no"));
}

TEST(http_answer, may_say_that_it_is_not_coded) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n"
                 "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"),
            whole(200, ""));
}

TEST(http_answer, is_malformed_where_nobody_can_read_it) {
  for (const auto* const bytes : {
           "SSH-2.0-dropbear\r\n",
           "http/1.1 200 OK\r\n\r\n",
           "HTTP/2.0 200 OK\r\n\r\n",
           "HTTP/1.1 2x0 OK\r\n\r\n",
           "HTTP/1.1 20 OK\r\n\r\n",
           "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 101 Switching Protocols\r\n\r\n",
           "\r\nHTTP/1.1 200 OK\r\n\r\n",
           "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
           "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
           "HTTP/1.1 200 OK\r\n: nameless\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcdef\r\n",
           "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
           "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\ncontent-encoding: br\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
       })
    EXPECT_EQ(read(bytes), failed(http_error::malformed)) << bytes;
}

TEST(http_answer, is_malformed_with_a_nul_in_its_head) {
  using namespace std::string_view_literals;
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n"sv), failed(http_error::malformed));
}

TEST(http_answer, is_broken_where_the_connection_ends_too_early) {
  for (const auto* const bytes : {
           "HTTP/1.1 200",
           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
           "HTTP/1.1 100 Continue\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
       })
    EXPECT_EQ(read(bytes, connection::ends), failed(http_error::broken)) << bytes;
  http_answer nothing{body_limit};
  EXPECT_EQ(nothing.put_end(), std::unexpected{http_error::broken});
}

/// A head of so many bytes, the empty line included.
std::string head_of(std::size_t length) {
  const std::string_view start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ";
  const std::string_view end = "\r\n\r\n";
  return std::string{start} + std::string(length - start.size() - end.size(), 'a') +
         std::string{end};
}

//
TEST(http_answer, has_a_bounded_head) {
  EXPECT_EQ(read(head_of(http_answer::head_limit)), whole(200, ""));
  EXPECT_EQ(read(head_of(http_answer::head_limit + 1)), failed(http_error::too_large));
  EXPECT_EQ(read("HTTP/1.1 200 " + std::string(http_answer::head_limit, 'a')),
            failed(http_error::too_large));
}

TEST(http_answer, has_a_bounded_head_whatever_comes_before_it) {
  const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
  std::string many;
  while (many.size() <= http_answer::head_limit) many += interim;
  EXPECT_EQ(read(many), failed(http_error::too_large));
  EXPECT_EQ(read(interim + head_of(http_answer::head_limit - interim.size())), whole(200, ""));
  EXPECT_EQ(read(interim + head_of(http_answer::head_limit - interim.size() + 1)),
            failed(http_error::too_large));
}

TEST(http_answer, has_few_field_lines) {
  const auto with_lines = [](std::size_t count, const std::string& line_end) {
    std::string out = "HTTP/1.1 204 No Content" + line_end;
    for (std::size_t i = 0; i < count; ++i) out += "a: b" + line_end;
    return out + line_end;
  };
  for (const auto* const line_end : {"\r\n", "\n"}) {
    EXPECT_EQ(read(with_lines(http_answer::field_line_limit, line_end)), whole(204, ""));
    EXPECT_EQ(read(with_lines(http_answer::field_line_limit + 1, line_end)),
              failed(http_error::too_large));
  }
}

TEST(http_answer, has_a_bounded_body_that_is_declared) {
  const std::string most(body_limit, 'x');
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + most), whole(200, most));
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"), failed(http_error::too_large));
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n"),
            failed(http_error::too_large));
}

TEST(http_answer, has_a_bounded_body_that_is_not_declared) {
  const std::string head = "HTTP/1.0 200 OK\r\n\r\n";
  const std::string most(body_limit, 'x');
  EXPECT_EQ(read(head + most, connection::ends), whole(200, most));
  EXPECT_EQ(read(head + most + 'x'), failed(http_error::too_large));
}

TEST(http_answer, has_bounded_chunks) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string chunk = "1f4\r\n" + std::string(500, 'x') + "\r\n";
  EXPECT_EQ(read(head + chunk + chunk + "0\r\n\r\n"), whole(200, std::string(body_limit, 'x')));
  EXPECT_EQ(read(head + chunk + chunk + "1\r\n"), failed(http_error::too_large));
  EXPECT_EQ(read(head + "ffffffffffffffff\r\n"), failed(http_error::too_large));
  EXPECT_THAT(read(head + std::string(20'000, '0')).error,
              AnyOf(http_error::too_large, http_error::malformed));
  EXPECT_EQ(read(head + "0\r\nA: " + std::string(20'000, 'a')), failed(http_error::too_large));
}

}  // namespace
}  // namespace damson::driver
