// Leases of mappings made through UPnP: extended, shortened, not extended, without an end.

#include <algorithm>
#include <string>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

class upnp_lease : public upnp_scenario {
 protected:
  /// Runs on and looks at the router's table once a minute: how often the port was not open.
  static std::size_t minutes_closed(world& w, nanoseconds span) {
    std::size_t out = 0;
    for (const nanoseconds end = w.now() + span; w.now() < end;) {
      w.run_for(1min);
      if (!router_holds(w, 8080)) ++out;
    }
    return out;
  }
};

TEST_F(upnp_lease, is_extended_on_the_same_port) {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    upnp_profile how;
    how.version = version;
    how.any_port_moves = true;  // AddAnyPortMapping would take another port each time
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 100ms);
    EXPECT_EQ(minutes_closed(w, 24h), 0U);
    EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_EQ(requests_for(w, "AddAnyPortMapping").size(), version == 2 ? 1U : 0U);
    const auto adds = requests_for(w, "AddPortMapping");
    EXPECT_GE(adds.size(), 18U);
    for (const auto& one : adds) EXPECT_EQ(element_of(one.request, "NewExternalPort"), "8080");
    EXPECT_TRUE(requests_for(w, "DeletePortMapping").empty());
    EXPECT_EQ(w.router().rules().size(), 1U);
  }
}

TEST_F(upnp_lease, is_extended_between_one_half_and_five_eighths) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  w.run_for(2h);
  const auto adds = requests_for(w, "AddPortMapping");
  ASSERT_GE(adds.size(), 2U);
  EXPECT_GE(adds[1].at, 3600s);
  EXPECT_LE(adds[1].at, 4501s);
}

TEST_F(upnp_lease, is_what_the_router_made_of_it) {
  upnp_profile how;
  how.forced_lease = 600;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  EXPECT_EQ(w.events()[0].event.info.lifetime, 600s);
  EXPECT_TRUE(w.events()[0].event.info.verified);
  EXPECT_EQ(minutes_closed(w, 6h), 0U);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  const auto adds = requests_for(w, "AddPortMapping");
  ASSERT_GE(adds.size(), 2U);
  EXPECT_LE(adds[1].at, 376s);
  EXPECT_TRUE(requests_for(w, "DeletePortMapping").empty()) << "it is short, but it is extended";
}

TEST_F(upnp_lease, that_is_longer_than_asked_is_renewed_all_the_same) {
  upnp_profile how;
  how.forced_lease = 86'400;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  EXPECT_EQ(w.events()[0].event.info.lifetime, 7200s);
  w.run_for(2h);
  EXPECT_GE(requests_for(w, "AddPortMapping").size(), 2U);
}

TEST_F(upnp_lease, that_is_shown_as_nothing_is_renewed) {
  upnp_profile how;
  how.shows_lease_as_zero = true;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  EXPECT_EQ(w.events()[0].event.info.lifetime, 7200s);
  EXPECT_FALSE(w.events()[0].event.info.permanent);
  EXPECT_EQ(minutes_closed(w, 12h), 0U);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(upnp_lease, that_is_not_extended_is_made_anew_in_time) {
  upnp_profile how;
  how.refresh_does_not_extend = true;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  EXPECT_EQ(minutes_closed(w, 24h), 0U);
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  EXPECT_EQ(w.router().rules().size(), 1U);
  // Once a lease, not at each renewal.
  const std::size_t deletes = requests_for(w, "DeletePortMapping").size();
  EXPECT_GE(deletes, 10U);
  EXPECT_LE(deletes, 24U);
}

TEST_F(upnp_lease, that_cannot_be_extended_for_a_while_is_tried_again) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  w.router().behaviour().upnp.refuses_adds_with = 501;
  w.run_for(4600s);  // past the first point of renewal
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_TRUE(router_holds(w, 8080)) << "what cannot be extended is not given up";
  w.router().behaviour().upnp.refuses_adds_with.reset();
  EXPECT_EQ(minutes_closed(w, 12h), 0U);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.router().rules().size(), 1U);
}

TEST_F(upnp_lease, without_an_end_is_told_kept_and_deleted) {
  for (const lease_policy policy :
       {lease_policy::only_permanent_725, lease_policy::only_permanent_402,
        lease_policy::finite_is_dropped}) {
    std::vector<std::string> warnings;
    upnp_profile how;
    how.leases = policy;
    scene what = upnp_only(how);
    what.client.log = [&](log_level level, std::string_view line) {
      if (level == log_level::warning) warnings.emplace_back(line);
    };
    world& w = begin_request(what);
    expect_mapped(w, 200ms);
    const mapping_info& info = w.events()[0].event.info;
    EXPECT_TRUE(info.permanent);
    EXPECT_EQ(info.lifetime, 0s);
    EXPECT_TRUE(info.verified);
    EXPECT_EQ(warnings.size(), 1U);
    const std::size_t adds = requests_for(w, "AddPortMapping").size();
    EXPECT_EQ(minutes_closed(w, 24h), 0U);
    EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_EQ(requests_for(w, "AddPortMapping").size(), adds) << "there is nothing to extend";
    EXPECT_GE(requests_for(w, "GetSpecificPortMappingEntry").size(), 280U) << "but to verify";
    w.release(id_);
    w.run_for(2s);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
    EXPECT_TRUE(w.router().rules().empty());
  }
}

TEST_F(upnp_lease, without_an_end_is_made_again_when_it_is_gone) {
  upnp_profile how;
  how.leases = lease_policy::only_permanent_725;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  w.run_for(1000s);
  w.reboot_router();
  w.run_for(310s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_TRUE(w.events()[2].event.info.permanent);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(upnp_lease, without_an_end_is_remembered_of_the_device) {
  upnp_profile how;
  how.leases = lease_policy::only_permanent_725;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  const std::size_t before = requests_for(w, "AddPortMapping").size();
  w.create(request(9000));
  w.run_for(1s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 2U);
  const auto adds = requests_for(w, "AddPortMapping");
  ASSERT_EQ(adds.size(), before + 1);
  EXPECT_EQ(element_of(adds.back().request, "NewLeaseDuration"), "0");
}

TEST_F(upnp_lease, without_an_end_is_not_taken_for_one_that_ends) {
  upnp_profile how;
  how.leases = lease_policy::finite_is_dropped;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 200ms);
  const network_facts facts = w.network();
  w.set_network({});
  w.run_for(1min);
  w.set_network(facts);  // to a router of which nothing is remembered
  w.run_for(10s);
  EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::mapped);
  EXPECT_TRUE(w.last_event(id_)->event.info.permanent);
  w.release(id_);
  w.run_for(2s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
  EXPECT_TRUE(w.router().rules().empty());
}

TEST_F(upnp_lease, without_an_end_is_known_although_the_answer_was_lost) {
  upnp_profile how;
  how.leases = lease_policy::finite_is_dropped;
  for (const unsigned lost : {1U, 4U}) {  // that often in a row: in one attempt, or for all of it
    world& w = begin(upnp_only(how));
    w.http_courier = [left = lost](const http_record& record) mutable {
      const bool is_permanent = element_of(record.request, "NewLeaseDuration") == "0";
      if (!is_permanent || left == 0) return http_treatment{};
      --left;
      return http_treatment{.end = http_treatment::outcome::hangs};
    };
    const mapping_id id = w.create(request());
    ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 10min));
    EXPECT_TRUE(w.last_event(id)->event.info.permanent) << lost << " lost";
  }
}

TEST_F(upnp_lease, without_an_end_can_be_forbidden) {
  for (const lease_policy policy :
       {lease_policy::only_permanent_725, lease_policy::only_permanent_402,
        lease_policy::finite_is_dropped}) {
    upnp_profile how;
    how.leases = policy;
    world& w = begin(upnp_only(how));
    map_request wanted = request();
    wanted.allow_permanent = false;
    const mapping_id id = w.create(wanted);
    const errc why = upnp_failure(w, 5s);
    EXPECT_EQ(why, errc::lease_not_supported);
    w.run_for(2h);  // tries again
    for (const auto& one : requests_for(w, "AddPortMapping")) {
      EXPECT_NE(element_of(one.request, "NewLeaseDuration"), "0");
    }
    EXPECT_TRUE(w.router().rules().empty());
    w.release(id);
    w.run_for(5s);
    EXPECT_EQ(w.last_event(id)->event.kind, event_kind::removed);
    EXPECT_TRUE(w.router().rules().empty());
  }
}

TEST_F(upnp_lease, is_never_asked_for_shorter_than_five_minutes_or_longer_than_a_week) {
  for (const auto& [wanted, asked_text] :
       {std::pair{1s, "300"}, std::pair{299s, "300"}, std::pair{301s, "301"},
        std::pair{604'800s, "604800"}, std::pair{1'000'000s, "604800"}}) {
    world& w = begin(upnp_only());
    map_request what = request();
    what.lifetime = wanted;
    w.create(what);
    expect_mapped(w, 100ms);
    EXPECT_EQ(element_of(requests_for(w, "AddPortMapping").at(0).request, "NewLeaseDuration"),
              asked_text);
  }
}

TEST_F(upnp_lease, is_extended_before_what_is_wished_for) {
  world& w = begin(upnp_only());
  map_request wanted = request();
  wanted.lifetime = 300s;
  const mapping_id first = w.create(wanted);
  w.run_for(2min);
  ASSERT_EQ(w.last_event(first)->event.kind, event_kind::mapped);
  w.http_courier = [](const http_record&) { return http_treatment{.processing = 1s}; };
  for (std::uint16_t i = 1; i <= 60; ++i) w.create(request(static_cast<std::uint16_t>(8080 + i)));
  w.run_for(10min);
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
}

}  // namespace
}  // namespace damson::sim
