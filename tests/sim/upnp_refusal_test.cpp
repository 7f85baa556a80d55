// UPnP routers that say no, and what is made of it.

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

std::vector<std::string> values_of(const std::vector<http_record>& requests, const char* name) {
  std::vector<std::string> out(requests.size());
  std::ranges::transform(requests, out.begin(),
                         [&](const auto& one) { return element_of(one.request, name); });
  return out;
}

/// AddPortMapping and AddAnyPortMapping.
std::vector<http_record> adds(const world& w) {
  std::vector<http_record> out;
  for (const auto& one : w.requests()) {
    if (asked_for(one).starts_with("Add")) out.push_back(one);
  }
  return out;
}

/// Another host, or a program of this one, asks for a port by itself.
void somebody_adds(world& w, const wanted_mapping& what, const ip_address& who = other_host) {
  const std::string_view type = w.router().behaviour().upnp.version == 2 ? ip_v2 : ip_v1;
  const http_answer answer = w.router().handle_http(
      w.clock(), {who, 50'000},
      post(ip_control, type, "AddPortMapping", envelope(type, "AddPortMapping", what.all())));
  ASSERT_EQ(answer.status, 200) << answer.text();
}

wanted_mapping of_other_host(const std::string& external = "8080") {
  return {.external = external, .internal = "80", .client = "192.168.1.101"};
}

/// Not of a range for documentation, as the standard one is.
constexpr ip_address public_side = v4(93, 184, 216, 34);

scene upnp_only_in_public(const upnp_profile& how) {
  scene out = upnp_only(how);
  out.public_address = public_side;
  return out;
}

class upnp_refusal : public upnp_scenario {
 protected:
  /// One request that fails, and how UPnP fared in it.
  protocol_failure failure_of(world& w, const map_request& wanted = request()) {
    id_ = w.create(wanted);
    w.run_until([&] { return !w.events().empty(); }, 30s);
    EXPECT_EQ(kinds(w), std::vector{event_kind::failed});
    const auto* const why =
        w.events().empty() ? nullptr : reason_for(w.events()[0].event.why, protocol::upnp);
    EXPECT_NE(why, nullptr);
    return why == nullptr ? protocol_failure{} : *why;
  }

  /// Called off, it leaves the router as it was.
  void expect_nothing_left(world& w, std::size_t others = 0) {
    w.release(id_);
    w.run_for(2s);
    EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::removed);
    EXPECT_EQ(w.router().rules().size(), others);
  }
};

TEST_F(upnp_refusal, of_an_optional_action_leads_to_the_older_one) {
  for (const int code : {401, 404, 602, 403}) {
    SCOPED_TRACE(code);
    upnp_profile how;
    how.version = 2;
    how.missing_actions = {"AddAnyPortMapping", "GetStatusInfo"};
    how.missing_action_code = code;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 1s);
    EXPECT_EQ(requests_for(w, "AddAnyPortMapping").size(), 1U);
    w.create(request(9000));
    w.run_for(1s);
    EXPECT_EQ(w.count_events(event_kind::mapped), 2U);
    EXPECT_EQ(requests_for(w, "AddAnyPortMapping").size(), 1U) << "and is remembered";
    w.run_for(1h);
    EXPECT_EQ(w.events().size(), 2U) << "that there is no status is no obstacle";
  }
}

TEST_F(upnp_refusal, carries_the_routers_own_words) {
  upnp_profile how;
  how.refuses_adds_with = 606;
  world& w = begin(upnp_only_in_public(how));
  const protocol_failure why = failure_of(w);
  EXPECT_EQ(why.reason, errc::not_authorized);
  EXPECT_EQ(why.result_code, 606);
  EXPECT_EQ(why.router_text, "Action not authorized");
  EXPECT_TRUE(why.retry_after);
  EXPECT_NE(to_string(why).find("result 606, \"Action not authorized\", not again for"),
            std::string::npos)
      << to_string(why);
}

TEST_F(upnp_refusal, of_reading_back_leaves_a_mapping_unverified) {
  upnp_profile how;
  how.missing_actions = {"GetSpecificPortMappingEntry"};
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 1s);
  EXPECT_FALSE(w.events()[0].event.info.verified);
  w.run_for(12h);
  EXPECT_EQ(w.events().size(), 1U);
  EXPECT_EQ(requests_for(w, "GetSpecificPortMappingEntry").size(), 1U);
}

/// Then adding it again is the only way to know.
TEST_F(upnp_refusal, of_reading_back_does_not_hide_a_restart) {
  for (const bool port_moves : {false, true}) {
    upnp_profile how;
    how.missing_actions = {"GetSpecificPortMappingEntry"};
    how.http_port_moves = port_moves;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 1s);
    w.run_for(1000s);
    w.reboot_router();
    w.run_for(310s);
    EXPECT_TRUE(router_holds(w, 8080)) << port_moves;
  }
}

TEST_F(upnp_refusal, of_arguments_leads_to_other_leases) {
  const std::vector<std::string> leases{"7200", "0", "604800", "3600"};
  for (std::uint32_t refused = 1; refused < leases.size(); ++refused) {
    SCOPED_TRACE(refused);
    upnp_profile how;
    how.refuses_adds_with = 402;
    how.refused_adds = refused;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 1s);
    EXPECT_EQ(values_of(adds(w), "NewLeaseDuration"),
              std::vector(leases.begin(), leases.begin() + refused + 1));
    EXPECT_EQ(w.events()[0].event.info.permanent, refused == 1);
  }
  upnp_profile never;
  never.refuses_adds_with = 402;
  world& w = begin(upnp_only(never));
  const protocol_failure why = failure_of(w);
  EXPECT_EQ(why.reason, errc::malformed_request);
  EXPECT_EQ(why.result_code, 402);
  EXPECT_EQ(values_of(adds(w), "NewLeaseDuration"), leases);
}

TEST_F(upnp_refusal, of_an_infinite_lease_is_met_with_a_finite_one) {
  upnp_profile how;
  how.leases = lease_policy::only_finite_402;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 1s);
  EXPECT_EQ(w.events()[0].event.info.lifetime, 7200s);
  EXPECT_FALSE(w.events()[0].event.info.permanent);
}

TEST_F(upnp_refusal,
       without_a_reason_is_tried_with_another_port_and_another_lease) {
  for (const int code : {501, -911, 899}) {
    SCOPED_TRACE(code);
    upnp_profile how;
    how.refuses_adds_with = code;
    world& w = begin(upnp_only_in_public(how));
    const protocol_failure why = failure_of(w);
    EXPECT_EQ(why.reason, errc::unusable_answer);
    EXPECT_EQ(why.result_code, code);
    EXPECT_EQ(why.server.address, world::router_address);
    const auto ports = values_of(adds(w), "NewExternalPort");
    ASSERT_EQ(ports.size(), 3U);
    EXPECT_EQ(ports[0], "8080");
    EXPECT_NE(ports[1], "8080");
    EXPECT_EQ(values_of(adds(w), "NewLeaseDuration"),
              (std::vector<std::string>{"7200", "7200", "0"}));
    expect_nothing_left(w);
  }
}

TEST_F(upnp_refusal, of_a_router_without_a_public_address_is_told_as_that) {
  const std::array<std::optional<ip_address>, 3> addresses{std::nullopt, v4(10, 0, 0, 2),
                                                           v4(100, 64, 0, 2)};
  for (const auto& address : addresses) {
    for (const bool says_zero : {false, true}) {
      upnp_profile how;
      how.private_wan_disables = true;
      how.unknown_address_is_zero = says_zero;
      scene what = upnp_only(how);
      what.public_address = address;
      world& w = begin(what);
      const protocol_failure why = failure_of(w);
      EXPECT_EQ(why.reason, errc::network_failure);
      EXPECT_EQ(why.result_code, 501);
      // Served as soon as there is one.
      w.set_public_address(public_side);
      w.run_for(301s);
      EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
      EXPECT_EQ(w.events().back().event.info.external.address, public_side);
    }
  }
}

TEST_F(upnp_refusal, of_a_query_is_as_if_there_were_no_entry) {
  upnp_profile how;
  how.missing_entry_code = 501;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 1s);
  EXPECT_TRUE(w.events()[0].event.info.verified);
}

TEST_F(upnp_refusal, of_a_low_port_leads_to_a_high_one) {
  upnp_profile how;
  how.refuses_low_ports = true;
  world& w = begin(upnp_only(how));
  map_request wanted = request();
  wanted.external_port = 80;
  w.create(wanted);
  expect_mapped(w, 1s);
  EXPECT_GE(w.events()[0].event.info.external.port, 1024);
  EXPECT_EQ(w.router().rules().size(), 1U);
}

TEST_F(upnp_refusal, by_policy_is_reported_and_not_argued_with) {
  upnp_profile how;
  how.refuses_adds_with = 606;
  world& w = begin(upnp_only(how));
  const protocol_failure why = failure_of(w);
  EXPECT_EQ(why.reason, errc::not_authorized);
  EXPECT_EQ(why.result_code, 606);
  EXPECT_TRUE(why.retry_after.has_value());
  EXPECT_EQ(adds(w).size(), 1U);
  w.run_for(299s);
  EXPECT_EQ(adds(w).size(), 1U);
  expect_nothing_left(w);
}

TEST_F(upnp_refusal, to_delete_what_is_gone_is_no_failure) {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    upnp_profile how;
    how.version = version;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 1s);
    w.router().forget_all();
    w.release(id_);
    w.run_for(2s);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::already_gone);
  }
}

TEST_F(upnp_refusal, by_policy_that_is_called_a_conflict_leads_to_another_port) {
  upnp_profile how;
  how.refuses_low_ports = true;
  how.policy_refusals_are_718 = true;
  world& w = begin(upnp_only(how));
  map_request wanted = request();
  wanted.external_port = 80;
  id_ = w.create(wanted);
  w.run_for(10s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_GE(w.events()[0].event.info.external.port, 1'024);
  EXPECT_EQ(w.router().rules().size(), 1U);
  EXPECT_LE(requests_for(w, "AddPortMapping").size(), 5U);
}

TEST_F(upnp_refusal, for_another_hosts_entry_leads_to_another_port) {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    for (const bool is_static : {false, true}) {
      SCOPED_TRACE(version * 10 + (is_static ? 1 : 0));
      upnp_profile how;
      how.version = version;
      how.secure_mode = false;  // it would let itself be deleted
      world& w = begin(upnp_only(how));
      if (is_static) {
        w.router().occupy(transport::tcp, 8080, {other_host, 80});
      } else {
        somebody_adds(w, of_other_host());
      }
      const auto before = w.router().rules();
      id_ = w.create(request());
      expect_mapped(w, 1s);
      EXPECT_NE(w.events()[0].event.info.external.port, 8080);
      EXPECT_TRUE(requests_for(w, "DeletePortMapping").empty());
      w.run_for(12h);
      EXPECT_EQ(w.events().size(), 1U);
      w.release(id_);
      w.run_for(2s);
      const auto* const left = w.router().table().at_external(transport::tcp, 8080);
      EXPECT_TRUE(!is_static || (left != nullptr && *left == before[0]));
      for (const auto& one : requests_for(w, "DeletePortMapping")) {
        EXPECT_NE(element_of(one.request, "NewExternalPort"), "8080");
      }
    }
  }
}

TEST_F(upnp_refusal, for_a_taken_port_ends_after_a_few_tries) {
  for (const int code : {718, 729}) {
    upnp_profile how;
    how.refuses_adds_with = code;
    world& w = begin(upnp_only(how));
    const protocol_failure why = failure_of(w);
    EXPECT_EQ(why.reason, errc::no_resources);
    EXPECT_EQ(why.result_code, code);
    auto ports = values_of(adds(w), "NewExternalPort");
    EXPECT_EQ(ports.size(), 5U);
    std::ranges::sort(ports);
    EXPECT_TRUE(std::ranges::adjacent_find(ports) == ports.end());
    EXPECT_TRUE(requests_for(w, "DeletePortMapping").empty());
  }
}

TEST_F(upnp_refusal, for_an_own_entry_of_old_replaces_it) {
  for (const bool other_target : {false, true}) {
    SCOPED_TRACE(other_target);
    upnp_profile how;
    how.no_overwriting = true;
    world& w = begin(upnp_only(how));
    somebody_adds(w, {.internal = other_target ? "8081" : "8080", .lease = "600"},
                  world::host_address);
    id_ = w.create(request());
    expect_mapped(w, 1s);
    EXPECT_EQ(w.events()[0].event.info.external.port, 8080);
    EXPECT_EQ(w.router().rules().size(), 1U);
    EXPECT_EQ(requests_for(w, "DeletePortMapping").size(), 1U);
    expect_nothing_left(w);
  }
}

/// Such a router refuses each extension of the lease with 718.
TEST_F(upnp_refusal, to_overwrite_does_not_let_the_lease_run_out) {
  for (const bool hides_leases : {false, true}) {
    SCOPED_TRACE(hides_leases);
    upnp_profile how;
    how.no_overwriting = true;
    how.shows_lease_as_zero = hides_leases;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 1s);
    for (int minute = 0; minute < 12 * 60; ++minute) {
      w.run_for(1min);
      EXPECT_TRUE(router_holds(w, 8080)) << minute;
      if (HasFailure()) break;
    }
    EXPECT_EQ(w.events().size(), 1U);
  }
}

TEST_F(upnp_refusal, of_unequal_ports_leads_to_equal_ones) {
  upnp_profile how;
  how.same_ports_required = true;
  world& w = begin(upnp_only(how));
  map_request wanted = request();
  wanted.external_port = 9000;
  w.create(wanted);
  expect_mapped(w, 1s);
  EXPECT_EQ(w.events()[0].event.info.external.port, 8080);

  world& taken = begin(upnp_only(how));
  taken.router().occupy(transport::tcp, 8080, {other_host, 80});
  const protocol_failure why = failure_of(taken, wanted);
  EXPECT_EQ(why.reason, errc::external_not_available);
  expect_nothing_left(taken, 1);
}

TEST_F(upnp_refusal, of_all_ports_but_all_is_final) {
  for (const int code : {727, 715}) {
    upnp_profile how;
    how.refuses_adds_with = code;
    world& w = begin(upnp_only(how));
    const protocol_failure why = failure_of(w);
    EXPECT_EQ(why.reason, errc::not_supported);
    EXPECT_EQ(why.result_code, code);
    EXPECT_EQ(adds(w).size(), 1U);
    EXPECT_EQ(w.events()[0].event.why.reason, errc::not_supported)
        << "says more than the closed port of the other protocols";
  }
}

TEST_F(upnp_refusal, for_lack_of_room_is_not_tried_again_before_five_minutes) {
  for (const auto recheck : {30s, 300s, 3'600s}) {
    upnp_profile how;
    how.version = 2;
    scene what = upnp_only(how);
    what.router.max_rules = 1;
    what.client.recheck_period = recheck;
    world& w = begin(what);
    w.router().occupy(transport::udp, 9, {other_host, 9});
    const protocol_failure why = failure_of(w);
    EXPECT_EQ(why.reason, errc::no_resources);
    EXPECT_EQ(why.result_code, 728);
    EXPECT_EQ(adds(w).size(), 1U);
    const nanoseconds failed_at = w.events()[0].at;
    w.run_for(2h);
    ASSERT_GE(adds(w).size(), 2U);
    EXPECT_GE(adds(w)[1].at - failed_at, 5min);
    w.router().behaviour().max_rules = 2;
    w.run_for(3h);
    EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
  }
}

TEST_F(upnp_refusal, of_nothing_but_the_name_of_the_port_is_none) {
  for (const char* const name : {"NewReservedPort", "NewExternalPort", ""}) {
    for (const bool moves : {false, true}) {
      SCOPED_TRACE(std::string(name) + (moves ? " moves" : ""));
      upnp_profile how;
      how.version = 2;
      how.reserved_port_name = name;
      how.any_port_moves = moves;
      world& w = begin_request(upnp_only(how));
      expect_mapped(w, 1s);
      EXPECT_EQ(w.router().rules().size(), 1U);
      w.run_for(12h);
      EXPECT_EQ(w.events().size(), 1U);
      EXPECT_EQ(w.router().rules().size(), 1U) << "and no second port at a renewal (Q-180)";
      expect_nothing_left(w);
    }
  }
}

TEST_F(upnp_refusal, by_a_status_that_lies_is_not_believed) {
  upnp_profile how;
  how.uptime = 358'187'520;
  how.connections[0].status = "Disconnected";
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 2s);
  w.run_for(6h);
  EXPECT_EQ(w.events().size(), 1U);
}

TEST_F(upnp_refusal, is_not_what_a_lease_of_0_gets_in_version_2) {
  upnp_profile how;
  how.version = 2;
  how.refuses_adds_with = 402;
  how.refused_adds = 1;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 1s);
  EXPECT_EQ(w.events()[0].event.info.lifetime, 604'800s);
  EXPECT_FALSE(w.events()[0].event.info.permanent);
}

TEST_F(upnp_refusal, that_looks_like_a_success_is_seen) {
  for (const bool is_full : {false, true}) {
    upnp_profile how;
    how.success_without_entry = !is_full;
    how.full_table_is_silent = is_full;
    scene what = upnp_only_in_public(how);
    what.router.max_rules = is_full ? 0 : 100;
    world& w = begin(what);
    const protocol_failure why = failure_of(w);
    EXPECT_EQ(why.reason, errc::unusable_answer);
    EXPECT_EQ(why.result_code, std::nullopt);
    w.router().behaviour().upnp.success_without_entry = false;
    w.router().behaviour().max_rules = 100;
    w.run_for(301s);
    EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
    EXPECT_TRUE(w.events().back().event.info.verified);
  }
}

/// What was ours may be somebody else's by now, and routers of old delete whatever they are told.
TEST_F(upnp_refusal, is_not_needed_to_leave_others_entries_alone) {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    upnp_profile how;
    how.version = version;
    how.secure_mode = false;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 1s);
    w.router().forget_all();
    somebody_adds(w, of_other_host());
    w.run_for(301s + 5s);
    EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
    EXPECT_NE(w.events().back().event.info.external.port, 8080);
    w.release(id_);
    w.run_for(2s);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
    const nat_rule* const rule = w.router().table().at_external(transport::tcp, 8080);
    ASSERT_NE(rule, nullptr);
    EXPECT_EQ(rule->internal.address, other_host);
  }
}

TEST_F(upnp_refusal, by_one_protocol_leaves_the_others) {
  profile router;
  router.speaks_upnp = true;
  router.refuses_maps_with = pcp_result::not_authorized;
  world& w = begin(with(router));
  id_ = w.create(request());
  expect_mapped(w, 1s);
  const auto& report = w.events()[0].event.report;
  ASSERT_EQ(report.size(), 3U);
  EXPECT_EQ(report[0].standing, protocol_standing::failed);
  EXPECT_EQ(report[2].standing, protocol_standing::taken);
  w.run_for(12h);
  EXPECT_EQ(w.events().size(), 1U);
  EXPECT_EQ(w.router().rules().size(), 1U);
}

TEST_F(upnp_refusal, by_all_says_why_for_each) {
  profile router;
  router.speaks_pcp = false;
  router.speaks_upnp = true;
  router.refuses_nat_pmp_maps_with = nat_pmp_result::not_authorized;
  router.upnp.refuses_adds_with = 606;
  world& w = begin(with(router));
  w.create(request());
  w.run_for(20s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  const failure& why = w.events()[0].event.why;
  ASSERT_EQ(why.protocols.size(), 3U);
  EXPECT_EQ(reason_for(why, protocol::pcp)->reason, errc::version_refused);
  EXPECT_EQ(reason_for(why, protocol::nat_pmp)->reason, errc::not_authorized);
  EXPECT_EQ(reason_for(why, protocol::nat_pmp)->result_code, 2);
  EXPECT_EQ(reason_for(why, protocol::upnp)->reason, errc::not_authorized);
  EXPECT_EQ(reason_for(why, protocol::upnp)->result_code, 606);
  EXPECT_EQ(why.reason, errc::not_authorized);
}

TEST_F(upnp_refusal, is_asked_about_again_at_least_once_in_a_recheck_period) {
  for (const std::optional<int> code : {std::optional<int>{}, {501}, {718}, {728}, {402}, {606}}) {
    for (const std::chrono::seconds recheck : {300s, 900s}) {
      SCOPED_TRACE(std::to_string(code.value_or(0)) + " " + std::to_string(recheck.count()));
      upnp_profile how;
      how.refuses_adds_with = code;
      scene what = upnp_only(how);
      what.client.recheck_period = recheck;
      world& w = begin(what);
      w.set_plugged(code.has_value());
      w.create(request());
      w.run_for(24h);
      std::vector<nanoseconds> tries;
      if (code) {
        for (const auto& one : adds(w)) tries.push_back(one.at);
      } else {
        for (const auto& one : searches(w)) tries.push_back(one.at);
      }
      ASSERT_FALSE(tries.empty());
      tries.push_back(w.now());
      nanoseconds longest{};
      for (std::size_t i = 1; i < tries.size(); ++i) {
        longest = std::max(longest, tries[i] - tries[i - 1]);
      }
      // The attempt itself takes some time as well.
      EXPECT_LE(longest, recheck + 10s);
    }
  }
}

TEST_F(upnp_refusal, of_a_renewal_tells_that_the_uplink_was_lost) {
  scene what = upnp_only();
  what.client.recheck_period = 1h;
  what.public_address = v4(9, 9, 9, 9);
  world& w = begin(what);
  map_request wanted = request();
  wanted.lifetime = 300s;
  const mapping_id id = w.create(wanted);
  w.run_for(10s);
  ASSERT_EQ(w.last_event(id)->event.kind, event_kind::mapped);
  w.set_public_address(std::nullopt);
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::lost) == 1; }, 10min));
  const auto& events = w.events();
  const auto lost = std::ranges::find_if(
      events, [](const auto& each) { return each.event.kind == event_kind::lost; });
  EXPECT_EQ(lost->event.why.reason, errc::network_failure);
}

}  // namespace
}  // namespace damson::sim
