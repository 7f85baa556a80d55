// What <damson/testing.hpp> promises: with damson's own client, and with bare packets.

#include <damson/testing.hpp>

#include <gmock/gmock.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/use_future.hpp>

#include <damson/damson.hpp>

#include "tests/driver/new_network.hpp"
#include "udp_client.hpp"

namespace {

using namespace std::chrono_literals;
using damson::test_router;
using damson::test_router_options;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr auto patience = 20s;
constexpr std::uint8_t nat_pmp_tcp = 2;

damson::options options_for(const test_router& router) {
  damson::options out;
  out.gateway = router.address();
  return out;
}

/// A client of that router that keeps TCP port 8080 open.
struct program {
  explicit program(const test_router& router, std::chrono::seconds lifetime = 2h)
      : client(options_for(router)),
        port(client.keep_open({.internal_port = 8080, .lifetime = lifetime})) {}

  damson::mapping_event next_event() {
    return port.async_next_event(boost::asio::use_future).get();
  }

  damson::client client;
  damson::mapping port;
};

udp_client client_of(const test_router& router) {
  return udp_client{{router.address(), router.mapping_port()}};
}

void open_with_nat_pmp(const test_router& router, std::uint16_t port, std::uint32_t lifetime) {
  udp_client client = client_of(router);
  client.send(udp_client::nat_pmp_map(nat_pmp_tcp, port, port, lifetime));
  ASSERT_TRUE(client.receive());
}

TEST(test_router, has_a_port_opened_in_each_protocol) {
  for (const auto& [profile, protocol] : {std::pair{"pcp-only", damson::protocol::pcp},
                                          std::pair{"nat-pmp-only", damson::protocol::nat_pmp},
                                          std::pair{"upnp-only", damson::protocol::upnp}}) {
    const test_router router{profile};
    EXPECT_EQ(router.profile(), profile);
    {
      program tested{router};
      ASSERT_TRUE(router.wait_for_mappings(1, patience)) << profile;
      const test_router::mapping open = router.mappings().front();
      EXPECT_EQ(open.transport, damson::transport::tcp);
      EXPECT_EQ(open.external_port, 8080);
      EXPECT_EQ(damson::to_string(open.internal), "127.0.0.1:8080");
      EXPECT_EQ(open.made_with, protocol);
      ASSERT_TRUE(open.time_left);
      EXPECT_LE(*open.time_left, 2h);
      EXPECT_GT(*open.time_left, 2h - patience);
    }
    EXPECT_THAT(router.mappings(), IsEmpty()) << profile;
    EXPECT_THAT(router.complaints(), IsEmpty()) << profile;
  }
}

TEST(test_router, is_seen_to_start_again) {
  test_router router;
  program tested{router};
  EXPECT_EQ(tested.next_event().kind, damson::event_kind::mapped);
  router.reboot();
  EXPECT_EQ(tested.next_event().kind, damson::event_kind::lost);
  const damson::mapping_event again = tested.next_event();
  EXPECT_EQ(again.kind, damson::event_kind::mapped);
  EXPECT_TRUE(again.regained);
  EXPECT_THAT(router.mappings(), SizeIs(1));
}

TEST(test_router, forgets_with_a_reboot_unless_asked_not_to) {
  test_router router{"nat-pmp-only"};
  open_with_nat_pmp(router, 8080, 3'600);
  router.reboot(true);
  EXPECT_THAT(router.mappings(), SizeIs(1));
  router.reboot();
  EXPECT_THAT(router.mappings(), IsEmpty());
}

TEST(test_router, has_another_public_address_when_told) {
  test_router router;
  program tested{router};
  const damson::ip_address before = tested.next_event().info.external.address;
  EXPECT_EQ(router.public_address(), before);
  const auto after = damson::ip_address::parse("203.0.113.9").value();
  router.set_public_address(after);
  damson::mapping_event event;
  do {
    event = tested.next_event();
  } while (event.info.external.address != after);
  EXPECT_EQ(router.public_address(), after);
  router.set_public_address(std::nullopt);
  EXPECT_EQ(router.public_address(), std::nullopt);
  EXPECT_THROW(router.set_public_address(damson::ip_address::any_v6()), std::invalid_argument);
}

TEST(test_router, grants_short_leases_so_that_renewals_come) {
  const test_router router{"pcp-only", {.lease = 1s}};
  const program tested{router};
  ASSERT_TRUE(router.wait_for_mappings(1, patience));
  EXPECT_LE(router.mappings().front().time_left, 1s);
  // The first renewal comes after half a second at the earliest.
  EXPECT_TRUE(router.wait_for(
      [&](const auto& open) { return router.traffic().pcp_requests >= 3 && open.size() == 1; },
      patience));
}

TEST(test_router, ends_leases_in_time) {
  const test_router router{"nat-pmp-only", {.lease = 1s}};
  open_with_nat_pmp(router, 8080, 3'600);
  EXPECT_TRUE(router.wait_for_mappings(0, patience));
}

TEST(test_router, names_the_nearest_profiles_where_there_is_none_of_that_name) {
  try {
    const test_router router{"nat-pmp-ony"};
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), StartsWith("there is no router profile 'nat-pmp-ony'; the nearest "
                                         "are nat-pmp-only, "));
  }
}

TEST(test_router, lists_profiles_that_can_all_be_had) {
  const std::vector<damson::router_profile> all = damson::router_profiles();
  ASSERT_THAT(all, Contains(Field(&damson::router_profile::name, "all")));
  test_router router{all.front().name};
  for (const damson::router_profile& each : all) {
    EXPECT_THAT(each.says, Not(IsEmpty())) << each.name;
    router.set_profile(each.name);
    EXPECT_EQ(router.profile(), each.name);
  }
}

TEST(test_router, refuses_options_that_make_no_sense) {
  for (const test_router_options& wrong :
       {test_router_options{.lease = 0s}, test_router_options{.lease = std::chrono::hours{1 << 21}},
        test_router_options{.uptime = -1s},
        test_router_options{.address = damson::ip_address::any_v4()},
        test_router_options{.public_address = damson::ip_address::any_v6()}}) {
    EXPECT_THROW((test_router{"all", wrong}), std::invalid_argument);
  }
}

TEST(test_router, names_the_port_that_it_cannot_have) {
  const test_router first;
  try {
    const test_router second{"all", {.address = first.address()}};
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::address_in_use);
    EXPECT_THAT(error.what(), HasSubstr("UDP port " + to_string(first.address()) + ":5351"));
  }
  const auto foreign = damson::ip_address::parse("192.0.2.1").value();
  EXPECT_THROW((test_router{"all", {.address = foreign}}), std::system_error);
}

TEST(test_router, shares_an_address_where_any_port_will_do) {
  const test_router first;
  const test_router second{"all", {.address = first.address(), .mapping_port = 0, .http_port = 0}};
  EXPECT_NE(second.mapping_port(), first.mapping_port());
  EXPECT_NE(second.description_url(), first.description_url());
  open_with_nat_pmp(second, 8080, 3'600);
  EXPECT_THAT(second.mappings(), SizeIs(1));
  EXPECT_THAT(first.mappings(), IsEmpty());
}

TEST(test_router, closes_a_service_and_opens_it_again) {
  test_router router{"all", {.mapping_port = 0}};
  const std::uint16_t port = router.mapping_port();
  udp_client client = client_of(router);
  router.set_serving(test_router::service::mapping, false);
  EXPECT_EQ(router.mapping_port(), 0);
  client.send(udp_client::nat_pmp_address_question());
  EXPECT_TRUE(client.is_refused());
  router.set_serving(test_router::service::mapping, true);
  EXPECT_EQ(router.mapping_port(), port);
  client.send(udp_client::nat_pmp_address_question());
  EXPECT_TRUE(client.receive());

  const std::string url = router.description_url();
  EXPECT_THAT(url, StartsWith("http://" + to_string(router.address()) + ":5000/"));
  boost::asio::io_context io;
  boost::system::error_code error;
  const boost::asio::ip::tcp::endpoint web{boost::asio::ip::address_v4{router.address().to_v4()},
                                           5000};
  router.set_serving(test_router::service::web, false);
  EXPECT_EQ(router.description_url(), "");
  boost::asio::ip::tcp::socket{io}.connect(web, error);
  EXPECT_EQ(error, boost::asio::error::connection_refused);
  router.set_serving(test_router::service::web, true);
  EXPECT_EQ(router.description_url(), url);
  boost::asio::ip::tcp::socket{io}.connect(web, error);
  EXPECT_FALSE(error) << error.message();
}

TEST(test_router, says_nothing_without_its_cable) {
  test_router router{"nat-pmp-only"};
  udp_client client = client_of(router);
  router.set_plugged(false);
  EXPECT_FALSE(router.is_plugged());
  client.send(udp_client::nat_pmp_map(nat_pmp_tcp, 1, 1, 3'600));
  EXPECT_TRUE(
      router.wait_for([&](const auto&) { return router.traffic().unheard == 1; }, patience));
  router.set_plugged(true);
  client.send(udp_client::nat_pmp_map(nat_pmp_tcp, 3, 3, 3'600));
  ASSERT_TRUE(client.receive());
  EXPECT_FALSE(client.has_answer()) << "to what was sent without a cable";
  EXPECT_THAT(router.mappings(), ElementsAre(Field(&test_router::mapping::external_port, 3)));
  EXPECT_EQ(router.traffic().nat_pmp_requests, 1U);
}

TEST(test_router, forgets_what_it_is_told_to) {
  test_router router{"nat-pmp-only"};
  for (std::uint16_t port = 1001; port <= 1003; ++port) open_with_nat_pmp(router, port, 3'600);
  EXPECT_TRUE(router.forget(damson::transport::tcp, 1'002));
  EXPECT_FALSE(router.forget(damson::transport::tcp, 1'002));
  EXPECT_FALSE(router.forget(damson::transport::udp, 1'001));
  EXPECT_THAT(router.mappings(), ElementsAre(Field(&test_router::mapping::external_port, 1'001),
                                             Field(&test_router::mapping::external_port, 1'003)));
  router.forget_all();
  EXPECT_THAT(router.mappings(), IsEmpty());
}

const damson::endpoint host{damson::ip_address::parse("192.0.2.9").value(), 80};

TEST(test_router, keeps_an_occupied_port_from_everybody) {
  test_router router{"nat-pmp-only"};
  router.occupy(damson::transport::tcp, 8080, host);
  open_with_nat_pmp(router, 8080, 3'600);
  router.forget_all();
  ASSERT_THAT(router.mappings(), SizeIs(1));
  EXPECT_EQ(router.mappings().front().internal, host);
  EXPECT_EQ(router.mappings().front().made_with, std::nullopt);
  EXPECT_EQ(router.mappings().front().time_left, std::nullopt);
}

TEST(test_router, has_no_port_0_to_occupy) {
  test_router router{"strict"};
  EXPECT_THROW(router.occupy(damson::transport::tcp, 0, host), std::invalid_argument);
  EXPECT_THROW(router.occupy(damson::transport::tcp, 80, {host.address, 0}), std::invalid_argument);
  EXPECT_THAT(router.mappings(), IsEmpty());
}

TEST(test_router, writes_down_what_a_client_must_not_do) {
  const test_router router{"nat-pmp-only"};
  udp_client client = client_of(router);
  udp_client::packet request = udp_client::nat_pmp_map(nat_pmp_tcp, 8080, 8080, 3'600);
  request[3] = 1;  // reserved
  client.send(request);
  ASSERT_TRUE(client.receive());
  EXPECT_THAT(router.complaints(),
              ElementsAre("NAT-PMP map request with reserved bits set (RFC 6886 section 3.3)"));
}

TEST(test_router, counts_what_comes_and_goes) {
  const test_router router;
  udp_client client = client_of(router);
  client.send(udp_client::nat_pmp_address_question());
  ASSERT_TRUE(client.receive());
  client.send(udp_client::packet{7, 7, 7, 7});
  client.send(udp_client::packet{2, 0, 0, 0});
  EXPECT_TRUE(
      router.wait_for([&](const auto&) { return router.traffic().pcp_requests == 1; }, patience));
  EXPECT_EQ(router.traffic().nat_pmp_requests, 1U);
  EXPECT_EQ(router.traffic().other_requests, 1U);
  EXPECT_GE(router.traffic().datagrams_sent, 1U);
  EXPECT_EQ(router.traffic().searches, 0U);
  EXPECT_EQ(router.traffic().http_requests, 0U);
}

TEST(test_router, changes_its_profile) {
  test_router router{"nat-pmp-only", {.lease = 7s}};
  open_with_nat_pmp(router, 8080, 3'600);
  EXPECT_EQ(router.description_url(), "");
  router.set_profile("upnp-only");
  EXPECT_EQ(router.mapping_port(), 0);
  EXPECT_NE(router.description_url(), "");
  EXPECT_THAT(router.mappings(), SizeIs(1));
  EXPECT_THROW(router.set_profile("no-such"), std::invalid_argument);
  EXPECT_EQ(router.profile(), "upnp-only");
  router.set_profile("pcp-only");
  EXPECT_EQ(router.mapping_port(), 5351);
  EXPECT_EQ(router.description_url(), "");
}

TEST(test_router, keeps_its_profile_where_the_ports_of_another_are_taken) {
  test_router router{"pcp-only"};
  boost::asio::io_context io;
  const boost::asio::ip::udp::socket other{
      io, {boost::asio::ip::address_v4{router.address().to_v4()}, 1900}};
  EXPECT_THROW(router.set_profile("upnp-only"), std::system_error);
  EXPECT_EQ(router.profile(), "pcp-only");
  EXPECT_EQ(router.mapping_port(), 5351);
  open_with_nat_pmp(router, 8080, 3'600);  // answered, in PCP, as before
}

std::string search_for(const damson::endpoint& where) {
  return "M-SEARCH * HTTP/1.1\r\nHOST: " + to_string(where) +
         "\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n";
}

/// How many searches it has heard after one that was sent to the group and one to itself.
std::uint64_t searches_heard(const test_router& router) {
  const damson::endpoint group{damson::ip_address::parse("239.255.255.250").value(), 1900};
  udp_client client{{router.address(), 1900}};
  client.send_to_group(group, search_for(group));
  client.send(search_for({router.address(), 1900}));
  EXPECT_TRUE(client.receive());
  return router.traffic().searches;
}

TEST(test_router, hears_the_group_only_where_it_is_to) {
  DAMSON_RUN_IN_NEW_NETWORK([] {
    EXPECT_EQ(searches_heard(test_router{"upnp-only"}), 1U);
    EXPECT_EQ(searches_heard(test_router{"upnp-only", {.multicast = true}}), 2U);
  });
}

TEST(test_router, waits_no_longer_than_it_is_to) {
  const test_router router;
  EXPECT_TRUE(router.wait_for_mappings(0, 0ms));
  EXPECT_FALSE(router.wait_for_mappings(1, 1ms));
}

TEST(test_router, tells_that_something_has_happened) {
  std::promise<void> told;
  bool first = true;
  const test_router router{"nat-pmp-only", {.on_event = [&] {
                             if (std::exchange(first, false)) told.set_value();
                           }}};
  udp_client client = client_of(router);
  client.send(udp_client::nat_pmp_address_question());
  EXPECT_EQ(told.get_future().wait_for(patience), std::future_status::ready);
}

TEST(test_router, may_be_used_from_any_thread) {
  test_router router{"all", {.lease = 1s}};
  const program tested{router};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&router, i] {
        for (int round = 0; round < 25; ++round) {
          router.occupy(damson::transport::udp, static_cast<std::uint16_t>(1'000 + i), host);
          router.wait_for_mappings(9, 1ms);
          router.set_profile(round % 2 == 0 ? "strict" : "all");
          router.reboot(true);
          router.forget(damson::transport::udp, static_cast<std::uint16_t>(1'000 + i));
          router.traffic();
        }
      });
    }
  }
  EXPECT_TRUE(router.wait_for_mappings(1, patience));
}

}  // namespace
