// A port for another host behind the router (RFC 6887 section 13.1, Q-32).

#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

constexpr ip_address printer = v4(192, 168, 1, 50);

/// TCP 8080 of the printer.
map_request for_the_printer(protocol_filter protocols = protocol_filter::any) {
  map_request out = request(protocols);
  out.third_party = printer;
  return out;
}

class third_party : public upnp_scenario {
 protected:
  static scene allowing() {
    scene what;
    what.router.allows_third_party = true;
    return what;
  }

  static const nat_rule* rule_for(world& w, const ip_address& whom) {
    return w.router().table().at_internal(transport::tcp, {whom, 8080});
  }
};

TEST_F(third_party, gets_its_port_and_gives_it_back) {
  world& w = begin(allowing());
  const mapping_id id = w.create(for_the_printer());
  w.run_for(6h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 2ms);
  EXPECT_EQ(w.events()[0].event.info.internal, (endpoint{printer, 8080}));
  EXPECT_NE(rule_for(w, printer), nullptr) << "renewed";
  EXPECT_EQ(rule_for(w, world::host_address), nullptr);
  w.release(id);
  w.run_for(10s);
  EXPECT_EQ(rule_for(w, printer), nullptr);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
}

TEST_F(third_party, and_the_host_itself_may_have_the_same_port) {
  world& w = begin(allowing());
  const mapping_id own = w.create(request());
  const mapping_id others = w.create(for_the_printer());
  w.run_for(1s);
  EXPECT_EQ(w.last_event(own)->event.info.internal.address, world::host_address);
  EXPECT_EQ(w.last_event(others)->event.info.internal.address, printer);
  EXPECT_NE(w.last_event(own)->event.info.external, w.last_event(others)->event.info.external);
  w.release(others);
  w.run_for(10s);
  EXPECT_NE(rule_for(w, world::host_address), nullptr) << "it stays";
  EXPECT_EQ(rule_for(w, printer), nullptr);
}

TEST_F(third_party, is_named_again_after_a_restart) {
  world& w = begin(allowing());
  w.create(for_the_printer());
  w.run_for(1h);
  w.reboot_router();
  w.run_for(1h);
  EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  EXPECT_TRUE(w.events().back().event.regained);
  EXPECT_NE(rule_for(w, printer), nullptr);
}

TEST_F(third_party, that_is_not_allowed_is_refused_and_not_asked_for_again_soon) {
  world& w = begin();
  w.create(for_the_printer(protocol_filter::pcp_only));
  w.run_for(25min);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].event.why.reason, errc::not_authorized);
  EXPECT_EQ(pcp_maps(w).size(), 1U);
}

TEST_F(third_party, is_refused_for_itself_only_after_the_options_that_can_be_done_without) {
  for (const bool serves : {true, false}) {
    scene what = allowing();
    what.router.serves_map_options = serves;
    world& w = begin(what);
    map_request wanted = for_the_printer(protocol_filter::pcp_only);
    wanted.peers = {{.address = v4(203, 0, 113, 0), .prefix_length = 24}};
    w.create(wanted);
    w.run_for(1s);
    ASSERT_EQ(kinds(w), std::vector{event_kind::mapped}) << serves;
    EXPECT_EQ(w.events()[0].event.info.filtered, serves);
    EXPECT_NE(rule_for(w, printer), nullptr);
  }
}

TEST_F(third_party, may_be_allowed_through_upnp) {
  upnp_profile lax;
  lax.secure_mode = false;
  world& w = begin(upnp_only(lax));
  const mapping_id id = w.create(for_the_printer());
  w.run_for(6h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.internal, (endpoint{printer, 8080}));
  EXPECT_TRUE(w.events()[0].event.info.verified);
  EXPECT_NE(rule_for(w, printer), nullptr);
  w.release(id);
  w.run_for(10s);
  EXPECT_EQ(rule_for(w, printer), nullptr);
}

TEST_F(third_party, is_refused_through_upnp_in_secure_mode) {
  world& w = begin(upnp_only());
  w.create(for_the_printer());
  w.run_for(1min);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].event.why.reason, errc::not_authorized);
  EXPECT_EQ(w.router().table().size(), 0U);
}

TEST_F(third_party, that_pcp_refuses_may_be_served_by_upnp) {
  scene what;
  what.router.speaks_upnp = true;
  what.router.upnp.secure_mode = false;
  world& w = begin(what);
  w.create(for_the_printer());
  w.run_for(10s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].event.info.protocol, protocol::upnp);
}

TEST_F(third_party, cannot_be_named_in_nat_pmp) {
  world& w = begin(with(nat_pmp_only_router()));
  w.create(for_the_printer());
  w.create(for_the_printer(protocol_filter::nat_pmp_only));
  EXPECT_EQ(w.events().back().event.why.reason, errc::protocol_excluded);
  w.run_for(1min);
  EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
  EXPECT_EQ(w.router().table().size(), 0U);
}

TEST_F(third_party, that_is_the_host_itself_is_not_named) {
  world& w = begin();  // which would refuse the option
  map_request wanted = request();
  wanted.third_party = world::host_address;
  w.create(wanted);
  w.run_for(1s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(third_party, is_not_on_the_internet_where_the_host_is) {
  world& w = begin();
  network_facts facts = w.network();
  facts.addresses[0].address = v4(198, 51, 100, 20);
  facts.routes[0].gateway = v4(198, 51, 100, 1);
  w.set_network(facts);
  w.create(for_the_printer());
  w.run_for(10s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
}

TEST_F(third_party, gets_its_port_where_packets_are_lost) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    scene what = allowing();
    what.seed = seed;
    what.link.loss_percent = 30;
    world& w = begin(what);
    const mapping_id id = w.create(for_the_printer(protocol_filter::pcp_only));
    w.run_for(10min);
    ASSERT_NE(rule_for(w, printer), nullptr) << seed;
    w.release(id);
    w.run_for(10s);
    const bool is_gone = rule_for(w, printer) == nullptr;
    EXPECT_TRUE(is_gone || w.last_event(id)->event.how == removal::left_to_expire) << seed;
  }
}

TEST_F(third_party, of_another_family_or_many_hosts_makes_no_sense) {
  for (const std::string_view whom : {"2001:db8::1", "224.0.0.1"}) {
    world& w = begin();
    map_request wanted = request();
    wanted.third_party = *ip_address::parse(whom);
    w.create(wanted);
    w.run_for(1s);
    ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
    EXPECT_EQ(w.events()[0].event.why.reason, errc::invalid_argument);
  }
}

}  // namespace
}  // namespace damson::sim
