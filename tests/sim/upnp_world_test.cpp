// What the virtual world makes of searches and HTTP exchanges, seen without the engine's own use of
// them.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sim/inspect.hpp"
#include "sim/runner/live_bytes.hpp"
#include "sim/world.hpp"
#include "upnp_requests.hpp"

namespace damson::sim {
namespace {

using namespace std::chrono_literals;
using outcome = http_treatment::outcome;

constexpr ip_address second_address = v4(192, 168, 1, 2);
constexpr std::string_view igd = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";

profile speaking_upnp() {
  profile out;
  out.speaks_upnp = true;
  return out;
}

scene upnp_scene() {
  scene out;
  out.router = speaking_upnp();
  out.devices.push_back({speaking_upnp(), second_address, std::nullopt});
  return out;
}

class upnp_search : public testing::Test {
 protected:
  static constexpr channel_id channel{900};

  void SetUp() override {
    world_.order(open_channel{channel, search_channel{}});
    world_.run_for(0s);
    ASSERT_EQ(world_.search_endpoint()->address, world::host_address);
  }

  void search(const endpoint& to) {
    world_.order(send_datagram{channel, bytes_of(search_for(igd, to_string(to))), to});
  }

  /// Who has answered so far.
  std::vector<ip_address> answered() const {
    std::vector<ip_address> out;
    for (const auto& one : world_.packets()) {
      if (one.way != direction::to_host || one.end != fate::delivered) continue;
      EXPECT_EQ(one.datagram.to, world_.search_endpoint());
      out.push_back(one.datagram.from.address);
    }
    return out;
  }

  world world_{upnp_scene()};
};

TEST_F(upnp_search, reaches_every_device_through_the_group) {
  search({ssdp_group, ssdp_port});
  world_.run_for(1ms);
  EXPECT_EQ(answered(), (std::vector{world::router_address, second_address}));
  const auto received = world_.counters().inputs_ignored;
  world_.run_for(1ms);
  EXPECT_EQ(world_.counters().inputs_ignored, received + 2) << "both came through to the engine";
  EXPECT_EQ(ssdp_search_target(world_.packets()[0].datagram.bytes), igd);
}

TEST_F(upnp_search, reaches_one_device_by_its_address) {
  search({second_address, ssdp_port});
  world_.run_for(1ms);
  EXPECT_EQ(answered(), std::vector{second_address});
  search({v4(192, 168, 1, 77), ssdp_port});
  EXPECT_EQ(world_.packets().back().end, fate::unheard);
}

TEST_F(upnp_search, is_lost_with_the_links_multicast) {
  world_.link().multicast_lost = true;
  search({ssdp_group, ssdp_port});
  EXPECT_EQ(world_.packets().back().end, fate::lost);
  search({world::router_address, ssdp_port});
  world_.run_for(1ms);
  EXPECT_EQ(answered(), std::vector{world::router_address});
}

TEST_F(upnp_search, is_heard_by_nobody_who_does_not_speak_upnp) {
  world_.router().behaviour().speaks_upnp = false;
  world_.device_at(second_address)->behaviour().speaks_upnp = false;
  search({ssdp_group, ssdp_port});
  EXPECT_EQ(world_.packets().back().end, fate::unheard);
}

TEST_F(upnp_search, is_impossible_without_an_address) {
  world_.set_network({});
  search({ssdp_group, ssdp_port});
  world_.run_for(1s);
  EXPECT_EQ(world_.packets().back().end, fate::unheard);
}

TEST_F(upnp_search, leaves_the_other_protocols_port_closed) {
  const auto knock = [&] {
    world_.order(open_channel{channel_id{901}, connected_channel{{}, {second_address, 5351}}});
    world_.run_for(0s);
    world_.order(send_datagram{channel_id{901}, bytes_of("x"), {}});
    const fate end = world_.packets().back().end;
    world_.order(close_channel{channel_id{901}});
    return end;
  };
  auto& how = world_.device_at(second_address)->behaviour();
  EXPECT_EQ(knock(), fate::delivered);
  how.speaks_pcp = false;
  EXPECT_EQ(knock(), fate::delivered);
  how.speaks_nat_pmp = false;
  EXPECT_EQ(knock(), fate::refused);
  how.closed_port_refuses = false;
  EXPECT_EQ(knock(), fate::delivered) << "to nobody who would answer";
}

TEST_F(upnp_search, takes_forged_answers_from_anybody) {
  const auto before = world_.counters().inputs_ignored;
  EXPECT_TRUE(world_.inject({{v4(10, 0, 0, 1), 1}, *world_.search_endpoint(), bytes_of("x")}));
  EXPECT_EQ(world_.counters().inputs_ignored, before + 1);
}

class upnp_exchange : public testing::Test {
 protected:
  /// Asks and returns the index of the record.
  std::size_t ask(const endpoint& remote = {world::router_address, 5000},
                  std::size_t body_limit = 65'536) {
    const std::size_t index = world_.requests().size();
    world_.order(send_http{
        http_id{index + 1}, remote, {}, get("/rootDesc.xml", to_string(remote)), body_limit, 3s});
    return index;
  }

  void treat(const http_treatment& how) {
    world_.http_courier = [how](const http_record&) { return how; };
  }

  const http_record& record(std::size_t index) const { return world_.requests().at(index); }

  world world_{upnp_scene()};
};

TEST_F(upnp_exchange, takes_two_round_trips_and_the_servers_time) {
  world_.router().behaviour().upnp.processing = 10ms;
  ask();
  world_.run_for(1s);
  EXPECT_EQ(record(0).served_at, 3ms);
  EXPECT_EQ(record(0).ended_at, 14ms);
  EXPECT_EQ(record(0).status, 200);
  EXPECT_EQ(record(0).local.address, world::host_address);
  EXPECT_TRUE(
      world_.transcript().contains("0.000000 > http 1 192.168.1.1:5000 GET /rootDesc.xml\n"
                                   "0.014000 < http 1 200\n"))
      << world_.transcript();
}

TEST_F(upnp_exchange, may_take_longer) {
  treat({outcome::answered, 100ms, 1s});
  ask();
  world_.run_for(2s);
  EXPECT_EQ(record(0).served_at, 103ms);
  EXPECT_EQ(record(0).ended_at, 1104ms);
}

TEST_F(upnp_exchange, is_refused_where_nobody_listens) {
  ask({world::router_address, 80});
  world_.set_http_serving(false);
  ask();
  ask({second_address, 5000});
  world_.run_for(1s);
  EXPECT_EQ(record(0).error, http_error::refused);
  EXPECT_EQ(record(0).ended_at, 2ms);
  EXPECT_EQ(record(1).error, http_error::refused);
  EXPECT_EQ(record(2).status, 200);
}

TEST_F(upnp_exchange, times_out_where_nobody_is) {
  ask({v4(192, 168, 1, 77), 5000});
  world_.run_for(5s);
  EXPECT_EQ(record(0).error, http_error::timed_out);
  EXPECT_EQ(record(0).ended_at, 3s);
  EXPECT_EQ(record(0).served_at, std::nullopt);
}

TEST_F(upnp_exchange, is_impossible_without_a_route) {
  world_.set_network({});
  ask();
  world_.run_for(0s);
  EXPECT_EQ(record(0).error, http_error::unreachable);
  EXPECT_EQ(record(0).ended_at, 0s);
}

TEST_F(upnp_exchange, ends_where_the_answer_is_too_large) {
  ask({world::router_address, 5000}, 100);
  world_.run_for(1s);
  EXPECT_EQ(record(0).error, http_error::too_large);
}

TEST_F(upnp_exchange, that_has_ended_holds_no_answer) {
  constexpr std::size_t size = 1UL << 20;
  world_.router().behaviour().upnp.description_text = std::string(size, 'x');
  for (const outcome end : {outcome::answered, outcome::breaks_after, outcome::hangs}) {
    for (const std::size_t limit : {size, size - 1}) {
      treat({end});
      const auto before = live_bytes();
      ask({world::router_address, 5000}, limit);
      world_.run_for(5s);
      EXPECT_LT(live_bytes() - before, size / 2);
    }
  }
}

TEST_F(upnp_exchange, that_was_cancelled_holds_no_answer) {
  constexpr std::size_t size = 1UL << 20;
  world_.router().behaviour().upnp.description_text = std::string(size, 'x');
  for (const auto cancelled_after : {1ms, 3ms}) {
    treat({outcome::answered, 0s, 1s});
    const auto before = live_bytes();
    const std::size_t index = ask({world::router_address, 5000}, size);
    world_.run_for(cancelled_after);
    world_.order(cancel_http{http_id{index + 1}});
    world_.run_for(100ms);
    EXPECT_LT(live_bytes() - before, size / 2);
  }
}

TEST_F(upnp_exchange, ends_as_it_is_told_to) {
  struct expectation {
    outcome end;
    std::optional<http_error> error;
    std::chrono::nanoseconds at;
    bool served;
  };
  for (const auto& [end, error, at, served] : {
           expectation{outcome::answered, std::nullopt, 4ms, true},
           expectation{outcome::refused, http_error::refused, 2ms, false},
           expectation{outcome::unanswered, http_error::timed_out, 3s, false},
           expectation{outcome::breaks_before, http_error::broken, 4ms, false},
           expectation{outcome::breaks_after, http_error::broken, 4ms, true},
           expectation{outcome::hangs, http_error::timed_out, 3s, true},
       }) {
    treat({end});
    const std::size_t index = ask();
    world_.run_for(5s);
    EXPECT_EQ(record(index).error, error);
    EXPECT_EQ(*record(index).ended_at - record(index).at, at);
    EXPECT_EQ(record(index).served_at.has_value(), served);
  }
}

TEST_F(upnp_exchange, that_is_cancelled_has_no_answer_but_may_have_been_served) {
  const std::size_t early = ask();
  world_.run_for(1ms);
  world_.order(cancel_http{http_id{early + 1}});
  const std::size_t late = ask();
  world_.run_for(2ms);
  world_.order(cancel_http{http_id{late + 1}});
  world_.run_for(5s);
  EXPECT_EQ(record(early).served_at, std::nullopt) << "cancelled while it was connecting";
  EXPECT_TRUE(record(late).served_at) << "cancelled while the request was on its way";
  EXPECT_FALSE(record(early).ended_at || record(late).ended_at);
  EXPECT_TRUE(record(early).cancelled && record(late).cancelled);
}

TEST_F(upnp_exchange, breaks_when_the_router_restarts) {
  treat({outcome::answered, 0s, 100ms});
  ask();
  world_.run_for(50ms);
  world_.reboot_router();
  ask();
  world_.run_for(1s);
  EXPECT_EQ(record(0).error, http_error::broken);
  EXPECT_EQ(record(1).error, http_error::refused) << "the port has moved (Q-83)";
}

TEST_F(upnp_exchange, survives_loss_by_sending_again) {
  world_.link().loss_percent = 30;
  std::size_t slow = 0;
  for (int i = 0; i < 50; ++i) {
    const std::size_t index = ask();
    world_.run_for(10s);
    ASSERT_TRUE(record(index).ended_at);
    if (record(index).error) {
      EXPECT_EQ(record(index).error, http_error::timed_out);
    } else if (*record(index).ended_at - record(index).at > 4ms) {
      ++slow;
    }
  }
  EXPECT_GT(slow, 10U);
}

TEST_F(upnp_exchange, is_answered_when_the_host_wakes_up) {
  ask();
  world_.run_for(2500us);
  world_.suspend(1s);
  world_.run_for(0s);
  EXPECT_EQ(record(0).status, 200);
  EXPECT_EQ(record(0).ended_at, 1s + 2500us);
}

}  // namespace
}  // namespace damson::sim
