// What a router is asked for its own sake: its table, its state, and deletes by name.

#include <algorithm>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

namespace question = router_questions;

class router_table : public upnp_scenario {
 protected:
  /// An entry made by whoever it leads to.
  static void add(world& w, const ip_address& client, unsigned port,
                  std::string_view protocol = "TCP", std::string_view description = "test") {
    const std::string_view type = w.router().behaviour().upnp.version == 2 ? ip_v2 : ip_v1;
    wanted_mapping what;
    what.external = what.internal = std::to_string(port);
    what.protocol = protocol;
    what.client = to_string(client);
    what.description = description;
    const auto answer = w.router().handle_http(
        w.clock(), {client, 50'000},
        post(ip_control, type, "AddPortMapping", envelope(type, "AddPortMapping", what.all())));
    ASSERT_TRUE(answer.message.body.contains("AddPortMappingResponse")) << answer.message.body;
  }

  /// The ports of this host 10 and 11 of UDP, and 1001 of another one.
  static void fill(world& w) {
    add(w, world::host_address, 1'010, "UDP", "own");
    add(w, world::host_address, 1'011, "UDP");
    add(w, other_host, 1'001);
  }

  static router_answered ask(world& w, const router_question& what, nanoseconds within = 10s) {
    const std::size_t before = w.answers().size();
    w.ask(what);
    EXPECT_TRUE(w.run_until([&] { return w.answers().size() > before; }, within));
    w.run_for(1s);
    EXPECT_EQ(w.open_channels(), 0U) << "nothing stays open";
    return w.answers().size() > before ? w.answers()[before].what : router_answered{};
  }

  static std::vector<std::uint16_t> ports(const router_answered& answer) {
    std::vector<std::uint16_t> out;
    for (const router_entry& each : answer.entries) out.push_back(each.name.external_port);
    std::ranges::sort(out);
    return out;
  }

  static std::vector<std::uint16_t> ports(world& w) {
    std::vector<std::uint16_t> out;
    for (const nat_rule& each : w.router().rules()) out.push_back(each.external_port);
    std::ranges::sort(out);
    return out;
  }

  /// Searches are lost as well, so it may take several.
  static router_answered ask_with_patience(world& w) {
    for (int tries = 0; tries < 10; ++tries) {
      const std::size_t before = w.answers().size();
      w.ask(question::list_entries{});
      EXPECT_TRUE(w.run_until([&] { return w.answers().size() > before; }, 6min));
      if (w.answers().back().what.why.reason == errc{}) break;
    }
    return w.answers().back().what;
  }

  using some_ports = std::vector<std::uint16_t>;
};

constexpr router_entry_name tcp(std::uint16_t port) {
  return {.transport = transport::tcp, .external_port = port};
}
constexpr router_entry_name udp(std::uint16_t port) {
  return {.transport = transport::udp, .external_port = port};
}

upnp_profile version_2() {
  upnp_profile how;
  how.version = 2;
  return how;
}

// ---------------------------------------------------------------------------------------------
// The table

TEST_F(router_table, is_listed_whoever_made_it) {
  world& w = begin(upnp_only());
  fill(w);
  w.router().occupy(transport::tcp, 22, {other_host, 22});
  const router_answered got = ask(w, question::list_entries{});
  EXPECT_EQ(got.why.reason, errc{}) << to_string(got.why);
  EXPECT_EQ(ports(got), (some_ports{22, 1'001, 1'010, 1'011}));
  const auto own = std::ranges::find(got.entries, udp(1'010), &router_entry::name);
  ASSERT_NE(own, got.entries.end());
  EXPECT_EQ(own->internal, (endpoint{world::host_address, 1'010}));
  EXPECT_EQ(own->description, "own");
  EXPECT_EQ(own->lease, 3'600s);
  EXPECT_TRUE(own->enabled);
  EXPECT_TRUE(requests_for(w, "GetListOfPortMappings").empty()) << "version 1 has no such action";
}

TEST_F(router_table, of_nobody_is_empty) {
  world& w = begin(upnp_only());
  const router_answered got = ask(w, question::list_entries{});
  EXPECT_EQ(got.why.reason, errc{});
  EXPECT_TRUE(got.entries.empty());
}

TEST_F(router_table, ends_whatever_its_list_is_like) {
  struct kind {
    const char* name;
    void (*change)(upnp_profile&);
  };
  for (const kind& each :
       {kind{"713", [](upnp_profile&) {}},
        kind{"401", [](upnp_profile& how) { how.list_end_code = 401; }},
        kind{"402", [](upnp_profile& how) { how.list_end_code = 402; }},
        kind{"501", [](upnp_profile& how) { how.list_end_code = 501; }},
        kind{"714", [](upnp_profile& how) { how.list_end_code = 714; }},
        kind{"-911", [](upnp_profile& how) { how.list_end_code = -911; }},
        kind{"from 1", [](upnp_profile& how) { how.list_counts_from_one = true; }},
        kind{"no end", [](upnp_profile& how) { how.list_has_no_end = true; }},
        kind{"holes", [](upnp_profile& how) { how.list_has_holes = true; }}}) {
    upnp_profile how;
    each.change(how);
    world& w = begin(upnp_only(how));
    fill(w);
    const router_answered got = ask(w, question::list_entries{});
    EXPECT_EQ(got.why.reason, errc{}) << each.name << ": " << to_string(got.why);
    EXPECT_EQ(ports(got), (some_ports{1'001, 1'010, 1'011})) << each.name;
    EXPECT_LE(requests_for(w, "GetGenericPortMappingEntry").size(), 10U) << each.name;
  }
}

TEST_F(router_table, is_read_by_ranges_where_everybodys_may_be_seen) {
  upnp_profile how = version_2();
  how.secure_mode = false;
  how.refuses_port_0_in_ranges = true;
  for (const bool twice : {false, true}) {
    how.lists_are_escaped_twice = twice;
    world& w = begin(upnp_only(how));
    fill(w);
    const router_answered got = ask(w, question::list_entries{});
    EXPECT_EQ(got.why.reason, errc{}) << to_string(got.why);
    EXPECT_EQ(ports(got), (some_ports{1'001, 1'010, 1'011}));
    EXPECT_EQ(got.entries.front().lease, 3'600s);
    EXPECT_TRUE(requests_for(w, "GetGenericPortMappingEntry").empty());
  }
}

TEST_F(router_table, is_read_entry_by_entry_where_ranges_show_ones_own_only) {
  world& w = begin(upnp_only(version_2()));
  fill(w);
  EXPECT_EQ(ports(ask(w, question::list_entries{})), (some_ports{1'001, 1'010, 1'011}));
  EXPECT_EQ(requests_for(w, "GetListOfPortMappings").size(), 1U) << "refused with 606";
}

TEST_F(router_table, of_thousands_is_read_to_its_end) {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    upnp_profile how;
    how.version = version;
    how.secure_mode = false;
    scene what = upnp_only(how);
    what.router.max_rules = 10'000;
    world& w = begin(what);
    for (std::uint16_t port = 2'000; port < 5'000; ++port) add(w, other_host, port);
    const router_answered got = ask(w, question::list_entries{}, 1min);
    EXPECT_EQ(got.why.reason, errc{}) << to_string(got.why);
    EXPECT_EQ(got.entries.size(), 3'000U);
    EXPECT_LE(w.requests().size(), version == 2 ? 100U : 3'010U);
  }
}

TEST_F(router_table, is_not_read_for_ever) {
  scene what = upnp_only();
  what.router.max_rules = 100;
  world& w = begin(what);
  for (std::uint16_t port = 2'000; port < 2'100; ++port) add(w, other_host, port);
  w.http_courier = [](const http_record& record) {
    http_treatment out;
    // Within the patience with one answer.
    if (record.request.starts_with("POST")) out.processing = 4'500ms;
    return out;
  };
  const router_answered got = ask(w, question::list_entries{}, 6min);
  EXPECT_EQ(got.why.reason, errc::timed_out);
  EXPECT_GT(got.entries.size(), 40U) << "what is known until then is told";
  EXPECT_LT(got.entries.size(), 100U);
}

// ---------------------------------------------------------------------------------------------
// One entry

TEST_F(router_table, tells_of_one_entry) {
  world& w = begin(upnp_only());
  fill(w);
  const router_answered got = ask(w, question::find_entry{tcp(1'001)});
  ASSERT_EQ(got.entries.size(), 1U) << to_string(got.why);
  EXPECT_EQ(got.entries[0].name, tcp(1'001));
  EXPECT_EQ(got.entries[0].internal, (endpoint{other_host, 1'001}));
}

TEST_F(router_table, tells_that_an_entry_is_not_there) {
  for (const int code : {714, 713, 501}) {
    upnp_profile how;
    how.missing_entry_code = code;
    world& w = begin(upnp_only(how));
    const router_answered got = ask(w, question::find_entry{tcp(8'080)});
    EXPECT_EQ(got.why.reason, errc::mapping_gone) << code;
    ASSERT_EQ(got.why.protocols.size(), 1U);
    EXPECT_EQ(got.why.protocols[0].result_code, code);
    EXPECT_EQ(got.why.protocols[0].server.address, world::router_address);
  }
}

TEST_F(router_table, is_not_asked_for_what_makes_no_sense) {
  world& w = begin(upnp_only());
  for (const router_question& each :
       {router_question{question::find_entry{tcp(0)}},
        router_question{question::delete_entry{tcp(0)}},
        router_question{question::delete_entry{{transport::tcp, 80, "a<b"}}},
        router_question{question::delete_range{transport::tcp, 0, 9}},
        router_question{question::delete_range{transport::tcp, 9, 8}}}) {
    const std::size_t before = w.answers().size();
    w.ask(each);
    ASSERT_EQ(w.answers().size(), before + 1) << "at once";
    EXPECT_EQ(w.answers().back().what.why.reason, errc::invalid_argument);
  }
  EXPECT_TRUE(w.packets().empty());
}

// ---------------------------------------------------------------------------------------------
// The router

TEST_F(router_table, comes_with_a_state) {
  world& w = begin(upnp_only());
  for (int i = 0; i < 3; ++i) w.router().pass_out(1'000);
  const router_answered got = ask(w, question::read_status{});
  ASSERT_TRUE(got.status) << to_string(got.why);
  EXPECT_EQ(got.why.reason, errc{});
  EXPECT_EQ(got.status->server.address, world::router_address);
  EXPECT_EQ(got.status->external, wan_side);
  EXPECT_EQ(got.status->connection, "Connected");
  EXPECT_EQ(got.status->last_error, "ERROR_NONE");
  EXPECT_EQ(got.status->uptime, 3'600s);
  EXPECT_EQ(got.status->link, "Up");
  EXPECT_EQ(got.status->access, "Ethernet");
  EXPECT_EQ(got.status->upstream_bits_per_second, 100'000'000U);
  EXPECT_EQ(got.status->bytes_sent, 3'000U);
  EXPECT_EQ(got.status->packets_sent, 3U);
  EXPECT_EQ(got.status->packets_received, 0U);
}

TEST_F(router_table, leaves_out_what_a_router_does_not_know) {
  upnp_profile how;
  how.missing_actions = {"GetStatusInfo", "GetTotalBytesSent", "GetCommonLinkProperties"};
  world& w = begin(upnp_only(how));
  const router_answered got = ask(w, question::read_status{});
  ASSERT_TRUE(got.status);
  EXPECT_EQ(got.why.reason, errc{});
  EXPECT_EQ(got.status->external, wan_side);
  EXPECT_EQ(got.status->connection, "");
  EXPECT_EQ(got.status->bytes_sent, std::nullopt);
  EXPECT_EQ(got.status->bytes_received, 0U);
}

// ---------------------------------------------------------------------------------------------
// Deleting

TEST_F(router_table, loses_the_entry_that_is_named) {
  world& w = begin(upnp_only());
  fill(w);
  const router_answered got = ask(w, question::delete_entry{udp(1'010)});
  EXPECT_EQ(got.why.reason, errc{}) << to_string(got.why);
  ASSERT_EQ(got.entries.size(), 1U);
  EXPECT_EQ(got.entries[0].description, "own") << "what it was";
  EXPECT_EQ(ports(w), (some_ports{1'001, 1'011}));
}

TEST_F(router_table, loses_another_hosts_entry_by_its_name_only) {
  upnp_profile how;
  how.secure_mode = false;
  world& w = begin(upnp_only(how));
  fill(w);
  EXPECT_TRUE(ask(w, question::delete_range{transport::tcp, 1, 65'535}).entries.empty());
  EXPECT_EQ(ports(w), (some_ports{1'001, 1'010, 1'011}));
  EXPECT_EQ(ask(w, question::delete_entry{tcp(1'001)}).why.reason, errc{});
  EXPECT_EQ(ports(w), (some_ports{1'010, 1'011}));
}

TEST_F(router_table, says_whose_it_keeps) {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    upnp_profile how;
    how.version = version;
    world& w = begin(upnp_only(how));
    fill(w);
    const router_answered got = ask(w, question::delete_entry{tcp(1'001)});
    EXPECT_EQ(got.why.reason, errc::not_authorized) << unsigned{version};
    EXPECT_TRUE(got.entries.empty());
    EXPECT_EQ(ports(w), (some_ports{1'001, 1'010, 1'011}));
    EXPECT_EQ(ask(w, question::delete_entry{tcp(4'000)}).why.reason, errc::mapping_gone);
  }
}

TEST_F(router_table, loses_a_range_of_this_hosts_entries) {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    upnp_profile how;
    how.version = version;
    world& w = begin(upnp_only(how));
    for (const unsigned port : {2'000U, 2'001U, 2'002U, 2'005U, 3'000U}) {
      add(w, world::host_address, port);
    }
    add(w, other_host, 2'003);
    add(w, world::host_address, 2'001, "UDP");
    const router_answered got = ask(w, question::delete_range{transport::tcp, 2'000, 2'999});
    EXPECT_EQ(got.why.reason, errc{}) << to_string(got.why);
    EXPECT_EQ(ports(got), (some_ports{2'000, 2'001, 2'002, 2'005}));
    EXPECT_EQ(ports(w), (some_ports{2'001, 2'003, 3'000})) << "UDP, another host's, beyond it";
    EXPECT_EQ(requests_for(w, "DeletePortMappingRange").size(), version == 2 ? 1U : 0U);
    EXPECT_EQ(requests_for(w, "DeletePortMapping").size(), version == 2 ? 1U : 4U);
  }
}

TEST_F(router_table, keeps_others_entries_also_where_a_range_is_everybodys) {
  upnp_profile how = version_2();
  how.secure_mode = false;
  how.ignores_manage = true;
  world& w = begin(upnp_only(how));
  for (const unsigned port : {2'000U, 2'001U, 2'003U, 2'004U}) add(w, world::host_address, port);
  add(w, other_host, 2'002);
  const router_answered got = ask(w, question::delete_range{transport::tcp, 1, 65'535});
  EXPECT_EQ(ports(got), (some_ports{2'000, 2'001, 2'003, 2'004}));
  EXPECT_EQ(ports(w), some_ports{2'002});
}

TEST_F(router_table, loses_a_range_one_by_one_where_there_is_no_action_for_it) {
  upnp_profile how = version_2();
  how.missing_actions = {"DeletePortMappingRange", "GetListOfPortMappings"};
  world& w = begin(upnp_only(how));
  for (const unsigned port : {2'000U, 2'001U, 2'002U}) add(w, world::host_address, port);
  EXPECT_EQ(ports(ask(w, question::delete_range{transport::tcp, 1'999, 2'999})),
            (some_ports{2'000, 2'001, 2'002}));
  EXPECT_TRUE(w.router().rules().empty());
}

TEST_F(router_table, tells_what_was_deleted_although_no_answer_came) {
  for (const bool is_range : {false, true}) {
    world& w = begin(upnp_only(version_2()));
    for (const unsigned port : {2'000U, 2'001U}) add(w, world::host_address, port);
    int lost = 0;
    w.http_courier = [&](const http_record& record) {
      http_treatment out;
      const bool deletes = soap_action_of(record.request).starts_with("Delete");
      if (deletes && lost++ == 0) out.end = http_treatment::outcome::breaks_after;
      return out;
    };
    const router_answered got = is_range
                                    ? ask(w, question::delete_range{transport::tcp, 1, 65'535}, 30s)
                                    : ask(w, question::delete_entry{tcp(2'000)}, 30s);
    EXPECT_EQ(got.why.reason, errc{}) << to_string(got.why);
    EXPECT_EQ(got.entries.size(), is_range ? 2U : 1U);
  }
}

// ---------------------------------------------------------------------------------------------
// Mishaps

TEST_F(router_table, is_nobodys_without_a_router) {
  scene none = upnp_only();
  world& w = begin(none);
  w.set_network({});
  EXPECT_EQ(ask(w, question::list_entries{}).why.reason, errc::no_gateway);
  world& mute = begin(with(mute_router()));
  EXPECT_EQ(ask(mute, question::read_status{}).why.reason, errc::no_answer);
  scene excluded = upnp_only();
  excluded.client.protocols = protocol_filter::pcp;
  world& other = begin(excluded);
  EXPECT_EQ(ask(other, question::read_status{}).why.reason, errc::protocol_excluded);
}

TEST_F(router_table, is_found_again_where_the_router_has_moved) {
  upnp_profile how;
  how.http_port_moves = true;
  world& w = begin(upnp_only(how));
  fill(w);
  w.ask(question::list_entries{});
  ASSERT_TRUE(
      w.run_until([&] { return !requests_for(w, "GetGenericPortMappingEntry").empty(); }, 1s));
  w.reboot_router(true);
  ASSERT_TRUE(w.run_until([&] { return !w.answers().empty(); }, 30s));
  EXPECT_EQ(w.answers()[0].what.why.reason, errc{}) << to_string(w.answers()[0].what.why);
  EXPECT_EQ(ports(w.answers()[0].what), (some_ports{1'001, 1'010, 1'011}));
}

TEST_F(router_table, answers_in_turn_and_each_once) {
  world& w = begin(upnp_only());
  fill(w);
  for (std::size_t i = 0; i < engine_limits::router_questions; ++i) {
    w.ask(question::find_entry{tcp(1'001)});
  }
  w.ask(question::list_entries{});
  ASSERT_EQ(w.answers().size(), 1U) << "one too many";
  EXPECT_EQ(w.answers()[0].what.why.reason, errc::limit_reached);
  w.run_for(10s);
  ASSERT_EQ(w.answers().size(), engine_limits::router_questions + 1);
  EXPECT_EQ(requests_for(w, "GET").size(), 1U) << "one search for all";
}

TEST_F(router_table, is_not_told_of_when_nobody_wants_it_any_more) {
  world& w = begin(upnp_only());
  fill(w);
  const auto first = w.ask(question::list_entries{});
  const auto second = w.ask(question::read_status{});
  w.ask(question::find_entry{tcp(1'001)});
  ASSERT_TRUE(
      w.run_until([&] { return !requests_for(w, "GetGenericPortMappingEntry").empty(); }, 1s));
  w.cancel(second);
  w.cancel(first);
  w.run_for(10s);
  ASSERT_EQ(w.answers().size(), 1U);
  EXPECT_EQ(w.answers()[0].what.entries.size(), 1U);
  w.ask(question::list_entries{});
  w.close();
  w.run_for(10s);
  EXPECT_EQ(w.answers().size(), 1U);
  EXPECT_TRUE(w.closed());
}

TEST_F(router_table, is_not_another_routers) {
  world& w = begin(upnp_only());
  w.add_router(upnp_only_router(), second_address, wan_side);
  fill(w);
  w.ask(question::list_entries{});
  w.ask(question::delete_entry{udp(1'010)});
  ASSERT_TRUE(
      w.run_until([&] { return !requests_for(w, "GetGenericPortMappingEntry").empty(); }, 1s));
  w.set_network(world::one_route(second_address, world::host_address));
  w.run_for(10s);
  ASSERT_EQ(w.answers().size(), 2U);
  for (const auto& each : w.answers()) EXPECT_EQ(each.what.why.reason, errc::network_changed);
}

TEST_F(router_table, is_read_beside_mappings_and_under_loss) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    scene what = upnp_only();
    what.seed = seed;
    what.link.loss_percent = 30;
    world& w = begin(what);
    const mapping_id id = w.create(request());
    ASSERT_TRUE(w.run_until([&] { return w.count_events(event_kind::mapped) == 1; }, 10min))
        << seed;
    add(w, other_host, 1'001);
    const router_answered got = ask_with_patience(w);
    EXPECT_EQ(ports(got), (some_ports{1'001, 8'080})) << seed;
    EXPECT_EQ(w.count_events(event_kind::lost), 0U) << seed;
    w.release(id);
    w.run_for(5s);
  }
}

}  // namespace
}  // namespace damson::sim
