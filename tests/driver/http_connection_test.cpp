// The TCP connections that HTTP exchanges go over.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/system_error.hpp>

#include "driver/http_exchange.hpp"
#include "http_exchange_fixture.hpp"
#include "new_network.hpp"
#include "tcp_segments.hpp"
#include "waiting.hpp"
#include "web_server.hpp"

namespace damson::driver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::ElementsAre;
using testing::SizeIs;

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

class http_connection_test : public http_exchange_test {};

//
TEST_F(http_connection_test, comes_from_the_address_asked_for) {
  web_server server{io_};
  auto order = order_to(server.where());
  order.local = address("127.0.0.2");
  const auto exchange = start(order);
  ASSERT_TRUE(run_until(io_, [&] { return server.is_connected(); }));
  EXPECT_EQ(server.client().address, address("127.0.0.2"));
  server.send("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(run_until_told());
  ASSERT_THAT(witness_->answers, SizeIs(1));
  EXPECT_EQ(witness_->answers[0].local, server.client());
}

TEST_F(http_connection_test, cannot_come_from_an_address_of_others) {
  web_server server{io_};
  for (const auto* const strange : {"192.0.2.1", "::1"}) {
    auto order = order_to(server.where());
    order.local = address(strange);
    witness_->failures.clear();
    const auto exchange = start(order);
    EXPECT_FALSE(witness_->was_told()) << "told before start returned";
    ASSERT_TRUE(run_until_told());
    EXPECT_THAT(witness_->failures, ElementsAre(http_error::unreachable)) << strange;
  }
}

TEST_F(http_connection_test, goes_over_ipv6) {
  std::optional<web_server> server;
  try {
    server.emplace(io_, "::1");
  } catch (const boost::system::system_error& error) {
    GTEST_SKIP() << "no IPv6 here: " << error.what();
  }
  auto order = order_to(server->where());
  order.local = address("::1");
  const auto exchange = start(order);
  ASSERT_TRUE(run_until(io_, [&] { return server->received() == request_; }));
  server->send("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(run_until_told());
  ASSERT_THAT(witness_->answers, SizeIs(1));
  EXPECT_EQ(witness_->answers[0].peer, server->where());
  EXPECT_EQ(witness_->answers[0].local, server->client());
}

/// What the option is on each of this process's sockets that are connected to there, -1 where it
/// cannot be read.
std::vector<int> on_sockets_to(const endpoint& where, const std::function<int(int)>& option) {
  std::vector<int> out;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    const int file = std::stoi(entry.path().filename().string());
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    if (::getpeername(file, reinterpret_cast<sockaddr*>(&peer), &length) == 0 &&
        peer.sin_family == AF_INET && ntohs(peer.sin_port) == where.port)
      out.push_back(option(file));
  }
  return out;
}

TEST_F(http_connection_test, is_not_inherited) {
  web_server server{io_};
  const auto exchange = ask(server);
  EXPECT_THAT(
      on_sockets_to(server.where(), [](int file) { return ::fcntl(file, F_GETFD) & FD_CLOEXEC; }),
      ElementsAre(FD_CLOEXEC));
}

//
TEST_F(http_connection_test, asks_in_one_segment) {
  web_server server{io_};
  const auto exchange =
      start(order_to(server.where(), "POST / HTTP/1.1\r\n\r\n" + std::string(2'000, 'x')));
  ASSERT_TRUE(run_until(io_, [&] { return server.received() == request_; }));
  EXPECT_EQ(data_segments_received(server.connection().native_handle()), 1U);
  EXPECT_THAT(on_sockets_to(server.where(),
                            [](int file) {
                              int value = 0;
                              socklen_t size = sizeof value;
                              return ::getsockopt(file, IPPROTO_TCP, TCP_NODELAY, &value, &size) ==
                                             0
                                         ? value
                                         : -1;
                            }),
              ElementsAre(1));
}

/// The process would die of SIGPIPE.
TEST_F(http_connection_test, raises_no_signal_when_nobody_reads) {
  constexpr std::size_t more_than_buffers_hold = 32 << 20;
  tcp::acceptor acceptor{io_, {asio::ip::address_v4::loopback(), 0}};
  const auto exchange = start(order_to({address("127.0.0.1"), acceptor.local_endpoint().port()},
                                       std::string(more_than_buffers_hold, 'x')));
  // The system has made the connection; the exchange finds it ended before it has written.
  acceptor.accept().close();
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(witness_->failures, ElementsAre(http_error::broken));
}

void find_no_way_out() {
  asio::io_context io;
  const auto listener = std::make_shared<http_witness>();
  const auto exchange =
      http_exchange::start(io.get_executor(), order_to({address("192.168.77.1"), 80}), listener);
  ASSERT_TRUE(run_until(io, [&] { return listener->was_told(); }));
  EXPECT_THAT(listener->failures, ElementsAre(http_error::unreachable));
}

TEST(http_connection_network, is_unreachable_without_a_route) {
  DAMSON_RUN_IN_NEW_NETWORK(find_no_way_out);
}

void find_nobody_on_the_link() {
  ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
  ip({"link", "set", "near", "up"});
  ip({"link", "set", "far", "up"});
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  asio::io_context io;
  const auto listener = std::make_shared<http_witness>();
  const auto exchange =
      http_exchange::start(io.get_executor(), order_to({address("192.168.77.1"), 80}), listener);
  ASSERT_TRUE(run_until(io, [&] { return listener->was_told(); }));
  EXPECT_THAT(listener->failures, ElementsAre(http_error::unreachable));
}

TEST(http_connection_network, is_unreachable_where_nobody_answers_on_the_link) {
  DAMSON_RUN_IN_NEW_NETWORK(find_nobody_on_the_link);
}

}  // namespace
}  // namespace damson::driver
