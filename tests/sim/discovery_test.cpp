// Asking who is there, without making anything.

#include <array>
#include <map>
#include <stdexcept>
#include <string>

#include "upnp_scenario.hpp"

namespace damson {
inline std::ostream& operator<<(std::ostream& out, protocol_standing standing) {
  return out << to_string(standing);
}
}  // namespace damson

namespace {

using namespace damson;
using namespace damson::sim;

class discovering : public scenario {
 protected:
  static profile versatile_router() {
    profile out;
    out.speaks_upnp = true;
    return out;
  }

  /// The answer to the question that is asked now.
  static discovery_record discover_in(world& w, protocol_filter protocols = protocol_filter::any) {
    const auto before = w.discoveries().size();
    w.discover(protocols);
    w.run_for(20s);
    if (w.discoveries().size() != before + 1) throw std::runtime_error("not answered once");
    return w.discoveries().back();
  }

  static const protocol_report& line(const discovery_record& told, protocol which) {
    for (const auto& each : told.what.found.protocols) {
      if (each.protocol == which) return each;
    }
    throw std::runtime_error("nothing said of " + std::string(to_string(which)));
  }

  static void expect_nothing_made(world& w) {
    EXPECT_TRUE(pcp_maps(w).empty());
    EXPECT_TRUE(nat_pmp_maps(w).empty());
    EXPECT_EQ(w.router().table().size(), 0U);
    EXPECT_EQ(w.open_channels(), 0U);
    EXPECT_EQ(w.engine_deadline(), std::nullopt);
    EXPECT_TRUE(w.events().empty());
  }
};

TEST_F(discovering, says_who_is_there_and_what_it_speaks) {
  world& w = begin(with(versatile_router()));
  const auto told = discover_in(w);
  const discovery& found = told.what.found;
  EXPECT_EQ(found.gateway, world::router_address);
  EXPECT_EQ(found.local, world::host_address);
  EXPECT_EQ(to_string(found.external), "198.51.100.7");
  ASSERT_EQ(found.protocols.size(), 3U);
  for (const auto& each : found.protocols) {
    EXPECT_EQ(each.standing, protocol_standing::answered) << each.protocol;
    EXPECT_EQ(each.server.address, world::router_address);
    EXPECT_FALSE(each.why);
    EXPECT_TRUE(each.answered_after);
  }
  EXPECT_EQ(line(told, protocol::pcp).answered_after, 2ms);
  EXPECT_EQ(line(told, protocol::nat_pmp).answered_after, 2ms);
  EXPECT_EQ(line(told, protocol::pcp).server.port, 5351);
  EXPECT_LE(told.at, 1s);
  expect_nothing_made(w);
}

TEST_F(discovering, says_why_the_others_are_not) {
  world& w = begin(with(nat_pmp_only_router()));
  const auto told = discover_in(w);
  EXPECT_EQ(line(told, protocol::nat_pmp).standing, protocol_standing::answered);
  EXPECT_EQ(line(told, protocol::pcp).standing, protocol_standing::failed);
  EXPECT_EQ(line(told, protocol::pcp).why->reason, errc::version_refused);
  EXPECT_EQ(line(told, protocol::upnp).standing, protocol_standing::failed);
  EXPECT_EQ(line(told, protocol::upnp).why->reason, errc::no_answer);
  EXPECT_EQ(to_string(told.what.found.external), "198.51.100.7");
  EXPECT_LE(told.at, 4s + 10ms);
  expect_nothing_made(w);
}

TEST_F(discovering, finds_upnp_where_the_port_of_the_others_is_closed) {
  world& w = begin(upnp_only());
  const auto told = discover_in(w);
  EXPECT_EQ(line(told, protocol::pcp).why->reason, errc::port_closed);
  EXPECT_EQ(line(told, protocol::nat_pmp).why->reason, errc::port_closed);
  EXPECT_EQ(line(told, protocol::upnp).standing, protocol_standing::answered);
  EXPECT_NE(line(told, protocol::upnp).server.port, 0);
  EXPECT_EQ(to_string(told.what.found.external), "198.51.100.7");
  expect_nothing_made(w);
}

TEST_F(discovering, silence_is_an_answer_after_four_seconds) {
  world& w = begin();
  w.set_plugged(false);
  const auto told = discover_in(w);
  for (const auto& each : told.what.found.protocols) {
    EXPECT_EQ(each.standing, protocol_standing::failed) << each.protocol;
    EXPECT_EQ(each.why->reason, errc::no_answer) << each.protocol;
  }
  EXPECT_GE(told.at, 3s);
  EXPECT_LE(told.at, 4s + 10ms);
  expect_nothing_made(w);
}

TEST_F(discovering, ends_at_the_discovery_time_out_at_the_latest) {
  scene what;
  what.client.discovery_timeout = 500ms;
  world& w = begin(what);
  w.set_plugged(false);
  const auto told = discover_in(w);
  EXPECT_EQ(told.at, 500ms);
  EXPECT_EQ(told.what.found.protocols.size(), 3U);
  expect_nothing_made(w);
}

TEST_F(discovering, without_a_router_is_answered_at_once) {
  world& w = begin();
  w.set_network({});
  const auto told = discover_in(w);
  EXPECT_EQ(told.at, 0s);
  EXPECT_TRUE(told.what.found.gateway.is_unspecified());
  EXPECT_TRUE(told.what.found.protocols.empty());
  EXPECT_EQ(w.sent_count(), 0U);
  expect_nothing_made(w);
}

TEST_F(discovering, without_sockets_is_answered_at_once) {
  world& w = begin();
  w.sockets_work = false;
  const auto told = discover_in(w);
  EXPECT_EQ(told.at, 0s);
  ASSERT_EQ(told.what.found.protocols.size(), 3U);
  for (const auto& each : told.what.found.protocols) {
    EXPECT_EQ(each.why->reason, errc::network_down);
  }
  expect_nothing_made(w);
}

TEST_F(discovering, asks_only_what_both_filters_allow) {
  scene what = with(versatile_router());
  what.client.protocols = protocol_filter::pcp;
  world& w = begin(what);
  EXPECT_EQ(discover_in(w).what.found.protocols.size(), 2U);
  EXPECT_EQ(discover_in(w, protocol_filter::nat_pmp_only).what.found.protocols.size(), 1U);
  const auto none = discover_in(w, protocol_filter::upnp);
  EXPECT_TRUE(none.what.found.protocols.empty());
  EXPECT_EQ(none.what.found.gateway, world::router_address);
  EXPECT_TRUE(searches(w).empty());
  expect_nothing_made(w);
}

TEST_F(discovering, questions_of_one_kind_are_asked_once) {
  world& w = begin(with(versatile_router()));
  w.discover();
  w.discover();
  w.discover(protocol_filter::pcp);
  w.discover();
  w.run_for(20s);
  ASSERT_EQ(w.discoveries().size(), 4U);
  EXPECT_EQ(w.discoveries()[0].what.found, w.discoveries()[1].what.found);
  EXPECT_EQ(w.discoveries()[0].what.found, w.discoveries()[2].what.found);
  EXPECT_EQ(w.discoveries()[3].what.found.protocols.size(), 2U);
  expect_nothing_made(w);
}

TEST_F(discovering, can_be_called_off_at_every_moment) {
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    world& w = begin(with(versatile_router()));
    const auto id = w.discover();
    w.run_for(i * 1ms);
    const bool answered = !w.discoveries().empty();
    w.cancel(id);
    EXPECT_EQ(w.open_channels(), 0U);
    w.run_for(20s);
    EXPECT_EQ(w.discoveries().size(), answered ? 1U : 0U);
    expect_nothing_made(w);
  }
}

TEST_F(discovering, calling_one_off_leaves_the_others) {
  world& w = begin(with(versatile_router()));
  const auto first = w.discover();
  const auto second = w.discover();
  const auto third = w.discover(protocol_filter::upnp);
  w.cancel(first);
  w.run_for(20s);
  ASSERT_EQ(w.discoveries().size(), 2U);
  EXPECT_EQ(w.discoveries()[0].what.id, second);
  EXPECT_EQ(w.discoveries()[1].what.id, third);
}

TEST_F(discovering, is_dropped_when_the_engine_closes) {
  world& w = begin(with(versatile_router()));
  w.discover();
  w.run_for(1ms);
  w.close();
  EXPECT_TRUE(w.closed());
  EXPECT_EQ(w.open_channels(), 0U);
  w.run_for(20s);
  EXPECT_TRUE(w.discoveries().empty());
}

TEST_F(discovering, meets_no_mapping) {
  world& w = begin_mapped(with(versatile_router()));
  w.run_for(10s);
  const auto maps = pcp_maps(w).size();
  const auto told = discover_in(w);
  EXPECT_EQ(line(told, protocol::pcp).standing, protocol_standing::answered);
  EXPECT_EQ(line(told, protocol::nat_pmp).standing, protocol_standing::answered);
  EXPECT_EQ(line(told, protocol::upnp).standing, protocol_standing::answered);
  EXPECT_EQ(pcp_maps(w).size(), maps);
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  w.release(id_);
  w.run_for(1s);
  EXPECT_EQ(w.events().back().event.how, removal::deleted);
  EXPECT_EQ(w.open_channels(), 0U);
}

TEST_F(discovering, asks_anew_what_a_mapping_has_learnt_before) {
  world& w = begin_mapped(with(versatile_router()));
  w.set_plugged(false);
  const auto told = discover_in(w);
  for (const auto& each : told.what.found.protocols) {
    EXPECT_EQ(each.standing, protocol_standing::failed) << each.protocol;
  }
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped}) << "the lease goes on";
}

TEST_F(discovering, a_discovery_that_a_forger_answers_is_not_misled) {
  world& w = begin();
  w.set_plugged(false);
  w.discover();
  w.run_for(10ms);
  const auto port = w.client_port();
  ASSERT_TRUE(port);
  // A grant of a mapping that nobody asked for, and an announcement's answer from a stranger.
  bytes answer(60, std::byte{0});
  answer[0] = std::byte{2};
  answer[1] = std::byte{0x81};
  w.inject({{world::router_address, 5351}, {world::host_address, *port}, answer});
  bytes announce(24, std::byte{0});
  announce[0] = std::byte{2};
  announce[1] = std::byte{0x80};
  w.inject({{neighbour, 5351}, {world::host_address, *port}, announce});
  w.run_for(20s);
  ASSERT_EQ(w.discoveries().size(), 1U);
  EXPECT_EQ(w.discoveries()[0].what.found.protocols[0].standing, protocol_standing::failed);
}

TEST_F(discovering, through_loss_is_as_sure_as_the_tries_allow) {
  int answered = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    scene what = with(versatile_router());
    what.seed = seed;
    what.link.loss_percent = 20;
    world& w = begin(what);
    const auto told = discover_in(w, protocol_filter::pcp);
    answered += line(told, protocol::pcp).standing == protocol_standing::answered ? 1 : 0;
  }
  // Five tries, each through two lossy ways: 0.36^5 is 0.6 %.
  EXPECT_GE(answered, 47);
}

}  // namespace
