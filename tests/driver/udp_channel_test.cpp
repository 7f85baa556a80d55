#include "driver/udp_channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>

#include "driver/endpoints.hpp"
#include "new_network.hpp"
#include "waiting.hpp"

namespace damson::driver {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using testing::ElementsAre;
using testing::Gt;
using testing::SizeIs;

constexpr channel_id first_channel{1};

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

/// What a channel told.
struct witness final : channel_listener {
  struct arrival {
    endpoint from;
    std::vector<std::byte> bytes;
  };

  void on_datagrams(channel_id /*channel*/, std::span<const incoming_datagram> arrived) override {
    for (const auto& [from, bytes] : arrived) take(from, bytes);
  }
  void take(const endpoint& from, std::span<const std::byte> bytes) {
    datagrams.push_back({from, {bytes.begin(), bytes.end()}});
    if (then) then();
  }
  void on_channel_error(channel_id /*channel*/, channel_error error) override {
    errors.push_back(error);
    if (then) then();
  }

  std::vector<arrival> datagrams;
  std::vector<channel_error> errors;
  std::function<void()> then;
};

class udp_channel_test : public testing::Test {
 protected:
  static udp::socket server_at(asio::io_context& io, std::string_view where,
                               std::uint16_t port = 0) {
    return udp::socket{io, to_asio(endpoint{address(where), port})};
  }

  std::shared_ptr<udp_channel> open(const endpoint& remote, const ip_address& local = {}) {
    auto channel =
        udp_channel::open(io_.get_executor(), first_channel, connected_channel{local, remote});
    EXPECT_TRUE(channel.has_value()) << channel.error().message();
    return *channel;
  }

  asio::io_context io_;
  std::shared_ptr<witness> witness_ = std::make_shared<witness>();
  std::vector<std::byte> three_bytes_{std::byte{1}, std::byte{2}, std::byte{3}};
};

TEST_F(udp_channel_test, carries_datagrams_both_ways) {
  auto server = server_at(io_, "127.0.0.1");
  const auto channel = open(from_asio(server.local_endpoint()));
  channel->start(witness_);
  EXPECT_EQ(channel->send(three_bytes_), send_result::sent);

  std::array<std::byte, 100> buffer{};
  udp::endpoint client;
  ASSERT_EQ(server.receive_from(asio::buffer(buffer), client), 3U);
  EXPECT_EQ(from_asio(client), channel->local());
  server.send_to(asio::buffer(three_bytes_), client);

  ASSERT_TRUE(run_until(io_, [&] { return !witness_->datagrams.empty(); }));
  EXPECT_EQ(witness_->datagrams[0].from, from_asio(server.local_endpoint()));
  EXPECT_EQ(witness_->datagrams[0].bytes, three_bytes_);
}

TEST_F(udp_channel_test, is_bound_to_the_address_asked_for) {
  auto server = server_at(io_, "127.0.0.1");
  const auto channel = open(from_asio(server.local_endpoint()), address("127.0.0.2"));
  EXPECT_EQ(channel->local().address, address("127.0.0.2"));
  EXPECT_NE(channel->local().port, 0);
}

TEST_F(udp_channel_test, carries_datagrams_over_ipv6) {
  boost::system::error_code error;
  udp::socket server{io_};
  if (server.open(udp::v6(), error) || server.bind(to_asio(endpoint{address("::1"), 0}), error)) {
    GTEST_SKIP() << "no IPv6 here: " << error.message();
  }
  const auto channel = open(from_asio(server.local_endpoint()), address("::1"));
  channel->start(witness_);
  server.send_to(asio::buffer(three_bytes_), to_asio(channel->local()));
  ASSERT_TRUE(run_until(io_, [&] { return !witness_->datagrams.empty(); }));
  EXPECT_EQ(witness_->datagrams[0].from, from_asio(server.local_endpoint()));
}

TEST_F(udp_channel_test, does_not_hear_strangers) {
  auto server = server_at(io_, "127.0.0.1");
  auto stranger = server_at(io_, "127.0.0.3");
  const auto channel = open(from_asio(server.local_endpoint()));
  channel->start(witness_);
  stranger.send_to(asio::buffer(three_bytes_), to_asio(channel->local()));
  server.send_to(asio::buffer(three_bytes_), to_asio(channel->local()));
  ASSERT_TRUE(run_until(io_, [&] { return !witness_->datagrams.empty(); }));
  ASSERT_THAT(witness_->datagrams, SizeIs(1));
  EXPECT_EQ(witness_->datagrams[0].from, from_asio(server.local_endpoint()));
}

TEST_F(udp_channel_test, tells_of_a_refusal_and_goes_on) {
  const auto where = server_at(io_, "127.0.0.1").local_endpoint();  // closed again
  const auto channel = open(from_asio(where));
  channel->start(witness_);
  EXPECT_EQ(channel->send(three_bytes_), send_result::sent);
  ASSERT_TRUE(run_until(io_, [&] { return !witness_->errors.empty(); }));
  EXPECT_THAT(witness_->errors, ElementsAre(channel_error::refused));

  auto server = server_at(io_, "127.0.0.1", where.port());
  server.send_to(asio::buffer(three_bytes_), to_asio(channel->local()));
  ASSERT_TRUE(run_until(io_, [&] { return !witness_->datagrams.empty(); }));
  EXPECT_THAT(witness_->errors, SizeIs(1));
}

TEST_F(udp_channel_test, sends_in_spite_of_an_earlier_refusal) {
  const auto where = server_at(io_, "127.0.0.1").local_endpoint();
  const auto channel = open(from_asio(where));
  // Loopback delivers at once, so the answer is there already, and nobody has received it.
  ASSERT_EQ(channel->send(three_bytes_), send_result::sent);
  auto server = server_at(io_, "127.0.0.1", where.port());
  EXPECT_EQ(channel->send(three_bytes_), send_result::sent_after_refusal);
  EXPECT_EQ(server.available(), 3U);
  EXPECT_EQ(channel->send(three_bytes_), send_result::sent);
}

TEST_F(udp_channel_test, passes_on_enough_of_a_long_datagram_to_show_that_it_is_too_long) {
  auto server = server_at(io_, "127.0.0.1");
  const auto channel = open(from_asio(server.local_endpoint()));
  channel->start(witness_);
  const std::vector<std::byte> longest(engine_limits::datagram_bytes);
  const std::vector<std::byte> too_long(engine_limits::datagram_bytes + 1);
  const std::vector<std::byte> much_too_long(60'000);
  for (const auto& bytes : {longest, too_long, much_too_long})
    server.send_to(asio::buffer(bytes), to_asio(channel->local()));
  ASSERT_TRUE(run_until(io_, [&] { return witness_->datagrams.size() == 3; }));
  EXPECT_THAT(witness_->datagrams[0].bytes, SizeIs(engine_limits::datagram_bytes));
  EXPECT_THAT(witness_->datagrams[1].bytes, SizeIs(engine_limits::datagram_bytes + 1));
  EXPECT_THAT(witness_->datagrams[2].bytes, SizeIs(Gt(engine_limits::datagram_bytes)));
}

TEST_F(udp_channel_test, takes_an_empty_datagram) {
  auto server = server_at(io_, "127.0.0.1");
  const auto channel = open(from_asio(server.local_endpoint()));
  channel->start(witness_);
  server.send_to(asio::const_buffer{}, to_asio(channel->local()));
  ASSERT_TRUE(run_until(io_, [&] { return !witness_->datagrams.empty(); }));
  EXPECT_THAT(witness_->datagrams[0].bytes, SizeIs(0));
}

TEST_F(udp_channel_test, cannot_be_bound_to_a_strange_address) {
  const auto channel =
      udp_channel::open(io_.get_executor(), first_channel,
                        connected_channel{address("192.0.2.1"), {address("127.0.0.1"), 5351}});
  ASSERT_FALSE(channel.has_value());
  EXPECT_EQ(channel.error(), boost::system::errc::address_not_available);
}

TEST_F(udp_channel_test, keeps_nothing_running_while_it_rests) {
  auto server = server_at(io_, "127.0.0.1");
  const auto channel = open(from_asio(server.local_endpoint()));
  channel->start(witness_);
  channel->pause();
  io_.run();
  server.send_to(asio::buffer(three_bytes_), to_asio(channel->local()));
  io_.restart();
  EXPECT_EQ(io_.run(), 0U);
  EXPECT_TRUE(witness_->datagrams.empty());

  channel->start(witness_);
  ASSERT_TRUE(run_until(io_, [&] { return !witness_->datagrams.empty(); }));
}

TEST_F(udp_channel_test, may_rest_and_start_again_at_once) {
  auto server = server_at(io_, "127.0.0.1");
  const auto channel = open(from_asio(server.local_endpoint()));
  channel->start(witness_);
  channel->pause();
  channel->start(witness_);
  server.send_to(asio::buffer(three_bytes_), to_asio(channel->local()));
  ASSERT_TRUE(run_until(io_, [&] { return !witness_->datagrams.empty(); }));
}

TEST_F(udp_channel_test, may_be_closed_by_its_listener) {
  auto server = server_at(io_, "127.0.0.1");
  auto channel = open(from_asio(server.local_endpoint()));
  witness_->then = [&] {
    channel->close();
    channel.reset();
  };
  channel->start(witness_);
  const auto local = to_asio(channel->local());
  server.send_to(asio::buffer(three_bytes_), local);
  io_.run();
  server.send_to(asio::buffer(three_bytes_), local);
  io_.restart();
  io_.run();
  EXPECT_THAT(witness_->datagrams, SizeIs(1));
}

TEST_F(udp_channel_test, tells_of_many_in_their_order) {
  auto server = server_at(io_, "127.0.0.1");
  const auto channel = open(from_asio(server.local_endpoint()));
  for (int i = 0; i < 100; ++i) {
    const std::array bytes{static_cast<std::byte>(i)};
    server.send_to(asio::buffer(bytes), to_asio(channel->local()));
  }
  channel->start(witness_);
  ASSERT_TRUE(run_until(io_, [&] { return witness_->datagrams.size() == 100; }));
  for (int i = 0; i < 100; ++i) {
    const auto& each = witness_->datagrams[static_cast<std::size_t>(i)];
    EXPECT_EQ(each.from, from_asio(server.local_endpoint()));
    EXPECT_THAT(each.bytes, testing::ElementsAre(static_cast<std::byte>(i)));
  }
}

TEST_F(udp_channel_test, sends_many_in_their_order) {
  auto server = server_at(io_, "127.0.0.1");
  const auto channel = open(from_asio(server.local_endpoint()));
  std::vector<outgoing_datagram> many;
  for (int i = 0; i < 100; ++i) many.push_back({{static_cast<std::byte>(i)}});
  EXPECT_THAT(channel->send(many), testing::AllOf(SizeIs(100), testing::Each(send_result::sent)));
  for (int i = 0; i < 100; ++i) {
    std::array<std::byte, 10> buffer{};
    ASSERT_EQ(server.receive(asio::buffer(buffer)), 1U);
    EXPECT_EQ(buffer[0], static_cast<std::byte>(i));
  }
}

TEST_F(udp_channel_test, sends_many_to_those_who_are_named) {
  auto one = server_at(io_, "127.0.0.1");
  auto other = server_at(io_, "127.0.0.3");
  const auto channel =
      *udp_channel::open(io_.get_executor(), first_channel, search_channel{address("127.0.0.1")});
  const std::vector<outgoing_datagram> both{
      {three_bytes_, from_asio(one.local_endpoint())},
      {{std::byte{9}}, from_asio(other.local_endpoint())},
      {{}, from_asio(one.local_endpoint())},
  };
  EXPECT_THAT(channel->send(both), testing::Each(send_result::sent));
  std::array<std::byte, 10> buffer{};
  EXPECT_EQ(one.receive(asio::buffer(buffer)), 3U);
  EXPECT_EQ(other.receive(asio::buffer(buffer)), 1U);
  EXPECT_EQ(one.receive(asio::buffer(buffer)), 0U);
}

TEST_F(udp_channel_test, tells_of_a_refusal_among_many) {
  endpoint nobody;
  {
    nobody = from_asio(server_at(io_, "127.0.0.1").local_endpoint());
  }
  const auto channel = open(nobody);
  EXPECT_EQ(channel->send(three_bytes_), send_result::sent);
  // Loopback refuses each before the next is sent.
  const std::vector<outgoing_datagram> many{{three_bytes_}, {three_bytes_}, {three_bytes_}};
  const auto results = channel->send(many);
  ASSERT_THAT(results, SizeIs(3));
  EXPECT_THAT(results, testing::Contains(
                           testing::AnyOf(send_result::sent_after_refusal, send_result::refused)));
}

TEST_F(udp_channel_test, tells_nothing_after_its_listener_is_gone) {
  auto server = server_at(io_, "127.0.0.1");
  const auto channel = open(from_asio(server.local_endpoint()));
  channel->start(witness_);
  const std::weak_ptr<witness> gone = witness_;
  witness_.reset();
  EXPECT_FALSE(gone.expired()) << "a pending receive keeps the listener alive";
  channel->close();
  io_.run();
  EXPECT_TRUE(gone.expired());
}

// Announcements

constexpr std::uint16_t announcement_port = 5350;

const endpoint all_hosts{address("224.0.0.1"), announcement_port};

std::shared_ptr<udp_channel> listen(asio::io_context& io, const multicast_channel& how) {
  auto channel = udp_channel::open(io.get_executor(), first_channel, how);
  EXPECT_TRUE(channel.has_value()) << channel.error().message();
  return channel.value_or(nullptr);
}

multicast_channel on_loopback() {
  return {
      .group = all_hosts, .local = address("127.0.0.1"), .interface_index = ::if_nametoindex("lo")};
}

/// Multicast of a router on a loopback address.
void announce(asio::io_context& io, const endpoint& to = all_hosts) {
  udp::socket router{io, to_asio(endpoint{address("127.0.0.5"), 5351})};
  router.set_option(asio::ip::multicast::outbound_interface{to_asio(address("127.0.0.1")).to_v4()});
  const std::array<std::byte, 1> one_byte{};
  EXPECT_EQ(router.send_to(asio::buffer(one_byte), to_asio(to)), 1U);
}

void hear_announcements_together_with_other_programs() {
  asio::io_context io;
  udp::socket other{io};
  other.open(udp::v4());
  other.set_option(udp::socket::reuse_address{true});
  other.bind({udp::v4(), announcement_port});
  other.set_option(asio::ip::multicast::join_group{to_asio(all_hosts.address).to_v4(),
                                                   to_asio(address("127.0.0.1")).to_v4()});

  const auto first = std::make_shared<witness>();
  const auto second = std::make_shared<witness>();
  const auto first_channel_open = listen(io, on_loopback());
  const auto second_channel_open = listen(io, on_loopback());
  ASSERT_TRUE(first_channel_open && second_channel_open);
  EXPECT_EQ(first_channel_open->local(), all_hosts);
  first_channel_open->start(first);
  second_channel_open->start(second);

  announce(io);
  ASSERT_TRUE(
      run_until(io, [&] { return !first->datagrams.empty() && !second->datagrams.empty(); }));
  const endpoint router{address("127.0.0.5"), 5351};
  EXPECT_EQ(first->datagrams[0].from, router);
  EXPECT_EQ(second->datagrams[0].from, router);
  EXPECT_EQ(other.available(), 1U);
}

void hear_announcements_of_one_interface_and_group_only() {
  ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
  ip({"link", "set", "near", "up"});
  ip({"link", "set", "far", "up"});
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  asio::io_context io;
  const auto on_cable = std::make_shared<witness>();
  const auto here = std::make_shared<witness>();
  const auto cable_channel = listen(io, {.group = all_hosts,
                                         .local = address("192.168.77.10"),
                                         .interface_index = ::if_nametoindex("near")});
  const auto channel = listen(io, on_loopback());
  ASSERT_TRUE(cable_channel && channel);
  cable_channel->start(on_cable);
  channel->start(here);

  announce(io, {address("127.0.0.1"), announcement_port});  // unicast
  announce(io);
  ASSERT_TRUE(run_until(io, [&] { return !here->datagrams.empty(); }));
  io.poll();
  EXPECT_THAT(here->datagrams, SizeIs(1));
  EXPECT_THAT(on_cable->datagrams, SizeIs(0));
}

void hear_announcements_over_ipv6() {
  ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
  ip({"link", "set", "near", "addrgenmode", "none", "up"});
  ip({"link", "set", "far", "up"});
  ip({"addr", "add", "fe80::10/64", "dev", "near", "nodad"});
  const auto index = ::if_nametoindex("near");
  const ip_address own{address("fe80::10").to_v6(), index};
  asio::io_context io;
  const auto heard = std::make_shared<witness>();
  const auto channel = listen(
      io,
      {.group = {address("ff02::1"), announcement_port}, .local = own, .interface_index = index});
  ASSERT_TRUE(channel);
  channel->start(heard);

  udp::socket router{io, to_asio(endpoint{own, 5351})};
  const std::array<std::byte, 1> one_byte{};
  const endpoint group{ip_address{address("ff02::1").to_v6(), index}, announcement_port};
  ASSERT_EQ(router.send_to(asio::buffer(one_byte), to_asio(group)), 1U);
  ASSERT_TRUE(run_until(io, [&] { return !heard->datagrams.empty(); }));
  EXPECT_EQ(heard->datagrams[0].from, (endpoint{own, 5351}));
}

void find_no_way_out() {
  asio::io_context io;
  const auto channel =
      udp_channel::open(io.get_executor(), first_channel,
                        connected_channel{ip_address::any_v4(), {address("192.168.77.1"), 5351}});
  ASSERT_FALSE(channel.has_value());
  EXPECT_EQ(channel.error(), boost::system::errc::network_unreachable);
}

void lose_the_network() {
  ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
  ip({"link", "set", "near", "up"});
  ip({"link", "set", "far", "up"});
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  asio::io_context io;
  auto channel =
      udp_channel::open(io.get_executor(), first_channel,
                        connected_channel{ip_address::any_v4(), {address("192.168.77.1"), 5351}});
  ASSERT_TRUE(channel.has_value()) << channel.error().message();
  const std::array<std::byte, 1> one_byte{};
  EXPECT_EQ((*channel)->send(one_byte), send_result::sent);
  ip({"addr", "del", "192.168.77.10/24", "dev", "near"});
  EXPECT_EQ((*channel)->send(one_byte), send_result::unreachable);
}

TEST(announcements, are_heard_together_with_other_programs) {
  DAMSON_RUN_IN_NEW_NETWORK(hear_announcements_together_with_other_programs);
}

TEST(announcements, are_heard_of_one_interface_and_group_only) {
  DAMSON_RUN_IN_NEW_NETWORK(hear_announcements_of_one_interface_and_group_only);
}

TEST(announcements, are_heard_over_ipv6) {
  DAMSON_RUN_IN_NEW_NETWORK(hear_announcements_over_ipv6);
}

TEST(udp_channel_network, cannot_be_opened_without_a_route) {
  DAMSON_RUN_IN_NEW_NETWORK(find_no_way_out);
}

TEST(udp_channel_network, tells_that_the_network_is_gone) {
  DAMSON_RUN_IN_NEW_NETWORK(lose_the_network);
}

}  // namespace
}  // namespace damson::driver
