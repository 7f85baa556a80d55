#include "driver/http_exchange.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "http_exchange_fixture.hpp"
#include "waiting.hpp"
#include "web_server.hpp"

namespace damson::driver {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;
using testing::ElementsAre;
using testing::Ge;
using testing::Gt;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(http_exchange_test, carries_a_request_and_its_answer) {
  web_server server{io_};
  const auto exchange = ask(server);
  server.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nLocation: /there\r\n"
      "Content-Length: 5\r\n\r\nhello");
  ASSERT_TRUE(run_until_told());
  ASSERT_THAT(witness_->answers, SizeIs(1));
  const auto& answer = witness_->answers[0];
  EXPECT_EQ(answer.id, http_id{7});
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.content_type, "text/xml");
  EXPECT_EQ(answer.location, "/there");
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.peer, server.where());
  EXPECT_EQ(answer.local, server.client());
  EXPECT_EQ(server.received(), request_);

  EXPECT_TRUE(run_until(io_, [&] { return server.ended().has_value(); }));
  EXPECT_EQ(server.ended(), asio::error::eof) << "nothing asks for the connection to be kept";
}

TEST_F(http_exchange_test, reads_an_answer_in_many_segments) {
  web_server server{io_};
  const auto exchange = ask(server);
  for (const char each : std::string_view{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}) {
    EXPECT_FALSE(witness_->was_told());
    server.send({&each, 1});
    io_.poll();
  }
  ASSERT_TRUE(run_until_told());
  ASSERT_THAT(witness_->answers, SizeIs(1));
  EXPECT_EQ(witness_->answers[0].body, "hello");
}

TEST_F(http_exchange_test, reads_chunks) {
  EXPECT_EQ(answer_for("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")
                .body,
            "hello!");
}

TEST_F(http_exchange_test, reads_to_the_end_of_the_connection) {
  EXPECT_EQ(answer_for("HTTP/1.0 200 OK\r\n\r\nhello", true).body, "hello");
}

TEST_F(http_exchange_test, reads_a_head_with_lf_alone) {
  EXPECT_EQ(answer_for("HTTP/1.0 200\nContent-Length: 5\n\nhello").body, "hello");
}

TEST_F(http_exchange_test, passes_over_interim_answers) {
  EXPECT_EQ(answer_for("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n").status,
            204U);
}

TEST_F(http_exchange_test, reads_the_body_of_a_fault) {
  const auto answer = answer_for("HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nfault");
  EXPECT_EQ(answer.status, 500U);
  EXPECT_EQ(answer.body, "fault");
}

//
TEST_F(http_exchange_test, does_not_follow_redirects) {
  web_server elsewhere{io_};
  const auto target = "http://" + to_string(elsewhere.where()) + "/";
  const auto answer =
      answer_for("HTTP/1.1 302 Found\r\nLocation: " + target + "\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(answer.status, 302U);
  EXPECT_EQ(answer.location, target);
  io_.poll();
  EXPECT_FALSE(elsewhere.is_connected());
}

TEST_F(http_exchange_test, refuses_long_answers) {
  EXPECT_EQ(failure_for("HTTP/1.1 200 OK\r\nA: " + std::string(9'000, 'a')), http_error::too_large);
}

TEST_F(http_exchange_test, refuses_long_bodies_that_are_declared) {
  EXPECT_EQ(failure_for("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"), http_error::too_large);
}

TEST_F(http_exchange_test, refuses_long_bodies_that_are_not_declared) {
  EXPECT_EQ(failure_for("HTTP/1.1 200 OK\r\n\r\n" + std::string(1'001, 'a')),
            http_error::too_large);
}

TEST_F(http_exchange_test, refuses_what_is_not_http) {
  EXPECT_EQ(failure_for("220 ftp.example ready\r\n"), http_error::malformed);
}

TEST_F(http_exchange_test, is_broken_by_an_early_end) {
  EXPECT_EQ(failure_for("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", true),
            http_error::broken);
}

TEST_F(http_exchange_test, is_broken_by_an_end_without_answer) {
  EXPECT_EQ(failure_for("", true), http_error::broken);
}

TEST_F(http_exchange_test, is_broken_by_a_reset) {
  web_server server{io_};
  const auto exchange = ask(server);
  server.send("HTTP/1.1 200 OK\r\n\r\nhello");
  io_.poll();
  server.reset();
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(witness_->failures, ElementsAre(http_error::broken));
}

TEST_F(http_exchange_test, is_refused_where_nobody_listens) {
  web_server server{io_, "127.0.0.3"};
  const auto exchange = [&] {
    const auto where = server.where();
    server.stop_listening();
    return start(order_to(where));
  }();
  EXPECT_FALSE(witness_->was_told());
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(witness_->failures, ElementsAre(http_error::refused));
}

// Deadlines

constexpr auto short_deadline = 200ms;

/// An exchange with a server that does not come to an end ends in time all the same. On a machine
/// that is too busy to show what is to be seen until then, the next try has more time.
class exchange_with_deadline : public http_exchange_test {
 protected:
  /// `serve` goes on while the exchange lasts. True when it has shown what it is for.
  template <class Serve>
  bool ends_in_time(Serve serve) {
    for (auto deadline = short_deadline; deadline < patience; deadline *= 2) {
      web_server server{io_};
      const auto began = std::chrono::steady_clock::now();
      auto order = order_to(server.where());
      order.deadline = deadline;
      witness_->failures.clear();
      const auto exchange = start(order);
      const bool shown = serve(server);
      EXPECT_TRUE(run_until_told());
      EXPECT_THAT(witness_->failures, ElementsAre(http_error::timed_out));
      EXPECT_THAT(std::chrono::steady_clock::now() - began, Ge(deadline));
      if (shown) return true;
    }
    return false;
  }
};

//
TEST_F(exchange_with_deadline, ends_although_bytes_keep_coming) {
  EXPECT_TRUE(ends_in_time([&](web_server& server) {
    run_until(io_, [&] { return server.received() == request_ || witness_->was_told(); });
    if (witness_->was_told()) return false;
    server.send("HTTP/1.1 200 OK\r\n\r\n");
    asio::steady_timer next{io_};
    std::size_t bytes = 0;
    while (!witness_->was_told()) {
      bool due = false;
      next.expires_after(10ms);
      next.async_wait([&](const error_code& /*error*/) { due = true; });
      EXPECT_TRUE(run_until(io_, [&] { return due; }));
      if (witness_->was_told()) break;
      server.send("x");
      ++bytes;
    }
    return bytes > 3;
  }));
}

TEST_F(exchange_with_deadline, ends_in_silence) {
  EXPECT_TRUE(ends_in_time([&](web_server& server) {
    run_until(io_, [&] { return server.received() == request_ || witness_->was_told(); });
    return server.received() == request_;
  }));
}

TEST_F(http_exchange_test, may_have_no_time_at_all_or_all_of_it) {
  web_server server{io_};
  auto order = order_to(server.where());
  order.deadline = -1ms;
  const auto late = start(order);
  EXPECT_FALSE(witness_->was_told());
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(witness_->failures, ElementsAre(http_error::timed_out));

  witness_->failures.clear();
  web_server other{io_};
  order = order_to(other.where());
  order.deadline = std::chrono::milliseconds::max();
  const auto patient = start(order);
  ASSERT_TRUE(run_until(io_, [&] { return other.is_connected(); }));
  other.send("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(witness_->answers, SizeIs(1));
}

/// Takes no connection: its queue is full.
class busy_server {
 public:
  explicit busy_server(asio::io_context& io) : acceptor_(io), first_(io) {
    acceptor_.open(tcp::v4());
    acceptor_.bind({asio::ip::address_v4::loopback(), 0});
    acceptor_.listen(0);
    first_.connect(acceptor_.local_endpoint());
  }
  endpoint where() const {
    return {ip_address{ip_address::v4_bytes{127, 0, 0, 1}}, acceptor_.local_endpoint().port()};
  }

 private:
  tcp::acceptor acceptor_;
  tcp::socket first_;
};

TEST_F(http_exchange_test, ends_at_its_deadline_while_it_connects) {
  const busy_server server{io_};
  auto order = order_to(server.where());
  order.deadline = short_deadline;
  const auto exchange = start(order);
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(witness_->failures, ElementsAre(http_error::timed_out));
}

// Cancelling

class cancelled_exchange : public http_exchange_test {
 protected:
  /// Nothing more is told, nothing keeps running, nothing is left.
  void cancel(std::shared_ptr<http_exchange> exchange) {
    ASSERT_FALSE(witness_->was_told());
    const std::weak_ptr<http_exchange> gone = exchange;
    exchange->cancel();
    exchange.reset();
    ASSERT_TRUE(run_out());
    EXPECT_FALSE(witness_->was_told());
    EXPECT_TRUE(gone.expired());
  }
};

TEST_F(cancelled_exchange, at_once) {
  web_server server{io_};
  auto exchange = start(order_to(server.where()));
  server.stop_listening();
  cancel(std::move(exchange));
}

TEST_F(cancelled_exchange, while_it_connects) {
  const busy_server server{io_};
  auto exchange = start(order_to(server.where()));
  io_.poll();
  cancel(std::move(exchange));
}

TEST_F(cancelled_exchange, while_it_is_told_that_it_cannot_be_bound) {
  web_server server{io_};
  auto order = order_to(server.where());
  order.local = ip_address{ip_address::v4_bytes{192, 0, 2, 1}};
  auto exchange = start(order);
  server.stop_listening();
  cancel(std::move(exchange));
}

TEST_F(cancelled_exchange, while_it_asks) {
  constexpr std::size_t more_than_buffers_hold = 32 << 20;
  web_server server{io_, "127.0.0.1", web_server::reading::never};
  auto exchange = start(order_to(server.where(), std::string(more_than_buffers_hold, 'x')));
  ASSERT_TRUE(run_until(io_, [&] { return server.is_connected(); }));
  io_.poll();
  EXPECT_THAT(server.connection().available(), Gt(0U));
  cancel(std::move(exchange));
}

TEST_F(cancelled_exchange, before_and_within_the_answer) {
  for (const auto* const so_far :
       {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "HTTP/1.1 200 OK\r\n\r\nhell"}) {
    web_server server{io_};
    auto exchange = ask(server);
    server.send(so_far);
    io_.poll();
    cancel(std::move(exchange));
    EXPECT_TRUE(server.ended().has_value()) << so_far;
  }
}

TEST_F(cancelled_exchange, when_the_answer_is_there_already) {
  web_server server{io_};
  auto exchange = ask(server);
  server.send("HTTP/1.1 204 No Content\r\n\r\n");
  cancel(std::move(exchange));
  EXPECT_TRUE(server.ended().has_value());
}

TEST_F(cancelled_exchange, by_who_hears_of_another) {
  web_server first_server{io_};
  web_server second_server{io_};
  auto first = start(order_to(first_server.where()));
  auto second = start(order_to(second_server.where()));
  ASSERT_TRUE(run_until(io_, [&] {
    return first_server.received() == request_ && second_server.received() == request_;
  }));
  witness_->then = [&] {
    first->cancel();
    second->cancel();
    first.reset();
    second.reset();
  };
  first_server.send("HTTP/1.1 204 No Content\r\n\r\n");
  second_server.send("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(run_out());
  EXPECT_THAT(witness_->answers, SizeIs(1));
  EXPECT_THAT(witness_->failures, IsEmpty());
}

TEST_F(http_exchange_test, keeps_its_listener_until_it_is_over) {
  web_server server{io_};
  const auto exchange = ask(server);
  const std::weak_ptr<http_witness> listener = witness_;
  witness_.reset();
  EXPECT_FALSE(listener.expired());
  exchange->cancel();
  ASSERT_TRUE(run_out());
  EXPECT_TRUE(listener.expired());
}

}  // namespace
}  // namespace damson::driver
