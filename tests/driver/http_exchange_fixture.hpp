#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <damson/engine.hpp>

#include "driver/http_exchange.hpp"
#include "waiting.hpp"
#include "web_server.hpp"

namespace damson::driver {

/// What exchanges came to.
struct http_witness final : http_listener {
  struct answer {
    http_id id{};
    unsigned status = 0;
    endpoint local;
    endpoint peer;
    std::string location;
    std::string content_type;
    std::string body;
  };

  void on_http_response(const http_response& what) override {
    answers.push_back({what.id, what.status, what.local, what.peer, std::string{what.location},
                       std::string{what.content_type}, std::string{what.body}});
    if (then) then();
  }
  void on_http_failed(const http_failed& what) override {
    failures.push_back(what.error);
    if (then) then();
  }
  bool was_told() const { return !answers.empty() || !failures.empty(); }

  std::vector<answer> answers;
  std::vector<http_error> failures;
  std::function<void()> then;
};

inline send_http order_to(const endpoint& remote, std::string request = "GET / HTTP/1.1\r\n\r\n") {
  return {.id = http_id{7},
          .remote = remote,
          .local = {},
          .head_and_body = std::move(request),
          .body_limit = 1'000,
          .deadline = patience};
}

class http_exchange_test : public testing::Test {
 protected:
  std::shared_ptr<http_exchange> start(send_http order) {
    request_ = order.head_and_body;
    return http_exchange::start(io_.get_executor(), std::move(order), witness_);
  }

  /// A request has come to the server.
  std::shared_ptr<http_exchange> ask(web_server& server) {
    auto exchange = start(order_to(server.where()));
    EXPECT_TRUE(run_until(io_, [&] { return server.received() == request_; }));
    return exchange;
  }

  bool run_until_told() {
    return run_until(io_, [&] { return witness_->was_told(); });
  }

  /// What the one answer to a request comes to that the server sends.
  http_witness::answer answer_for(std::string_view bytes, bool ending = false) {
    web_server server{io_};
    const auto exchange = ask(server);
    server.send(bytes);
    if (ending) server.finish();
    EXPECT_TRUE(run_until_told());
    EXPECT_TRUE(witness_->failures.empty());
    return witness_->answers.empty() ? http_witness::answer{} : witness_->answers.front();
  }

  /// The same where it is none.
  std::optional<http_error> failure_for(std::string_view bytes, bool ending = false) {
    web_server server{io_};
    const auto exchange = ask(server);
    server.send(bytes);
    if (ending) server.finish();
    EXPECT_TRUE(run_until_told());
    EXPECT_TRUE(witness_->answers.empty());
    return witness_->failures.empty() ? std::nullopt : std::optional{witness_->failures.front()};
  }

  bool run_out() {
    io_.restart();
    io_.run_for(patience);
    return io_.stopped();
  }

  boost::asio::io_context io_;
  std::shared_ptr<http_witness> witness_ = std::make_shared<http_witness>();
  std::string request_;
};

}  // namespace damson::driver
