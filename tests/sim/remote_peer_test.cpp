// PEER (RFC 6887 section 12): the mapping that an outbound flow has.

#include <algorithm>
#include <set>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

constexpr endpoint far{v4(203, 0, 113, 9), 443};
constexpr endpoint farther{v4(203, 0, 113, 10), 443};
constexpr ip_address inner_wan = v4(192, 168, 0, 2);
constexpr ip_address outer_lan = v4(192, 168, 0, 1);
constexpr ip_address outer_wan = v4(93, 184, 216, 34);

map_request flow(const endpoint& to = far, std::uint16_t port = 8080) {
  map_request out = request(port, transport::udp);
  out.remote_peer = to;
  return out;
}

std::vector<sent_map<pcp_peer_view>> pcp_peers(const world& w) {
  std::vector<sent_map<pcp_peer_view>> out;
  for (const auto& record : w.packets()) {
    if (record.way != direction::to_router) continue;
    if (const auto peer = read_pcp_peer(record.datagram.bytes)) out.push_back({record.at, *peer});
  }
  return out;
}

class remote_peer : public upnp_scenario {
 protected:
  world& begin_flow(const scene& what = {}) {
    world& w = begin(what);
    id_ = w.create(flow());
    EXPECT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 10s));
    return w;
  }
};

TEST_F(remote_peer, is_asked_for_in_pcp_alone_and_opens_nothing) {
  scene what;
  what.router.speaks_upnp = true;
  world& w = begin_flow(what);
  const mapping_info& info = w.events()[0].event.info;
  EXPECT_EQ(info.protocol, protocol::pcp);
  EXPECT_EQ(info.internal, (endpoint{world::host_address, 8080}));
  EXPECT_EQ(info.external, (endpoint{wan_side, 8080}));
  ASSERT_EQ(w.router().table().flows().size(), 1U);
  EXPECT_EQ(w.router().table().flows()[0].remote, far);
  EXPECT_TRUE(w.router().rules().empty());
  EXPECT_TRUE(pcp_maps(w).empty());
  EXPECT_TRUE(nat_pmp_maps(w).empty());
  EXPECT_TRUE(w.requests().empty());
  // Only its other end comes in.
  EXPECT_TRUE(w.router().pass_in(w.clock(), transport::udp, far, info.external));
  EXPECT_FALSE(w.router().pass_in(w.clock(), transport::udp, farther, info.external));
}

TEST_F(remote_peer, wishes_for_no_port_unless_the_program_does) {
  world& w = begin_flow();
  ASSERT_EQ(pcp_peers(w).size(), 1U);
  EXPECT_EQ(pcp_peers(w)[0].map.map.external_port, 0);
  EXPECT_EQ(pcp_peers(w)[0].map.remote, far);
  EXPECT_EQ(pcp_peers(w)[0].map.map.lifetime, 7200U);
}

TEST_F(remote_peer, is_done_without_the_wish_where_the_flow_has_another_port) {
  world& w = begin();
  w.router().occupy(transport::udp, 9999, {other_host, 1});
  map_request wanted = flow();
  wanted.external_port = 9999;
  const mapping_id id = w.create(wanted);
  w.run_for(1s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_NE(w.last_event(id)->event.info.external.port, 9999);
  ASSERT_EQ(pcp_peers(w).size(), 2U);
  EXPECT_EQ(pcp_peers(w)[0].map.map.external_port, 9999);
  EXPECT_EQ(pcp_peers(w)[1].map.map.external_port, 0);
}

TEST_F(remote_peer, is_renewed_with_its_nonce) {
  world& w = begin_flow();
  w.run_for(24h);
  EXPECT_EQ(w.count_events(event_kind::mapped), 1U);
  EXPECT_EQ(w.event_count(), 1U);
  EXPECT_EQ(w.router().table().flows().size(), 1U);
  const auto sent = pcp_peers(w);
  EXPECT_GE(sent.size(), 20U);
  std::set<nonce_bytes> nonces;
  for (const auto& each : sent) {
    nonces.insert(each.map.map.nonce);
    EXPECT_EQ(each.map.remote, far);
    EXPECT_NE(each.map.map.lifetime, 0U);
  }
  EXPECT_EQ(nonces.size(), 1U);
}

TEST_F(remote_peer, is_left_to_expire) {
  world& w = begin_flow();
  w.release(id_);
  EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::removed);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
  w.run_for(1s);
  EXPECT_EQ(pcp_peers(w).size(), 1U);
  EXPECT_EQ(w.router().table().flows().size(), 1U);
  EXPECT_EQ(w.open_channels(), 0U);
  EXPECT_EQ(w.engine_deadline(), std::nullopt);
}

TEST_F(remote_peer, is_not_deleted_when_the_client_closes) {
  for (const bool at_once : {false, true}) {
    world& w = begin_flow();
    w.close(at_once);
    w.run_for(3s);
    EXPECT_TRUE(w.closed());
    EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
    EXPECT_EQ(pcp_peers(w).size(), 1U);
    EXPECT_TRUE(pcp_maps(w).empty());
  }
}

TEST_F(remote_peer, is_asked_for_again_after_a_restart) {
  world& w = begin_flow();
  w.run_for(1min);
  w.reboot_router();
  EXPECT_TRUE(w.router().table().flows().empty());
  w.run_for(1min);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_EQ(w.router().table().flows().size(), 1U);
  EXPECT_EQ(w.last_event(id_)->event.info.external, (endpoint{wan_side, 8080}));
}

TEST_F(remote_peer, of_one_port_are_as_many_mappings_as_flows) {
  world& w = begin();
  const mapping_id one = w.create(flow(far));
  const mapping_id same = w.create(flow(far));
  const mapping_id other = w.create(flow(farther));
  const mapping_id open = w.create(request(8080, transport::udp));
  w.run_for(10s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 4U);
  EXPECT_EQ(w.router().table().flows().size(), 2U);
  EXPECT_EQ(w.router().rules().size(), 1U);
  // They share the port outside.
  for (const mapping_id each : {one, same, other, open}) {
    EXPECT_EQ(w.last_event(each)->event.info.external, (endpoint{wan_side, 8080}));
  }
  w.release(one);
  EXPECT_EQ(w.last_event(one)->event.how, removal::still_shared);
  w.release(open);
  w.run_for(3s);
  EXPECT_EQ(w.last_event(open)->event.how, removal::deleted);
  EXPECT_EQ(w.router().table().flows().size(), 2U);
  w.run_for(24h);
  EXPECT_EQ(w.router().table().flows().size(), 2U);
}

TEST_F(remote_peer, is_refused_by_servers_that_do_not_know_it) {
  scene what;
  what.router.serves_peer = false;
  what.router.speaks_upnp = true;
  world& w = begin(what);
  w.create(flow());
  w.run_for(1min);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].event.why.reason, errc::not_supported);
  ASSERT_EQ(w.events()[0].event.why.protocols.size(), 1U);
  EXPECT_EQ(w.events()[0].event.why.protocols[0].result_code, 4);
  EXPECT_EQ(pcp_peers(w).size(), 1U);
}

TEST_F(remote_peer, has_to_make_sense) {
  const auto refused = [&](const map_request& wanted) {
    world& w = begin();
    w.create(wanted);
    w.run_for(1s);
    return kinds(w) == std::vector{event_kind::failed} &&
           w.events()[0].event.why.reason == errc::invalid_argument;
  };
  map_request wrong = flow();
  wrong.remote_peer.port = 0;
  EXPECT_TRUE(refused(wrong));
  wrong = flow();
  wrong.remote_peer.address = {};
  EXPECT_TRUE(refused(wrong));
  EXPECT_TRUE(refused(flow({world::host_address_v6, 443})));
  EXPECT_TRUE(refused(flow({v4(224, 0, 0, 1), 443})));
  wrong = flow();
  wrong.families = ip_families::both;
  EXPECT_TRUE(refused(wrong));
  wrong = flow();
  wrong.prefer_failure = true;
  wrong.external_port = 8080;
  EXPECT_TRUE(refused(wrong));
  wrong = flow();
  wrong.peers = {{v4(203, 0, 113, 0), 24}};
  EXPECT_TRUE(refused(wrong));
  EXPECT_FALSE(refused(flow()));
}

TEST_F(remote_peer, cannot_be_carried_by_the_others) {
  for (const protocol_filter filter : {protocol_filter::nat_pmp_only, protocol_filter::upnp}) {
    world& w = begin();
    map_request wanted = flow();
    wanted.protocols = filter;
    w.create(wanted);
    w.run_for(1s);
    ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
    EXPECT_EQ(w.events()[0].event.why.reason, errc::protocol_excluded);
    EXPECT_EQ(w.sent_count(), 0U);
  }
}

TEST_F(remote_peer, is_kept_by_two_routers) {
  scene what;
  what.public_address = inner_wan;
  what.upstream = upstream_settings{.how = {}, .lan = outer_lan, .wan = outer_wan};
  what.client.upstream = outer_lan;
  world& w = begin(what);
  const mapping_id one = w.create(flow(far));
  const mapping_id other = w.create(flow(farther));
  w.run_for(10s);
  for (const mapping_id each : {one, other}) {
    EXPECT_EQ(w.last_event(each)->event.info.hops.size(), 2U);
    EXPECT_EQ(w.last_event(each)->event.info.external, (endpoint{outer_wan, 8080}));
  }
  EXPECT_EQ(w.upstream().table().flows().size(), 2U);
}

TEST_F(remote_peer, is_made_through_loss) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    scene what;
    what.seed = seed;
    what.link.loss_percent = 30;
    what.link.duplicate_percent = 20;
    world& w = begin(what);
    w.create(flow());
    ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 10min))
        << seed;
    w.run_for(6h);
    EXPECT_EQ(w.router().table().flows().size(), 1U) << seed;
  }
}

}  // namespace
}  // namespace damson::sim
