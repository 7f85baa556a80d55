// Pinholes in the IPv6 firewall of a UPnP router (WANIPv6FirewallControl:1), from the search to the
// release.

#include <algorithm>
#include <string>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

class pinholes : public upnp_scenario {
 protected:
  /// A router of version 2 that speaks UPnP and nothing else, in both families.
  static scene firewalled(upnp_profile how = {}) {
    how.version = 2;
    scene what = upnp_only(how);
    what.has_ipv6 = true;
    return what;
  }

  static map_request wanted(std::uint16_t port = 8080, transport what = transport::tcp) {
    map_request out = request(port, what);
    out.families = ip_families::v6;
    return out;
  }

  /// Begins and asks for TCP 8080.
  world& begin_wanted(const scene& what, const map_request& wish = wanted()) {
    world& w = begin(what);
    id_ = w.create(wish);
    return w;
  }

  world& begin_open(const scene& what, const map_request& wish = wanted()) {
    world& w = begin_wanted(what, wish);
    EXPECT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 10s));
    return w;
  }

  static bool lets_in(world& w, std::uint16_t port = 8080, transport what = transport::tcp) {
    const endpoint peer{ip_address::parse("2001:db8:2::5").value(), 40'000};
    return w.router()
        .pass_in(w.clock(), what, peer, {world::host_address_v6, port}, 60)
        .has_value();
  }

  /// The one pinhole of the router; fails where there are none or several.
  static pinhole only_hole(const world& w) {
    const auto all = w.router().pinholes().holes();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? pinhole{} : all.front();
  }

  static const protocol_failure& upnp_refusal(const world& w, mapping_id id) {
    static const protocol_failure none;
    const event_record* const last = w.last_event(id);
    EXPECT_TRUE(last != nullptr && last->event.kind == event_kind::failed);
    const auto* const why = last == nullptr ? nullptr : reason_for(last->event.why, protocol::upnp);
    EXPECT_NE(why, nullptr);
    return why == nullptr ? none : *why;
  }

  void expect_clean_end(world& w) const {
    w.release(id_);
    w.run_for(2s);
    ASSERT_NE(w.last_event(id_), nullptr);
    EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::removed);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
    EXPECT_EQ(w.router().pinholes().size(), 0U);
  }
};

// -------------------------------------------------------------------------------------------------
// Open, held, closed

TEST_F(pinholes, are_open_between_mapped_and_removed) {
  world& w = begin_open(firewalled());
  const mapping_info& info = w.events()[0].event.info;
  EXPECT_EQ(info.protocol, protocol::upnp);
  EXPECT_EQ(info.internal, (endpoint{world::host_address_v6, 8080}));
  EXPECT_EQ(info.external, info.internal) << "there is no NAT";
  EXPECT_EQ(info.gateway, world::router_address_v6);
  EXPECT_EQ(info.lifetime, 7'200s);
  EXPECT_TRUE(info.verified);
  EXPECT_FALSE(info.permanent);
  EXPECT_TRUE(lets_in(w));
  EXPECT_FALSE(lets_in(w, 8081));
  EXPECT_FALSE(lets_in(w, 8080, transport::udp));
  EXPECT_EQ(asked(w), (std::vector<std::string>{"GET", "GetFirewallStatus", "GetFirewallStatus",
                                                "AddPinhole", "GetPinholePackets"}));
  for (const http_record& each : w.requests()) {
    EXPECT_EQ(each.local.address, world::host_address_v6) << "else the router says 606";
    EXPECT_EQ(each.remote.address, world::router_address_v6);
  }
  expect_clean_end(w);
  EXPECT_FALSE(lets_in(w));
  EXPECT_TRUE(w.router().rules().empty()) << "nothing was mapped";
}

TEST_F(pinholes, are_searched_for_from_the_link_local_address_in_the_groups_of_ipv6) {
  world& w = begin_open(firewalled());
  std::vector<ip_address> to;
  for (const auto& record : w.packets()) {
    if (!ssdp_search_target(record.datagram.bytes)) continue;
    EXPECT_EQ(record.datagram.from.address, world::host_link_local);
    to.push_back(record.datagram.to.address);
  }
  ASSERT_GE(to.size(), 3U);
  EXPECT_EQ(to[0], world::router_address_v6);
  EXPECT_EQ(to_string(ip_address{to[1].to_v6()}), "ff02::c");
  EXPECT_EQ(to[1].scope(), 2U);
  EXPECT_EQ(to_string(ip_address{to[2].to_v6()}), "ff05::c");
}

TEST_F(pinholes, are_made_for_udp_as_well) {
  world& w = begin_open(firewalled(), wanted(8080, transport::udp));
  EXPECT_TRUE(lets_in(w, 8080, transport::udp));
  EXPECT_FALSE(lets_in(w));
  expect_clean_end(w);
}

TEST_F(pinholes, are_extended_in_time_under_the_same_number) {
  world& w = begin_open(firewalled());
  const std::uint16_t number = only_hole(w).id;
  w.run_for(24h * 3);
  EXPECT_EQ(only_hole(w).id, number);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(requests_for(w, "AddPinhole").size(), 1U);
  EXPECT_GE(requests_for(w, "UpdatePinhole").size(), 57U) << "a lease of two hours";
  expect_clean_end(w);
}

TEST_F(pinholes, have_leases_of_a_day_at_most) {
  map_request wish = wanted();
  wish.lifetime = 24h * 30;
  world& w = begin_open(firewalled(), wish);
  EXPECT_EQ(w.events()[0].event.info.lifetime, 24h);
  EXPECT_LE(only_hole(w).expires, w.clock() + 24h);
  EXPECT_GT(only_hole(w).expires, w.clock() + 24h - 1min);
  w.run_for(24h * 7);
  EXPECT_TRUE(lets_in(w));
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  expect_clean_end(w);
}

TEST_F(pinholes, of_several_ports_are_several) {
  world& w = begin(firewalled());
  const mapping_id tcp = w.create(wanted());
  const mapping_id udp = w.create(wanted(8080, transport::udp));
  const mapping_id other = w.create(wanted(9090));
  w.run_for(1s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 3U);
  EXPECT_EQ(w.router().pinholes().size(), 3U);
  w.release(udp);
  w.run_for(1s);
  EXPECT_EQ(w.last_event(udp)->event.how, removal::deleted);
  EXPECT_TRUE(lets_in(w));
  EXPECT_TRUE(lets_in(w, 9090));
  w.run_for(24h);
  EXPECT_TRUE(lets_in(w));
  EXPECT_TRUE(lets_in(w, 9090));
  w.close();
  w.run_for(2s);
  EXPECT_EQ(w.last_event(tcp)->event.how, removal::deleted);
  EXPECT_EQ(w.last_event(other)->event.how, removal::deleted);
  EXPECT_EQ(w.router().pinholes().size(), 0U);
  EXPECT_TRUE(w.closed());
}

TEST_F(pinholes, lead_to_the_port_itself_whatever_is_wished) {
  map_request wish = wanted();
  wish.external_port = 9'000;
  world& w = begin_open(firewalled(), wish);
  EXPECT_EQ(w.events()[0].event.info.external.port, 8080);
  wish.internal_port = 8081;
  wish.prefer_failure = true;
  const mapping_id strict = w.create(wish);
  w.run_for(1s);
  EXPECT_EQ(upnp_refusal(w, strict).reason, errc::external_not_available);
  EXPECT_EQ(w.router().pinholes().size(), 1U) << "nothing is opened that will not do";
}

// -------------------------------------------------------------------------------------------------
// Beside PCP

TEST_F(pinholes, come_after_pcp) {
  scene what = firewalled();
  what.router.speaks_pcp = true;
  world& w = begin_open(what);
  EXPECT_EQ(w.events()[0].event.info.protocol, protocol::pcp);
  w.run_for(1min);
  EXPECT_EQ(only_hole(w).owner, rule_owner::pcp);
  EXPECT_TRUE(requests_for(w, "AddPinhole").empty());
  expect_clean_end(w);
}

TEST_F(pinholes, take_over_where_pcp_is_silent) {
  scene what = firewalled();
  what.router.closed_port_refuses = false;
  world& w = begin_open(what);
  EXPECT_EQ(w.events()[0].event.info.protocol, protocol::upnp);
  EXPECT_GE(w.events()[0].at, 10ms) << "its head start";
  EXPECT_LE(w.events()[0].at, 50ms);
  expect_clean_end(w);
}

TEST_F(pinholes, are_left_out_where_only_pcp_is_allowed) {
  map_request wish = wanted();
  wish.protocols = protocol_filter::pcp;
  world& w = begin_wanted(firewalled(), wish);
  w.run_for(10s);
  EXPECT_TRUE(w.requests().empty());
  EXPECT_EQ(w.router().pinholes().size(), 0U);
}

TEST_F(pinholes, and_mappings_live_side_by_side) {
  world& w = begin(firewalled());
  const mapping_id in_v4 = w.create(request());
  const mapping_id in_v6 = w.create(wanted());
  w.run_for(5s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 2U);
  EXPECT_TRUE(router_holds(w, 8080));
  EXPECT_TRUE(lets_in(w));
  w.release(in_v4);
  w.run_for(1s);
  EXPECT_FALSE(router_holds(w, 8080));
  EXPECT_TRUE(lets_in(w));
  w.release(in_v6);
  w.run_for(1s);
  EXPECT_FALSE(lets_in(w));
}

// -------------------------------------------------------------------------------------------------
// Refused

TEST_F(pinholes, that_the_owner_forbids_are_refused_with_the_reason) {
  upnp_profile how;
  how.pinholes_allowed = false;
  world& w = begin_wanted(firewalled(how));
  w.run_for(1s);
  const protocol_failure& why = upnp_refusal(w, id_);
  EXPECT_EQ(why.reason, errc::not_authorized);
  EXPECT_EQ(why.retry_after, 300s) << "the recheck period";
  EXPECT_TRUE(requests_for(w, "AddPinhole").empty());
  w.router().behaviour().upnp.pinholes_allowed = true;
  w.run_for(10min);
  EXPECT_TRUE(lets_in(w)) << "the owner has allowed it";
}

TEST_F(pinholes, are_not_needed_where_nothing_is_blocked) {
  upnp_profile how;
  how.firewall_enabled = false;
  world& w = begin_open(firewalled(how));
  EXPECT_EQ(w.events()[0].event.info.external, (endpoint{world::host_address_v6, 8080}));
  EXPECT_FALSE(w.events()[0].event.info.verified);
  EXPECT_TRUE(lets_in(w));
  w.run_for(24h);
  EXPECT_EQ(w.router().pinholes().size(), 0U);
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::already_gone);
}

TEST_F(pinholes, are_made_when_the_firewall_goes_on) {
  upnp_profile how;
  how.firewall_enabled = false;
  world& w = begin_open(firewalled(how));
  w.router().behaviour().upnp.firewall_enabled = true;
  EXPECT_FALSE(lets_in(w));
  w.run_for(6min);  // one recheck
  EXPECT_TRUE(lets_in(w));
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  expect_clean_end(w);
}

TEST_F(pinholes, for_everybody_are_refused_where_a_remote_host_is_wanted) {
  upnp_profile how;
  how.pinholes_need_remote_host = true;
  world& w = begin_wanted(firewalled(how));
  w.run_for(1s);
  EXPECT_EQ(upnp_refusal(w, id_).reason, errc::not_supported);
  EXPECT_EQ(upnp_refusal(w, id_).result_code, 708);
}

TEST_F(pinholes, have_no_room_where_the_table_is_full) {
  scene what = firewalled();
  what.router.max_rules = 0;
  world& w = begin_wanted(what);
  w.run_for(1s);
  EXPECT_EQ(upnp_refusal(w, id_).reason, errc::no_resources);
  EXPECT_EQ(upnp_refusal(w, id_).result_code, 701);
  EXPECT_EQ(upnp_refusal(w, id_).retry_after, 300s);
}

TEST_F(pinholes, need_the_service) {
  for (const bool is_old : {false, true}) {
    scene what = firewalled();
    what.router.upnp.ipv6_firewall = false;
    if (is_old) what.router.upnp.version = 1;
    world& w = begin_wanted(what);
    w.run_for(10s);
    EXPECT_EQ(upnp_refusal(w, id_).reason, errc::not_supported);
  }
}

// -------------------------------------------------------------------------------------------------
// Gone, and numbers that mean nothing any more

TEST_F(pinholes, that_a_restart_forgets_are_made_again) {
  for (const int code : {704, 402}) {
    upnp_profile how;
    how.missing_pinhole_code = code;
    world& w = begin_open(firewalled(how));
    w.run_for(1min);
    w.reboot_router(false);
    EXPECT_FALSE(lets_in(w));
    EXPECT_TRUE(w.run_until([&] { return lets_in(w); }, 10min)) << "a recheck";
    w.run_for(24h);
    EXPECT_TRUE(lets_in(w));
    EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::mapped);
    expect_clean_end(w);
  }
}

TEST_F(pinholes, whose_number_is_forgotten_are_found_out_and_made_again) {
  for (const int code : {704, 402}) {
    upnp_profile how;
    how.missing_pinhole_code = code;
    world& w = begin_open(firewalled(how));
    w.router().forget_all();
    w.run_for(6min);
    EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
    EXPECT_EQ(w.events()[1].event.why.reason, errc::mapping_gone);
    EXPECT_TRUE(lets_in(w));
    expect_clean_end(w);
  }
}

TEST_F(pinholes, are_made_again_at_a_renewal_where_they_cannot_be_looked_at) {
  upnp_profile how;
  how.missing_actions = {"GetPinholePackets", "CheckPinholeWorking"};
  how.missing_action_code = 602;
  world& w = begin_open(firewalled(how));
  EXPECT_FALSE(w.events()[0].event.info.verified);
  w.router().forget_all();
  w.run_for(30min);
  EXPECT_FALSE(lets_in(w)) << "nobody can tell";
  w.run_for(1h);  // a renewal
  EXPECT_TRUE(lets_in(w));
  expect_clean_end(w);
}

TEST_F(pinholes, are_looked_at_in_another_way_where_packets_are_not_counted) {
  upnp_profile how;
  how.missing_actions = {"GetPinholePackets"};
  world& w = begin_open(firewalled(how));
  EXPECT_TRUE(w.events()[0].event.info.verified) << "nobody came yet, which is no news";
  EXPECT_EQ(requests_for(w, "CheckPinholeWorking").size(), 1U);
  EXPECT_TRUE(lets_in(w));
  w.router().forget_all();
  w.run_for(6min);
  EXPECT_TRUE(lets_in(w));
  expect_clean_end(w);
}

/// Nobody tells of the restart, after which numbers are given again in the order of asking: the
/// one that is renewed first has the other one's then.
TEST_F(pinholes, do_not_take_each_others_numbers) {
  world& w = begin(firewalled());
  w.router().behaviour().upnp.http_port_moves = false;
  map_request wish = wanted();
  wish.lifetime = 24h;
  id_ = w.create(wish);
  w.run_for(1s);
  wish = wanted(9090);
  wish.lifetime = 600s;
  w.create(wish);
  w.run_for(304s);  // a recheck, and no renewal yet
  ASSERT_TRUE(requests_for(w, "UpdatePinhole").empty());
  w.reboot_router(false);
  w.run_for(100s);
  ASSERT_TRUE(lets_in(w, 9090)) << "renewed";
  ASSERT_FALSE(lets_in(w, 8080)) << "not looked at yet";
  EXPECT_EQ(only_hole(w).id, 1) << "it was the other one's";
  w.run_for(220s);  // a recheck
  EXPECT_TRUE(lets_in(w, 9090));
  EXPECT_TRUE(lets_in(w, 8080));
  w.run_for(24h);
  EXPECT_TRUE(lets_in(w, 9090));
  EXPECT_TRUE(lets_in(w, 8080));
}

TEST_F(pinholes, that_cannot_be_extended_are_made_anew_in_time) {
  upnp_profile how;
  how.pinholes_are_not_extended = true;
  world& w = begin_open(firewalled(how));
  for (int i = 0; i < 24 * 12; ++i) {
    w.run_for(5min);
    ASSERT_TRUE(lets_in(w)) << i;
  }
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  expect_clean_end(w);
}

TEST_F(pinholes, that_cannot_be_deleted_are_shortened) {
  upnp_profile how;
  how.refuses_pinhole_deletes_with = 606;
  world& w = begin_open(firewalled(how));
  w.release(id_);
  w.run_for(500ms);
  EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::removed);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  w.run_for(1s);
  EXPECT_FALSE(lets_in(w));
}

TEST_F(pinholes, of_a_router_that_moves_without_a_restart_are_kept) {
  world& w = begin_open(firewalled());
  w.reboot_router(true);
  w.run_for(24h);
  EXPECT_EQ(w.router().pinholes().size(), 1U);
  EXPECT_TRUE(lets_in(w));
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  expect_clean_end(w);
}

// -------------------------------------------------------------------------------------------------
// Mishaps

TEST_F(pinholes, are_one_although_the_answer_is_lost) {
  using outcome = http_treatment::outcome;
  for (const outcome end : {outcome::breaks_after, outcome::hangs, outcome::breaks_before}) {
    for (const char* const action : {"AddPinhole", "GetPinholePackets", "GetFirewallStatus"}) {
      world& w = begin(firewalled());
      bool is_first = true;
      w.http_courier = [&](const http_record& record) {
        const bool is_it = is_first && asked_for(record) == action;
        if (is_it) is_first = false;
        return http_treatment{is_it ? end : outcome::answered, 0ns, 0ns};
      };
      id_ = w.create(wanted());
      ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 1min))
          << action;
      EXPECT_EQ(w.router().pinholes().size(), 1U) << action;
      EXPECT_TRUE(lets_in(w));
      expect_clean_end(w);
    }
  }
}

TEST_F(pinholes, are_closed_although_the_number_was_not_heard) {
  world& w = begin(firewalled());
  w.http_courier = [&](const http_record& record) {
    const bool is_it = asked_for(record) == "AddPinhole" && w.now() < 1s;
    return http_treatment{
        is_it ? http_treatment::outcome::hangs : http_treatment::outcome::answered, 0ns, 0ns};
  };
  id_ = w.create(wanted());
  ASSERT_TRUE(w.run_until([&] { return w.router().pinholes().size() == 1; }, 1s));
  w.release(id_);
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::removed) == 1; }, 5s));
  w.run_for(10s);
  EXPECT_EQ(w.router().pinholes().size(), 0U) << "tidied up afterwards";
}

TEST_F(pinholes, are_opened_and_kept_under_loss) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    scene what = firewalled();
    what.seed = seed;
    what.link.loss_percent = 30;
    world& w = begin(what);
    const mapping_id id = w.create(wanted());
    ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 10min))
        << seed;
    w.run_for(24h);
    EXPECT_TRUE(lets_in(w)) << seed;
    EXPECT_LE(w.router().pinholes().size(), 1U) << seed;
    w.release(id);
    w.run_for(2s);
    ASSERT_EQ(w.last_event(id)->event.kind, event_kind::removed) << seed;
    const removal how = w.last_event(id)->event.how;
    EXPECT_TRUE(how == removal::left_to_expire || !lets_in(w)) << seed;
  }
}

TEST_F(pinholes, follow_the_prefix) {
  world& w = begin_open(firewalled());
  w.run_for(1min);
  const ip_address renumbered = ip_address::parse("2001:db8:9::100").value();
  network_facts facts = world::both_families();
  facts.addresses[1].deprecated = true;
  facts.addresses.push_back({renumbered, 64, 2, "lan0", false, false});
  w.set_network(facts);
  w.run_for(10s);
  ASSERT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.last_event(id_)->event.info.internal, (endpoint{renumbered, 8080}));
  EXPECT_EQ(w.router().pinholes().size(), 2U) << "the old one ends with its lease";
}

}  // namespace
}  // namespace damson::sim
