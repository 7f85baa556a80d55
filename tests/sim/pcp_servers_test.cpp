// PCP servers that the program names, for example those that DHCP has given (RFC 7291), instead of
// the router.

#include <algorithm>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

constexpr ip_address first = v4(192, 168, 1, 2);
constexpr ip_address second = v4(192, 168, 1, 3);
constexpr ip_address nobody = v4(192, 168, 1, 9);

profile silent() {
  profile out;
  out.speaks_pcp = out.speaks_nat_pmp = false;
  out.closed_port_refuses = false;
  return out;
}

profile closed() {
  profile out = silent();
  out.closed_port_refuses = true;
  return out;
}

class pcp_servers : public upnp_scenario {
 protected:
  static scene with_servers(const profile& of_first,
                            std::vector<ip_address> named = {first, second}) {
    scene out;
    out.devices = {{of_first, first, v4(198, 51, 100, 2)}, {{}, second, v4(198, 51, 100, 3)}};
    out.client.pcp_servers = std::move(named);
    return out;
  }

  static std::size_t asked(const world& w, const ip_address& whom) {
    return static_cast<std::size_t>(std::ranges::count_if(w.packets(), [&](const auto& each) {
      return each.way == direction::to_router && each.datagram.to.address == whom &&
             is_pcp(each.datagram.bytes);
    }));
  }

  static const mapping_info& told(world& w, mapping_id id) { return w.last_event(id)->event.info; }

  static void expect_no_complaints(world& w) {
    for (const gateway* each : w.routers()) {
      for (const auto& one : each->complaints()) ADD_FAILURE() << one.what;
    }
  }
};

TEST_F(pcp_servers, are_asked_instead_of_the_router) {
  world& w = begin(with_servers({}));
  const mapping_id id = w.create(request());
  w.run_for(10min);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 2ms);
  EXPECT_EQ(told(w, id).gateway, first);
  EXPECT_EQ(told(w, id).external, (endpoint{v4(198, 51, 100, 2), 8080}));
  EXPECT_EQ(asked(w, world::router_address), 0U);
  EXPECT_EQ(asked(w, second), 0U);
  w.release(id);
  w.run_for(3s);
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
  EXPECT_EQ(w.device_at(first)->table().size(), 0U);
  EXPECT_EQ(w.open_channels(), 0U);
  EXPECT_EQ(w.engine_deadline(), std::nullopt);
  expect_no_complaints(w);
}

TEST_F(pcp_servers, are_tried_in_order_where_one_is_silent) {
  scene what = with_servers(silent());
  what.router = silent();
  world& w = begin(what);
  const mapping_id id = w.create(request());
  w.run_for(1min);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.events()[0].at, 4s + 2ms);  // the schedule of a first contact
  EXPECT_EQ(asked(w, first), 5U);
  EXPECT_EQ(told(w, id).gateway, second);
  w.release(id);
  w.run_for(3s);
  // Who never said a word has made nothing.
  EXPECT_EQ(w.last_event(id)->event.how, removal::deleted);
  EXPECT_EQ(w.open_channels(), 0U);
}

TEST_F(pcp_servers, are_tried_at_once_where_one_refuses_or_speaks_another_version) {
  profile other_version;
  other_version.pcp_version = 1;
  other_version.speaks_nat_pmp = false;
  for (const profile& how : {closed(), nat_pmp_only_router(), other_version}) {
    scene what = with_servers(how);
    what.router = silent();
    world& w = begin(what);
    const mapping_id id = w.create(request());
    w.run_for(1min);
    ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
    EXPECT_LE(w.events()[0].at, 10ms);
    EXPECT_EQ(told(w, id).gateway, second);
  }
}

TEST_F(pcp_servers, share_the_work_with_the_routers_other_protocols) {
  scene what = with_servers(silent(), {first});
  world& w = begin(what);  // the router speaks NAT-PMP, and PCP, for which it is not asked
  const mapping_id id = w.create(request());
  w.run_for(10min);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(told(w, id).protocol, protocol::nat_pmp);
  EXPECT_EQ(told(w, id).gateway, world::router_address);
  EXPECT_EQ(asked(w, world::router_address), 0U);
}

TEST_F(pcp_servers, fail_together_and_are_asked_again_from_the_first) {
  scene what = with_servers(silent(), {first, nobody});
  what.router = closed();
  world& w = begin(what);
  const mapping_id id = w.create(request(protocol_filter::pcp_only));
  w.run_for(9s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 8s);
  EXPECT_EQ(w.events()[0].event.why.reason, errc::no_answer);
  EXPECT_EQ(asked(w, first), 5U);
  EXPECT_EQ(asked(w, nobody), 5U);
  w.device_at(first)->behaviour() = {};
  ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 10s));
  EXPECT_EQ(told(w, id).gateway, first);
}

TEST_F(pcp_servers, keep_to_the_one_that_answered_until_its_lease_has_ended) {
  scene what = with_servers({});
  what.router = silent();
  world& w = begin(what);
  map_request wanted = request();
  wanted.lifetime = 20min;
  const mapping_id id = w.create(wanted);
  w.run_for(1min);
  ASSERT_EQ(told(w, id).gateway, first);
  w.device_at(first)->behaviour() = silent();
  w.run_for(19min - 1s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(asked(w, second), 0U);
  w.run_for(10s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(told(w, id).gateway, second);
  w.release(id);
  w.run_for(3s);
  // The first may have granted what it was asked for last.
  EXPECT_EQ(w.last_event(id)->event.how, removal::left_to_expire);
  EXPECT_EQ(w.device_at(second)->table().size(), 0U);
}

TEST_F(pcp_servers, have_an_epoch_of_their_own) {
  world& w = begin(with_servers({}));
  const mapping_id of_server = w.create(request());
  const mapping_id of_router = w.create(request(protocol_filter::nat_pmp_only, 9090));
  w.run_for(10min);
  EXPECT_EQ(w.count_events(event_kind::mapped), 2U);
  // The router restarts: what it made is made again, and nothing else.
  w.reboot_router();
  w.run_for(10min);
  EXPECT_EQ(w.count_events(event_kind::lost), 1U);
  EXPECT_EQ(w.last_event(of_router)->event.kind, event_kind::mapped);
  EXPECT_TRUE(w.last_event(of_router)->event.regained);
  EXPECT_FALSE(w.last_event(of_server)->event.regained);
  // And the other way round.
  w.device_at(first)->reboot(w.clock());
  w.run_for(10min);
  EXPECT_EQ(w.count_events(event_kind::lost), 2U);
  EXPECT_TRUE(w.last_event(of_server)->event.regained);
  EXPECT_EQ(w.device_at(first)->table().size(), 1U);
  EXPECT_EQ(w.router().table().size(), 1U);
}

TEST_F(pcp_servers, are_of_the_mappings_family_and_can_be_asked) {
  scene what = with_servers(
      {}, {ip_address::any_v4(), v4(224, 0, 0, 1), world::host_address_v6, second, second});
  world& w = begin(what);
  const mapping_id id = w.create(request());
  w.run_for(1s);
  EXPECT_EQ(told(w, id).gateway, second);

  // None of the family: the router itself.
  what.client.pcp_servers = {world::host_address_v6};
  world& other = begin(what);
  const mapping_id own = other.create(request());
  other.run_for(1s);
  EXPECT_EQ(told(other, own).gateway, world::router_address);
}

TEST_F(pcp_servers, are_discovered) {
  scene what = with_servers(closed());
  world& w = begin(what);
  w.discover(protocol_filter::pcp);
  w.run_for(20s);
  ASSERT_EQ(w.discoveries().size(), 1U);
  const discovery& found = w.discoveries()[0].what.found;
  ASSERT_EQ(found.protocols.size(), 2U);
  EXPECT_EQ(found.protocols[0].standing, protocol_standing::answered);
  EXPECT_EQ(found.protocols[0].server, (endpoint{second, server_port}));
  EXPECT_EQ(found.protocols[1].standing, protocol_standing::answered);
  EXPECT_EQ(found.protocols[1].server, (endpoint{world::router_address, server_port}));
  EXPECT_EQ(w.open_channels(), 0U);
}

TEST_F(pcp_servers, are_found_through_loss) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    scene what = with_servers(silent());
    what.router = closed();
    what.seed = seed;
    what.link.loss_percent = 20;
    what.link.duplicate_percent = 20;
    world& w = begin(what);
    std::vector<mapping_id> all;
    for (std::uint16_t port = 8000; port < 8010; ++port) all.push_back(w.create(request(port)));
    ASSERT_TRUE(w.run_until(
        [&] {
          return std::ranges::all_of(all, [&](mapping_id id) {
            const auto* last = w.last_event(id);
            return last != nullptr && last->event.kind == event_kind::mapped;
          });
        },
        10min))
        << seed;
    EXPECT_EQ(w.device_at(second)->table().size(), 10U) << seed;
    w.close();
    w.run_for(3s);
    EXPECT_TRUE(w.closed()) << seed;
    expect_no_complaints(w);
  }
}

TEST_F(pcp_servers, do_without_channels) {
  world& w = begin(with_servers({}));
  w.sockets_work = false;
  w.create(request());
  w.run_for(10s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
  w.sockets_work = true;
  EXPECT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 1min));
}

}  // namespace
}  // namespace damson::sim
