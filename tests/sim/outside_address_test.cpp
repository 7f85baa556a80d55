// What the router's own address outside is worth, and how a router that has no public one is told
// from one that refuses and from one that is not there.

#include <array>
#include <string_view>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

struct outside_case {
  ip_address address;
  address_class expected{};
};

constexpr std::array outside_cases{
    outside_case{v4(93, 184, 216, 34), address_class::public_address},
    outside_case{v4(10, 0, 0, 7), address_class::private_address},
    outside_case{v4(172, 31, 255, 7), address_class::private_address},
    outside_case{v4(192, 168, 0, 7), address_class::private_address},
    outside_case{v4(100, 64, 0, 7), address_class::carrier_nat},
    outside_case{v4(100, 127, 255, 7), address_class::carrier_nat},
    outside_case{v4(169, 254, 0, 7), address_class::reserved},
    outside_case{ip_address::any_v4(), address_class::unknown},
};

constexpr std::array each_protocol{protocol_filter::pcp_only, protocol_filter::nat_pmp_only,
                                   protocol_filter::upnp};

constexpr std::array each_filter{protocol_filter::any, protocol_filter::pcp,
                                 protocol_filter::nat_pmp_only, protocol_filter::upnp};

profile versatile_router() {
  profile out;
  out.speaks_upnp = true;
  return out;
}

/// Refuses in all protocols, as miniupnpd does where its own address is not public.
scene shut_router(const std::optional<ip_address>& outside) {
  profile how = versatile_router();
  how.private_wan_disables = how.upnp.private_wan_disables = true;
  scene out = with(how);
  out.public_address = outside;
  return out;
}

class outside_address : public upnp_scenario {
 protected:
  /// The first event with which the attempt fails.
  static failure failure_of(world& w, protocol_filter filter) {
    w.create(request(filter));
    w.run_until([&] { return !w.events().empty(); }, 30s);
    EXPECT_EQ(kinds(w), std::vector{event_kind::failed});
    return w.events().empty() ? failure{} : w.events()[0].event.why;
  }
};

TEST_F(outside_address, is_told_with_its_class_in_each_protocol) {
  for (const outside_case& each : outside_cases) {
    for (const protocol_filter filter : each_protocol) {
      for (const bool says_zero : {false, true}) {  // UPnP says nothing, or 0.0.0.0
        SCOPED_TRACE(to_string(each.address));
        scene what = with(versatile_router());
        what.router.upnp.unknown_address_is_zero = says_zero;
        what.public_address = each.address;
        world& w = begin(what);
        w.create(request(filter));
        w.run_for(5s);
        ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
        const mapping_info& info = w.events()[0].event.info;
        EXPECT_EQ(info.external, (endpoint{each.address, 8080})) << info.protocol;
        EXPECT_EQ(info.external_class(), each.expected) << info.protocol;
      }
    }
  }
}

TEST_F(outside_address, is_told_with_its_class_through_loss) {
  for (const outside_case& each : outside_cases) {
    for (const protocol_filter filter : each_protocol) {
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SCOPED_TRACE(to_string(each.address) + ", seed " + std::to_string(seed));
        scene what = with(versatile_router());
        what.public_address = each.address;
        what.link.loss_percent = 30;
        what.seed = seed;
        world& w = begin(what);
        const mapping_id id = w.create(request(filter));
        const auto is_told = [&] {
          const auto* const told = w.last_event(id);
          return told != nullptr && told->event.kind != event_kind::failed &&
                 told->event.info.external.address == each.address;
        };
        EXPECT_TRUE(w.run_until(is_told, 10min));
        EXPECT_EQ(w.last_event(id)->event.info.external_class(), each.expected);
      }
    }
  }
}

TEST_F(outside_address, of_another_class_is_a_change) {
  for (const protocol_filter filter : each_protocol) {
    scene what = with(versatile_router());
    what.public_address = v4(93, 184, 216, 34);
    world& w = begin(what);
    const mapping_id id = w.create(request(filter));
    w.run_for(5s);
    ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
    w.set_public_address(v4(100, 64, 0, 7));
    w.run_for(2h);
    const mapping_event& told = w.last_event(id)->event;
    EXPECT_EQ(told.info.external_class(), address_class::carrier_nat) << told.info.protocol;
    EXPECT_TRUE(told.kind == event_kind::changed || told.kind == event_kind::mapped) << told.kind;
  }
}

TEST_F(outside_address, that_is_not_public_has_four_faces_and_one_outcome) {
  const std::array<std::optional<ip_address>, 3> addresses{std::nullopt, v4(10, 0, 0, 7),
                                                           v4(100, 64, 0, 7)};
  for (const auto& address : addresses) {
    for (const protocol_filter filter : each_filter) {
      world& w = begin(shut_router(address));
      const failure why = failure_of(w, filter);
      EXPECT_EQ(why.reason, errc::network_failure);
      EXPECT_EQ(next_step_of(why.reason), next_step::tell_owner);
      for (const protocol_failure& each : why.protocols) {
        // NAT-PMP is not asked for a mapping where PCP is spoken.
        if (each.reason == errc::not_tried) continue;
        EXPECT_EQ(each.reason, errc::network_failure) << each.protocol;
      }
      // Served once there is one.
      w.set_public_address(v4(93, 184, 216, 34));
      w.run_for(301s);
      EXPECT_EQ(w.events().back().event.kind, event_kind::mapped);
      EXPECT_EQ(w.events().back().event.info.external_class(), address_class::public_address);
    }
  }
}

TEST_F(outside_address, that_is_not_public_has_one_outcome_through_loss) {
  for (const protocol_filter filter : each_filter) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(seed);
      scene what = shut_router(v4(10, 0, 0, 7));
      what.link.loss_percent = 30;
      what.seed = seed;
      world& w = begin(what);
      const mapping_id id = w.create(request(filter));
      const auto is_told = [&] {
        const auto* const told = w.last_event(id);
        return told != nullptr && told->event.why.reason == errc::network_failure;
      };
      EXPECT_TRUE(w.run_until(is_told, 10min));
      EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
    }
  }
}

// The number of PCP comes first, and the answer that explains it later.
TEST_F(outside_address, is_waited_for_where_it_explains_a_refusal) {
  world& w = begin(shut_router(v4(10, 0, 0, 7)));
  w.courier = [](const packet_record& record) -> std::optional<nanoseconds> {
    const bool is_late = record.way == direction::to_host && is_nat_pmp(record.datagram.bytes);
    return is_late ? 500ms : 1ms;
  };
  const failure why = failure_of(w, protocol_filter::pcp);
  EXPECT_EQ(why.reason, errc::network_failure);
  EXPECT_EQ(w.events()[0].at, 501ms);
}

TEST_F(outside_address, does_not_hide_that_a_router_is_full) {
  for (const protocol_filter filter :
       {protocol_filter::any, protocol_filter::pcp, protocol_filter::upnp}) {
    scene what = with(versatile_router());
    what.router.max_rules = 0;
    what.public_address = v4(10, 0, 0, 7);
    world& w = begin(what);
    const failure why = failure_of(w, filter);
    EXPECT_EQ(why.reason, errc::no_resources);
    EXPECT_EQ(why.external, v4(10, 0, 0, 7));
    EXPECT_EQ(why.external_class(), address_class::private_address);
  }
}

TEST_F(outside_address, does_not_hide_a_refusal_by_policy) {
  scene what = with(versatile_router());
  what.router.refuses_maps_with = pcp_result::not_authorized;
  what.router.upnp.refuses_adds_with = 606;
  what.public_address = v4(100, 64, 0, 7);
  const failure why = failure_of(begin(what), protocol_filter::any);
  EXPECT_EQ(why.reason, errc::not_authorized);
  EXPECT_EQ(why.external_class(), address_class::carrier_nat);
}

TEST_F(outside_address, is_unknown_where_nobody_answers) {
  world& w = begin();
  w.set_plugged(false);
  const failure why = failure_of(w, protocol_filter::any);
  EXPECT_EQ(why.reason, errc::no_answer);
  EXPECT_EQ(why.external_class(), address_class::unknown);
}

TEST_F(outside_address, has_its_class_in_a_discovery) {
  for (const outside_case& each : outside_cases) {
    for (const protocol_filter filter :
         {protocol_filter::any, protocol_filter::nat_pmp_only, protocol_filter::upnp}) {
      SCOPED_TRACE(to_string(each.address));
      scene what = with(versatile_router());
      what.public_address = each.address;
      world& w = begin(what);
      w.discover(filter);
      w.run_for(20s);
      ASSERT_EQ(w.discoveries().size(), 1U);
      const discovery& found = w.discoveries()[0].what.found;
      EXPECT_EQ(found.external, each.address);
      EXPECT_EQ(found.external_class(), each.expected);
    }
  }
}

}  // namespace
}  // namespace damson::sim
