// The TCP port that takes a router's events.

#include "driver/event_listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "driver/endpoints.hpp"
#include "waiting.hpp"

namespace damson::driver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using testing::ElementsAre;
using testing::SizeIs;

constexpr channel_id channel{3};

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

struct witness final : event_observer {
  struct event {
    channel_id channel{};
    endpoint from;
    std::string method;
    std::string target;
    std::vector<std::string> fields;  ///< NT, NTS, SID, SEQ
    std::string body;
  };

  std::uint16_t on_event(event_received what) override {
    events.push_back({what.channel,
                      what.from,
                      std::string{what.method},
                      std::string{what.target},
                      {std::string{what.notification_type}, std::string{what.notification_sub_type},
                       std::string{what.subscription}, std::string{what.sequence}},
                      std::string{what.body}});
    if (then) then();
    return status;
  }
  void on_listener_failed(channel_id /*channel*/) override { ++failures; }

  std::vector<event> events;
  std::uint16_t status = 200;
  int failures = 0;
  std::function<void()> then;
};

/// A router's side of one connection; handlers refer to it until it has ended.
class caller {
 public:
  caller(asio::io_context& io, const endpoint& to, std::string_view from = "127.0.0.1")
      : socket_(io) {
    socket_.open(tcp::v4());
    socket_.bind(to_tcp({address(from), 0}));
    socket_.connect(to_tcp(to));
    receive();
  }

  void send(std::string_view text) { asio::write(socket_, asio::buffer(text)); }
  const std::string& answer() const noexcept { return answer_; }
  bool has_ended() const noexcept { return ended_; }
  endpoint where() const { return from_tcp(socket_.local_endpoint()); }

 private:
  void receive() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [this](const error_code& error, std::size_t length) {
                              answer_.append(buffer_.data(), length);
                              ended_ = static_cast<bool>(error);
                              if (!ended_) receive();
                            });
  }

  tcp::socket socket_;
  std::array<char, 1'024> buffer_{};
  std::string answer_;
  bool ended_ = false;
};

const std::string body = "<e:propertyset/>";

std::string request_with(std::size_t length, std::string_view more = "") {
  return "NOTIFY /path HTTP/1.1\r\nHOST: 127.0.0.1:80\r\nNT: upnp:event\r\nNTS: upnp:propchange\r\n"
         "SID: uuid:1\r\nSEQ: 4\r\n" +
         std::string{more} + "CONTENT-LENGTH: " + std::to_string(length) + "\r\n\r\n";
}

const std::string request = request_with(body.size()) + body;

class event_listener_test : public testing::Test {
 protected:
  event_listener& open(std::chrono::milliseconds limit = patience,
                       std::string_view peer = "127.0.0.1") {
    auto made = event_listener::open(io_.get_executor(),
                                     {channel, address("127.0.0.1"), address(peer)}, limit);
    EXPECT_TRUE(made);
    listener_ = *made;
    listener_->start(witness_);
    return *listener_;
  }

  ~event_listener_test() override {
    if (listener_) listener_->close();
    io_.restart();
    io_.poll();
  }

  std::unique_ptr<caller> call(std::string_view text, std::string_view from = "127.0.0.1") {
    auto out = std::make_unique<caller>(io_, listener_->local(), from);
    out->send(text);
    return out;
  }

  bool ends(const caller& who) {
    return run_until(io_, [&] { return who.has_ended(); });
  }

  /// The first line of what a request is answered with; empty where the connection just ends.
  std::string answer_to(std::string_view text) {
    const auto who = call(text);
    EXPECT_TRUE(ends(*who));
    return who->answer().substr(0, who->answer().find('\r'));
  }

  asio::io_context io_;
  std::shared_ptr<witness> witness_ = std::make_shared<witness>();
  std::shared_ptr<event_listener> listener_;
};

TEST_F(event_listener_test, tells_of_a_request_and_answers_it) {
  open();
  const auto who = call(request);
  const endpoint from = who->where();
  ASSERT_TRUE(ends(*who));
  EXPECT_EQ(who->answer(), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  ASSERT_THAT(witness_->events, SizeIs(1));
  const auto& event = witness_->events[0];
  EXPECT_EQ(event.channel, channel);
  EXPECT_EQ(event.from, from);
  EXPECT_EQ(event.method, "NOTIFY");
  EXPECT_EQ(event.target, "/path");
  EXPECT_THAT(event.fields, ElementsAre("upnp:event", "upnp:propchange", "uuid:1", "4"));
  EXPECT_EQ(event.body, body);
  EXPECT_EQ(listener_->connections(), 0U);
}

TEST_F(event_listener_test, answers_as_it_is_told) {
  open();
  witness_->status = 412;
  EXPECT_EQ(answer_to(request), "HTTP/1.1 412 Precondition Failed");
}

TEST_F(event_listener_test, takes_requests_in_pieces_and_one_after_the_other) {
  open();
  for (int i = 0; i < 20; ++i) {
    const auto who = call(request.substr(0, 30));
    for (std::size_t at = 30; at < request.size(); at += 40) who->send(request.substr(at, 40));
    ASSERT_TRUE(ends(*who));
    EXPECT_TRUE(who->answer().starts_with("HTTP/1.1 200 "));
  }
  EXPECT_THAT(witness_->events, SizeIs(20));
}

TEST_F(event_listener_test, knows_requests_without_fields_or_body) {
  open();
  EXPECT_EQ(answer_to("GET / HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK");
  ASSERT_THAT(witness_->events, SizeIs(1));
  EXPECT_EQ(witness_->events[0].method, "GET");
  EXPECT_THAT(witness_->events[0].fields, ElementsAre("", "", "", ""));
}

//
TEST_F(event_listener_test, hangs_up_on_strangers) {
  open();
  const auto stranger = std::make_unique<caller>(io_, listener_->local(), "127.0.0.9");
  ASSERT_TRUE(ends(*stranger));
  EXPECT_EQ(stranger->answer(), "");
  EXPECT_THAT(witness_->events, SizeIs(0));
  EXPECT_EQ(answer_to(request), "HTTP/1.1 200 OK");
}

TEST_F(event_listener_test, has_its_port_at_the_address_asked_for_only) {
  const auto there = event_listener::open(io_.get_executor(),
                                          {channel, address("127.0.0.5"), address("127.0.0.1")});
  ASSERT_TRUE(there);
  EXPECT_EQ((*there)->local().address, address("127.0.0.5"));
  EXPECT_NE((*there)->local().port, 0);
  tcp::socket elsewhere{io_, tcp::v4()};
  error_code error;
  elsewhere.connect(to_tcp({address("127.0.0.1"), (*there)->local().port}), error);
  EXPECT_EQ(error, asio::error::connection_refused);
  (*there)->close();
}

TEST_F(event_listener_test, cannot_be_where_the_host_is_not) {
  EXPECT_FALSE(event_listener::open(io_.get_executor(),
                                    {channel, address("192.0.2.1"), address("127.0.0.1")}));
}

//
TEST_F(event_listener_test, takes_no_more_than_an_event_has) {
  open();
  const std::size_t longest = engine_limits::event_bytes - event_listener::head_bytes;
  EXPECT_EQ(answer_to(request_with(longest) + std::string(longest, ' ')), "HTTP/1.1 200 OK");
  EXPECT_THAT(witness_->events, SizeIs(1));
  EXPECT_EQ(answer_to(request_with(longest + 1)), "HTTP/1.1 413 Payload Too Large");
  EXPECT_EQ(
      answer_to(request_with(0, "X: " + std::string(event_listener::head_bytes, 'x') + "\r\n"))
          .substr(0, 12),
      "HTTP/1.1 413");
  EXPECT_THAT(witness_->events, SizeIs(1));
}

TEST_F(event_listener_test, takes_nothing_without_an_end_that_is_known) {
  open();
  EXPECT_EQ(answer_to("NOTIFY / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "HTTP/1.1 411 Length Required");
  EXPECT_THAT(witness_->events, SizeIs(0));
}

TEST_F(event_listener_test, takes_nothing_that_is_no_http) {
  open();
  for (const std::string_view bad :
       {"\r\n\r\n", "hello\r\n\r\n", "NOTIFY\r\n\r\n", "NOTIFY / FTP/1.0\r\n\r\n",
        "NOTIFY / HTTP/1.1\r\nno field\r\n\r\n", "NOTIFY / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "NOTIFY / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "\x16\x03\x01\r\n"}) {
    EXPECT_EQ(answer_to(bad), "HTTP/1.1 400 Bad Request") << bad;
  }
  EXPECT_THAT(witness_->events, SizeIs(0));
}

//
TEST_F(event_listener_test, waits_for_nobody_longer_than_its_patience) {
  open(std::chrono::milliseconds{50});
  const auto silent = std::make_unique<caller>(io_, listener_->local());
  const auto slow = call(request.substr(0, request.size() - 1));
  EXPECT_TRUE(ends(*silent));
  EXPECT_TRUE(ends(*slow));
  EXPECT_EQ(silent->answer() + slow->answer(), "");
  EXPECT_THAT(witness_->events, SizeIs(0));
  EXPECT_EQ(listener_->connections(), 0U);
}

TEST_F(event_listener_test, takes_a_few_at_a_time) {
  open();
  std::vector<std::unique_ptr<caller>> all;
  for (std::size_t i = 0; i < event_listener::most_connections; ++i) {
    all.push_back(call(request.substr(0, 20)));
  }
  ASSERT_TRUE(
      run_until(io_, [&] { return listener_->connections() == event_listener::most_connections; }));
  const auto next = call(request);
  // One of those before it goes on, and is told first.
  all.front()->send(request.substr(20));
  ASSERT_TRUE(ends(*all.front()));
  EXPECT_EQ(next->answer(), "");
  EXPECT_THAT(witness_->events, SizeIs(1));
  ASSERT_TRUE(ends(*next));
  EXPECT_TRUE(next->answer().starts_with("HTTP/1.1 200 "));
  EXPECT_THAT(witness_->events, SizeIs(2));
}

TEST_F(event_listener_test, lets_connections_wait_while_it_is_paused) {
  open();
  listener_->pause();
  const auto who = call(request);
  io_.restart();
  EXPECT_LE(io_.poll(), 2U);
  EXPECT_THAT(witness_->events, SizeIs(0));
  listener_->start(witness_);
  ASSERT_TRUE(ends(*who));
  EXPECT_THAT(witness_->events, SizeIs(1));
}

TEST_F(event_listener_test, keeps_no_context_running_while_it_is_paused) {
  open();
  listener_->pause();
  io_.restart();
  EXPECT_TRUE(run_until(io_, [&] { return io_.stopped(); }) || io_.stopped());
}

TEST_F(event_listener_test, cuts_what_is_under_way_when_it_is_closed) {
  open();
  const auto who = call(request.substr(0, 20));
  ASSERT_TRUE(run_until(io_, [&] { return listener_->connections() == 1; }));
  listener_->close();
  EXPECT_TRUE(ends(*who));
  EXPECT_EQ(who->answer(), "");
  EXPECT_THAT(witness_->events, SizeIs(0));
}

TEST_F(event_listener_test, may_be_closed_by_who_is_told) {
  open();
  witness_->then = [this] { listener_->close(); };
  const auto who = call(request);
  EXPECT_TRUE(ends(*who));
  EXPECT_EQ(who->answer(), "");
  EXPECT_EQ(witness_->failures, 0);
}

TEST_F(event_listener_test, leaves_no_socket_to_programs_that_are_started) {
  open();
  const auto who = call(request.substr(0, 20));
  ASSERT_TRUE(run_until(io_, [&] { return listener_->connections() == 1; }));
  const std::uint16_t port = listener_->local().port;
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int handle = std::stoi(entry.path().filename());
    sockaddr_in where{};
    socklen_t length = sizeof where;
    // NOLINTNEXTLINE(*-reinterpret-cast): so the system's call wants it
    if (::getsockname(handle, reinterpret_cast<sockaddr*>(&where), &length) != 0) continue;
    if (where.sin_family != AF_INET || ntohs(where.sin_port) != port) continue;
    ++found;
    EXPECT_NE(::fcntl(handle, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(found, 2) << "the port's, and the connection's";
}

}  // namespace
}  // namespace damson::driver
