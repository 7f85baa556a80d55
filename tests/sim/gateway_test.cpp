// The gateway model as a whole, and its table.

#include <chrono>

#include <gtest/gtest.h>

#include "packets.hpp"
#include "sim/gateway.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1'000h};
constexpr ip_address group = v4(224, 0, 0, 1);

const bytes map_request = packet({
    "02 01 0000",                           // MAP
    "00001c20",                             // lifetime 7200 s
    "00000000 00000000 0000ffff c0a80164",  // client 192.168.1.100
    "0102030405060708090a0b0c",             // nonce
    "06 000000 1f90 0050",                  // TCP, 8080 to 80
    "00000000 00000000 0000ffff 00000000",  // any address
});

TEST(gateway_model, hears_its_own_address_and_port_only) {
  gateway router{profile{}, lan_side, wan_side, start};
  const endpoint client{host, 40'000};
  EXPECT_TRUE(router.handle(start, {client, {other_host, 5351}, map_request}).empty());
  EXPECT_TRUE(router.handle(start, {client, {lan_side, 5350}, map_request}).empty());
  EXPECT_TRUE(router.handle(start, {client, {lan_side, 5351}, {}}).empty());
  EXPECT_EQ(router.handle(start, {client, {lan_side, 5351}, map_request}).size(), 1U);
}

TEST(gateway_model, counts_its_epoch_in_whole_seconds_from_the_profiles_start) {
  profile how;
  how.epoch_start = 100;
  const gateway router{how, lan_side, wan_side, start};
  EXPECT_EQ(router.epoch(start), 100U);
  EXPECT_EQ(router.epoch(start + 999ms), 100U);
  EXPECT_EQ(router.epoch(start + 1s), 101U);
}

TEST(gateway_model, ends_leases_in_time) {
  gateway router{profile{}, lan_side, wan_side, start};
  EXPECT_EQ(router.deadline(), std::nullopt);
  router.handle(start, from_host(map_request));
  EXPECT_EQ(router.deadline(), start + 7200s);
  router.advance(start + 7199s);
  EXPECT_EQ(router.rules().size(), 1U);
  EXPECT_TRUE(router.advance(start + 7200s).empty());
  EXPECT_TRUE(router.rules().empty());
  EXPECT_EQ(router.deadline(), std::nullopt);
}

TEST(gateway_model, announces_a_restart_ten_times_at_doubling_intervals) {
  gateway router{profile{}, lan_side, wan_side, start};
  router.handle(start, from_host(map_request));
  const time_point again = start + 1h;
  router.reboot(again);
  EXPECT_TRUE(router.rules().empty());

  const auto first = router.advance(again);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0], (datagram{{lan_side, 5351},
                                {group, 5350},
                                packet({
                                    "02 80 00 00",               // ANNOUNCE, success
                                    "00000000 00000000",         // lifetime, epoch 0 s
                                    "000000000000000000000000",  // reserved
                                })}));
  EXPECT_EQ(first[1], (datagram{{lan_side, 5351},
                                {group, 5350},
                                packet({
                                    "00 80 0000",  // address response, success
                                    "00000000",    // epoch 0 s
                                    "c6336407",    // 198.51.100.7
                                })}));
  EXPECT_EQ(router.deadline(), again + 250ms);
  std::size_t rounds = 1;
  time_point last = again;
  while (const auto due = router.deadline()) {
    last = *due;
    EXPECT_EQ(router.advance(last).size(), 2U);
    ++rounds;
  }
  EXPECT_EQ(rounds, 10U);
  // 0.25 + 0.5 + 1 + ... + 64 s.
  EXPECT_EQ(last, again + 127'750ms);
}

TEST(gateway_model, can_restart_without_forgetting_and_without_a_word) {
  profile how;
  how.announcements = 0;
  gateway router{how, lan_side, wan_side, start};
  router.handle(start, from_host(map_request));
  router.reboot(start + 1h, true);
  EXPECT_EQ(router.rules().size(), 1U);
  EXPECT_EQ(router.epoch(start + 1h), 0U);
  EXPECT_TRUE(router.advance(start + 1h).empty());
}

TEST(gateway_model, announces_an_address_change_and_starts_its_epoch_again) {
  gateway router{profile{}, lan_side, wan_side, start};
  router.handle(start, from_host(map_request));
  router.set_public_address(start + 1h, v4(203, 0, 113, 9));
  EXPECT_EQ(router.epoch(start + 1h), 0U);
  EXPECT_EQ(router.rules().size(), 1U);
  const auto out = router.advance(start + 1h);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[1].bytes, packet({"00 80 0000 00000000", "cb007109"}));
}

TEST(gateway_model, keeps_its_epoch_over_an_address_change_where_the_profile_says_so) {
  profile how;
  how.address_change_resets_epoch = false;
  gateway router{how, lan_side, wan_side, start};
  router.set_public_address(start + 1h, v4(203, 0, 113, 9));
  EXPECT_EQ(router.epoch(start + 1h), 3'600U);
}

TEST(gateway_model, announces_what_it_speaks) {
  profile how;
  how.speaks_pcp = false;
  gateway router{how, lan_side, wan_side, start};
  router.reboot(start + 1h);
  const auto out = router.advance(start + 1h);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].bytes.front(), std::byte{0});
}

TEST(gateway_model, forgets_leases_but_not_what_the_household_set) {
  gateway router{profile{}, lan_side, wan_side, start};
  router.occupy(transport::tcp, 81, {other_host, 80});
  router.handle(start, from_host(map_request));
  router.forget_all();
  ASSERT_EQ(router.rules().size(), 1U);
  EXPECT_EQ(router.rules().front().owner, rule_owner::household);
  EXPECT_EQ(router.deadline(), std::nullopt);
}

TEST(gateway_model, chooses_ports_itself_where_the_profile_says_so) {
  profile how;
  how.external_port = port_policy::own_choice;
  gateway router{how, lan_side, wan_side, start};
  router.handle(start, from_host(map_request));
  EXPECT_EQ(router.rules().front().external_port, 40'000);
}

TEST(nat_table, holds_one_rule_for_an_internal_endpoint_and_one_for_an_external_port) {
  nat_table table;
  const nat_rule first{transport::tcp, 80, rule_owner::pcp, {host, 8080}, {}, start + 10s};
  table.put(first);
  nat_rule moved = first;
  moved.external_port = 81;
  moved.expires = start + 20s;
  table.put(moved);
  EXPECT_EQ(table.rules(), std::vector<nat_rule>{moved});
  EXPECT_EQ(table.next_expiry(), start + 20s);
  const nat_rule thief{transport::tcp, 81, rule_owner::pcp, {other_host, 1}, {}, std::nullopt};
  table.put(thief);
  EXPECT_EQ(table.rules(), std::vector<nat_rule>{thief});
  EXPECT_EQ(table.at_internal(transport::tcp, {host, 8080}), nullptr);
  EXPECT_EQ(table.next_expiry(), std::nullopt);
}

TEST(nat_table, finds_free_ports_around_the_end) {
  nat_table table;
  EXPECT_EQ(table.free_port(transport::udp, 0, std::nullopt), 1);
  table.put({transport::udp, 65535, rule_owner::pcp, {host, 1}, {}, std::nullopt});
  EXPECT_EQ(table.free_port(transport::udp, 65535, std::nullopt), 1024);
  EXPECT_EQ(table.free_port(transport::tcp, 65535, std::nullopt), 65535);
  EXPECT_EQ(table.free_port(transport::tcp, 65535, other_host), 1024);
  for (unsigned port = 1; port < 65535; ++port) {
    const auto number = static_cast<std::uint16_t>(port);
    table.put({transport::udp, number, rule_owner::pcp, {other_host, number}, {}, std::nullopt});
  }
  EXPECT_EQ(table.free_port(transport::udp, 7, std::nullopt), 0);
}

TEST(nat_table, removes_what_has_expired_and_nothing_else) {
  nat_table table;
  table.put({transport::udp, 1, rule_owner::pcp, {host, 1}, {}, start + 1s});
  table.put({transport::udp, 2, rule_owner::pcp, {host, 2}, {}, start + 1s});
  table.put({transport::udp, 3, rule_owner::pcp, {host, 3}, {}, start + 2s});
  table.remove_expired(start + 1s);
  ASSERT_EQ(table.size(), 1U);
  EXPECT_EQ(table.rules().front().external_port, 3);
  EXPECT_FALSE(table.remove(transport::udp, {host, 1}));
  EXPECT_TRUE(table.remove(transport::udp, {host, 3}));
  EXPECT_EQ(table.next_expiry(), std::nullopt);
}

}  // namespace
}  // namespace damson::sim
