// UDP channels that ask a group and anybody else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>

#include "driver/endpoints.hpp"
#include "driver/udp_channel.hpp"
#include "new_network.hpp"
#include "waiting.hpp"

namespace damson::driver {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using testing::IsEmpty;
using testing::SizeIs;

constexpr channel_id first_channel{1};
constexpr std::uint16_t ssdp_port = 1900;

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

const endpoint ssdp_group{address("239.255.255.250"), ssdp_port};

const std::vector<std::byte> question{std::byte{'?'}, std::byte{'?'}, std::byte{'?'}};
const std::vector<std::byte> reply{std::byte{'!'}, std::byte{'!'}};

/// What a channel told.
struct witness final : channel_listener {
  void on_datagrams(channel_id /*channel*/, std::span<const incoming_datagram> arrived) override {
    for (const auto& [from, bytes] : arrived) take(from, bytes);
  }
  void take(const endpoint& from, std::span<const std::byte> bytes) {
    senders.push_back(from);
    last.assign(bytes.begin(), bytes.end());
  }
  void on_channel_error(channel_id /*channel*/, channel_error error) override {
    errors.push_back(error);
  }

  std::vector<endpoint> senders;
  std::vector<std::byte> last;
  std::vector<channel_error> errors;
};

std::shared_ptr<udp_channel> open(asio::io_context& io, const search_channel& how) {
  auto channel = udp_channel::open(io.get_executor(), first_channel, how);
  EXPECT_TRUE(channel.has_value()) << channel.error().message();
  return channel.value_or(nullptr);
}

/// A socket that can be asked, and says how a question came.
class responder {
 public:
  responder(asio::io_context& io, const endpoint& where) : socket_(io) {
    const auto local = to_asio(where);
    socket_.open(local.protocol());
    socket_.set_option(udp::socket::reuse_address{true});
    socket_.bind(local);
    const int on = 1;
    ::setsockopt(socket_.native_handle(), IPPROTO_IP, IP_RECVTTL, &on, sizeof on);
  }

  void join(const ip_address& on_interface) {
    const int off = 0;
    ::setsockopt(socket_.native_handle(), IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off);
    socket_.set_option(asio::ip::multicast::join_group{to_asio(ssdp_group.address).to_v4(),
                                                       to_asio(on_interface).to_v4()});
  }
  void join(const ip_address& group, unsigned interface_index) {
    socket_.set_option(asio::ip::multicast::join_group{to_asio(group).to_v6(), interface_index});
  }

  endpoint where() const { return from_asio(socket_.local_endpoint()); }
  std::size_t waiting() { return socket_.available(); }

  /// Waits for a question; empty where none comes.
  std::optional<endpoint> asked_by() {
    std::optional<endpoint> out;
    std::array<std::byte, 100> buffer{};
    udp::endpoint from;
    socket_.async_receive_from(asio::buffer(buffer), from,
                               [&](const boost::system::error_code& error, std::size_t length) {
                                 EXPECT_FALSE(error) << error.message();
                                 EXPECT_EQ(length, question.size());
                                 out = from_asio(from);
                               });
    auto& io = static_cast<asio::io_context&>(socket_.get_executor().context());
    EXPECT_TRUE(run_until(io, [&] { return out.has_value(); }));
    return out;
  }

  /// Of a question that is there already; -1 where it cannot be told.
  int hops_of_next() {
    std::array<std::byte, 100> bytes{};
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    alignas(cmsghdr) std::array<char, 100> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    socket_.wait(udp::socket::wait_read);
    if (::recvmsg(socket_.native_handle(), &message, 0) < 0) return -1;
    const auto* const header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != IP_TTL) return -1;
    int hops = 0;
    std::copy_n(CMSG_DATA(header), sizeof hops, reinterpret_cast<unsigned char*>(&hops));
    return hops;
  }

  void answer(const endpoint& to) { socket_.send_to(asio::buffer(reply), to_asio(to)); }

 private:
  udp::socket socket_;
};

class search_channel_test : public testing::Test {
 protected:
  asio::io_context io_;
  std::shared_ptr<witness> witness_ = std::make_shared<witness>();
};

TEST_F(search_channel_test, asks_one_host_and_hears_it) {
  responder router{io_, {address("127.0.0.1"), 0}};
  const auto channel = open(io_, {.local = address("127.0.0.2")});
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->local().address, address("127.0.0.2"));
  EXPECT_NE(channel->local().port, 0);
  channel->start(witness_);
  EXPECT_EQ(channel->send(question, router.where()), send_result::sent);
  EXPECT_EQ(router.asked_by(), channel->local());
  router.answer(channel->local());
  ASSERT_TRUE(run_until(io_, [&] { return !witness_->senders.empty(); }));
  EXPECT_EQ(witness_->senders[0], router.where());
  EXPECT_EQ(witness_->last, reply);
}

TEST_F(search_channel_test, hears_everybody_and_tells_who_it_is) {
  responder first{io_, {address("127.0.0.3"), 0}};
  responder second{io_, {address("127.0.0.4"), 0}};
  const auto channel = open(io_, {.local = address("127.0.0.1")});
  ASSERT_TRUE(channel);
  channel->start(witness_);
  first.answer(channel->local());
  second.answer(channel->local());
  ASSERT_TRUE(run_until(io_, [&] { return witness_->senders.size() == 2; }));
  EXPECT_THAT(witness_->senders, testing::UnorderedElementsAre(first.where(), second.where()));
}

TEST_F(search_channel_test, goes_on_after_what_cannot_be_sent) {
  responder router{io_, {address("127.0.0.1"), 0}};
  const auto channel = open(io_, {.local = address("127.0.0.1")});
  ASSERT_TRUE(channel);
  channel->start(witness_);
  // Not from a loopback address; not over IPv4; and to nobody.
  EXPECT_EQ(channel->send(question, endpoint{address("192.0.2.1"), ssdp_port}),
            send_result::unreachable);
  EXPECT_EQ(channel->send(question, endpoint{address("ff02::c"), ssdp_port}),
            send_result::unreachable);
  EXPECT_EQ(channel->send(question), send_result::unreachable);
  EXPECT_EQ(channel->send(question, router.where()), send_result::sent);
  EXPECT_EQ(router.asked_by(), channel->local());
  io_.poll();
  EXPECT_THAT(witness_->errors, IsEmpty());
}

TEST_F(search_channel_test, goes_on_after_a_refusal) {
  endpoint closed;
  {
    const responder router{io_, {address("127.0.0.1"), 0}};
    closed = router.where();
  }
  const auto channel = open(io_, {.local = address("127.0.0.1")});
  ASSERT_TRUE(channel);
  channel->start(witness_);
  EXPECT_EQ(channel->send(question, closed), send_result::sent);
  EXPECT_EQ(channel->send(question, closed), send_result::sent);
  responder router{io_, closed};
  EXPECT_EQ(channel->send(question, closed), send_result::sent);
  EXPECT_EQ(router.asked_by(), channel->local());
}

TEST_F(search_channel_test, cannot_be_bound_to_a_strange_address) {
  const auto channel = udp_channel::open(io_.get_executor(), first_channel,
                                         search_channel{.local = address("192.0.2.1")});
  ASSERT_FALSE(channel.has_value());
  EXPECT_EQ(channel.error(), boost::system::errc::address_not_available);
}

/// The other end first: then there is a carrier at once, and the system uses the addresses at once.
void set_up_near_cable() {
  ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
  ip({"link", "set", "far", "up"});
  ip({"link", "set", "near", "addrgenmode", "none", "up"});
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
}

void ask_a_group() {
  asio::io_context io;
  responder router{io, {ip_address::any_v4(), ssdp_port}};
  router.join(address("127.0.0.1"));
  const auto heard = std::make_shared<witness>();
  const auto channel = open(io, {.local = address("127.0.0.1")});
  ASSERT_TRUE(channel);
  channel->start(heard);
  EXPECT_EQ(channel->send(question, ssdp_group), send_result::sent);
  EXPECT_EQ(router.asked_by(), channel->local());
  router.answer(channel->local());
  ASSERT_TRUE(run_until(io, [&] { return !heard->senders.empty(); }));
  EXPECT_EQ(heard->senders[0], (endpoint{address("127.0.0.1"), ssdp_port}));
  EXPECT_EQ(heard->last, reply);
}

void ask_a_group_with_these_hops() {
  asio::io_context io;
  responder router{io, {ip_address::any_v4(), ssdp_port}};
  router.join(address("127.0.0.1"));
  for (const std::uint8_t hops : std::array<std::uint8_t, 4>{1, 2, 4, 255}) {
    const auto channel = open(io, {.local = address("127.0.0.1"), .multicast_hops = hops});
    ASSERT_TRUE(channel);
    EXPECT_EQ(channel->send(question, ssdp_group), send_result::sent);
    EXPECT_EQ(router.hops_of_next(), hops);
  }
  // They are for groups only.
  responder host{io, {address("127.0.0.5"), 0}};
  const auto channel = open(io, {.local = address("127.0.0.1"), .multicast_hops = 1});
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->send(question, host.where()), send_result::sent);
  EXPECT_EQ(host.hops_of_next(), 64);
}

/// Each question is heard on its own interface, and by programs of the same host.
void ask_on_one_interface(bool by_index) {
  set_up_near_cable();
  ip({"route", "add", "default", "via", "192.168.77.1"});
  const auto index_of = [&](const char* name) { return by_index ? ::if_nametoindex(name) : 0U; };
  asio::io_context io;
  responder here{io, {ip_address::any_v4(), ssdp_port}};
  here.join(address("127.0.0.1"));
  responder on_cable{io, {ip_address::any_v4(), ssdp_port}};
  on_cable.join(address("192.168.77.10"));

  const auto loopback =
      open(io, {.local = address("127.0.0.1"), .interface_index = index_of("lo")});
  const auto cable =
      open(io, {.local = address("192.168.77.10"), .interface_index = index_of("near")});
  ASSERT_TRUE(loopback && cable);
  EXPECT_EQ(loopback->send(question, ssdp_group), send_result::sent);
  EXPECT_EQ(here.asked_by(), loopback->local());
  EXPECT_EQ(on_cable.waiting(), 0U);
  EXPECT_EQ(cable->send(question, ssdp_group), send_result::sent);
  EXPECT_EQ(on_cable.asked_by(), cable->local());
  EXPECT_EQ(here.waiting(), 0U);
}

/// Without an address that would show the way, against the routes.
void ask_on_an_interface_that_no_route_leads_to() {
  set_up_near_cable();
  ip({"route", "add", "default", "via", "192.168.77.1"});
  asio::io_context io;
  responder here{io, {ip_address::any_v4(), ssdp_port}};
  here.join(address("127.0.0.1"));
  responder on_cable{io, {ip_address::any_v4(), ssdp_port}};
  on_cable.join(address("192.168.77.10"));
  const auto channel =
      open(io, {.local = ip_address::any_v4(), .interface_index = ::if_nametoindex("lo")});
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->send(question, ssdp_group), send_result::sent);
  const auto asker = here.asked_by();
  ASSERT_TRUE(asker.has_value());
  EXPECT_EQ(asker->port, channel->local().port);
  EXPECT_EQ(on_cable.waiting(), 0U);
}

void ask_over_ipv6() {
  set_up_near_cable();
  ip({"addr", "add", "fe80::10/64", "dev", "near", "nodad"});
  ip({"addr", "add", "fd00::10/64", "dev", "near", "nodad"});
  const auto index = ::if_nametoindex("near");
  const endpoint group{address("ff02::c"), ssdp_port};
  asio::io_context io;
  responder router{io, {ip_address::any_v6(), ssdp_port}};
  router.join(group.address, index);
  const ip_address link_local{address("fe80::10").to_v6(), index};
  for (const auto& how : {search_channel{.local = link_local},
                          search_channel{.local = link_local, .interface_index = index},
                          search_channel{.local = address("fd00::10"), .interface_index = index}}) {
    const auto heard = std::make_shared<witness>();
    const auto channel = open(io, how);
    ASSERT_TRUE(channel);
    channel->start(heard);
    EXPECT_EQ(channel->send(question, group), send_result::sent);
    const auto asker = router.asked_by();
    ASSERT_TRUE(asker.has_value());
    EXPECT_EQ(asker, channel->local());
    router.answer(*asker);
    ASSERT_TRUE(run_until(io, [&] { return !heard->senders.empty(); }));
    EXPECT_EQ(heard->senders[0].port, ssdp_port);
    channel->close();
  }
}

void find_no_way_to_a_host() {
  asio::io_context io;
  responder router{io, {address("127.0.0.1"), 0}};
  const auto channel = open(io, {.local = ip_address::any_v4()});
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->send(question, endpoint{address("192.168.77.1"), ssdp_port}),
            send_result::unreachable);
  EXPECT_EQ(channel->send(question, router.where()), send_result::sent);
  EXPECT_TRUE(router.asked_by().has_value());
}

TEST(search_channel_network, asks_a_group) { DAMSON_RUN_IN_NEW_NETWORK(ask_a_group); }

TEST(search_channel_network, gives_questions_for_a_group_the_hops_asked_for) {
  DAMSON_RUN_IN_NEW_NETWORK(ask_a_group_with_these_hops);
}

//
TEST(search_channel_network, asks_on_the_interface_of_its_address) {
  DAMSON_RUN_IN_NEW_NETWORK([] { ask_on_one_interface(false); });
}

//
TEST(search_channel_network, asks_on_the_interface_of_its_index) {
  DAMSON_RUN_IN_NEW_NETWORK([] { ask_on_one_interface(true); });
}

//
TEST(search_channel_network, asks_on_its_interface_against_the_routes) {
  DAMSON_RUN_IN_NEW_NETWORK(ask_on_an_interface_that_no_route_leads_to);
}

TEST(search_channel_network, asks_a_group_over_ipv6) { DAMSON_RUN_IN_NEW_NETWORK(ask_over_ipv6); }

TEST(search_channel_network, goes_on_where_there_is_no_route) {
  DAMSON_RUN_IN_NEW_NETWORK(find_no_way_to_a_host);
}

}  // namespace
}  // namespace damson::driver
