// Finding the gateway by SSDP. Each scenario names the entries of the router quirk list that it
// stands for.

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "sim/upnp_ssdp.hpp"
#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

class upnp_finding : public upnp_scenario {
 protected:
  /// A world whose default gateway speaks none of the protocols.
  static scene beside_a_mute_router(std::vector<device_settings> devices) {
    scene out = with(mute_router());
    out.devices = std::move(devices);
    return out;
  }
};

constexpr std::array all_targets{
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
    "upnp:rootdevice",
};

TEST_F(upnp_finding, asks_for_one_target_at_a_time_in_rounds) {
  upnp_profile how;
  how.searches = search_reach::nowhere;
  world& w = begin_request(upnp_only(how));
  w.run_for(4'500ms);
  const auto sent = searches(w);
  ASSERT_EQ(sent.size(), all_targets.size() * 4 * 2);
  constexpr std::array rounds{0ms, 600ms, 1200ms, 2000ms};
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const std::size_t step = i / 2;
    EXPECT_EQ(sent[i].target, all_targets.at(step % all_targets.size()));
    EXPECT_EQ(sent[i].at, rounds.at(step / all_targets.size()) + 100ms * (step % 6)) << i;
    // Unicast first: it opens the host's own firewall.
    EXPECT_EQ(sent[i].to.address, i % 2 == 0 ? world::router_address : ssdp_group);
    EXPECT_EQ(sent[i].to.port, 1900);
  }
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(w.events()[0].at, 4s);  // MX and what is left for stragglers
  EXPECT_TRUE(w.requests().empty());
}

TEST_F(upnp_finding, speaks_as_the_strictest_readers_want_it) {
  upnp_profile how;
  how.searches = search_reach::nowhere;
  world& w = begin_request(upnp_only(how));
  w.run_for(4s);
  std::size_t accepted = 0;
  for (const auto& record : w.packets()) {
    if (record.datagram.to.port != 1900) continue;
    const auto search = read_search(record.datagram.bytes, record.datagram.to.address);
    ASSERT_TRUE(search) << text_of(record.datagram.bytes);
    EXPECT_EQ(search->wait, 2U);
    ++accepted;
  }
  EXPECT_EQ(accepted, 48U);
}

TEST_F(upnp_finding, ends_with_the_first_good_answer) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  w.run_for(10s);
  EXPECT_EQ(searches(w).size(), 2U);
}

TEST_F(upnp_finding, passes_over_the_wifi_device) {
  upnp_profile how;
  how.only_first_device_for_all = true;
  how.answer_delay = 20ms;
  world& w = begin_request(upnp_only(how));
  w.run_for(1ms);
  EXPECT_TRUE(answer_search(w, world::router_address,
                            search_answer("http://192.168.1.1:5000/wps_device.xml",
                                          "urn:schemas-wifialliance-org:device:WFADevice:1")));
  expect_mapped(w, 200ms);
  EXPECT_EQ(path_of(w.requests().at(0)), "/rootDesc.xml");
  EXPECT_EQ(requests_for(w, "GET").size(), 1U);
}

TEST_F(upnp_finding, takes_answers_that_name_another_version) {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    for (const std::uint8_t answered : {std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{9}}) {
      upnp_profile how;
      how.version = version;
      how.answers_with_version = answered;
      world& w = begin_request(upnp_only(how));
      expect_mapped(w, 100ms);
      // What the device can do is in its description, not in its answer.
      EXPECT_EQ(requests_for(w, "AddAnyPortMapping").size(), version == 2 ? 1U : 0U);
    }
  }
}

TEST_F(upnp_finding, gets_by_without_announcements) {
  upnp_profile how;
  how.searches = search_reach::nowhere;
  how.notifies_with_version = 2;
  how.notify_interval = 1s;
  world& w = begin_request(upnp_only(how));
  w.run_for(1500ms);
  // Even one that is sent to the search itself.
  for (const std::string kind : {"ssdp:alive", "ssdp:byebye", "ssdp:update"}) {
    const auto malformed = w.counters().datagrams_malformed;
    std::string text = "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNTS: ";
    text += kind;
    text +=
        "\r\nLOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n"
        "NT: upnp:rootdevice\r\nUSN: uuid:1::upnp:rootdevice\r\n\r\n";
    EXPECT_TRUE(answer_search(w, world::router_address, bytes_of(text)));
    EXPECT_EQ(w.counters().datagrams_malformed, malformed + 1) << kind;
  }
  EXPECT_EQ(upnp_failure(w, 4s), errc::no_answer);
  EXPECT_TRUE(w.requests().empty());
}

TEST_F(upnp_finding, is_not_disturbed_by_a_goodbye) {
  upnp_profile how;
  how.notifies_with_version = 2;
  how.notify_interval = 10s;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  const auto requests = w.requests().size();
  w.run_for(200s);
  EXPECT_EQ(w.requests().size(), requests);
  EXPECT_EQ(w.events().size(), 1U);
}

TEST_F(upnp_finding, works_with_unicast_or_multicast_alone) {
  for (const search_reach reach : {search_reach::multicast_only, search_reach::unicast_only}) {
    upnp_profile how;
    how.searches = reach;
    expect_mapped(begin_request(upnp_only(how)), 100ms);
  }
  scene lossy = upnp_only();
  lossy.link.multicast_lost = true;
  expect_mapped(begin_request(lossy), 100ms);
}

TEST_F(upnp_finding, does_not_look_at_the_source_port) {
  for (const std::uint16_t port : std::array<std::uint16_t, 4>{55'618, 38'024, 1, 1901}) {
    upnp_profile how;
    how.ssdp_source_port = port;
    expect_mapped(begin_request(upnp_only(how)), 100ms);
  }
}

TEST_F(upnp_finding, leaves_a_device_time_between_searches) {
  // Only the sixth search finds it, and it hears nothing for a while after each.
  upnp_profile how;
  how.dslforum_names = true;
  how.deaf_after_search = 99ms;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 600ms);
  EXPECT_GE(w.events()[0].at, 500ms);
}

TEST_F(upnp_finding, hears_answers_up_to_the_longest_delay) {
  for (const auto delay : {100ms, 1000ms, 2000ms}) {
    upnp_profile how;
    how.answer_delay = delay;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, delay + 100ms);
    EXPECT_EQ(w.requests().at(0).at, delay + 2ms);
  }
}

TEST_F(upnp_finding, hears_the_answer_to_its_last_round) {
  upnp_profile how;
  how.answer_delay = 1900ms;
  world& w = begin(upnp_only(how));
  w.courier = [&w](const packet_record& record) -> std::optional<nanoseconds> {
    const bool search = record.datagram.to.port == 1900;
    return search && w.now() < 2s ? std::nullopt : std::optional<nanoseconds>{1ms};
  };
  w.create(request());
  expect_mapped(w, 4s);
  EXPECT_EQ(w.requests().at(0).at, 3902ms);
}

TEST_F(upnp_finding, reads_headers_however_they_are_spelled) {
  using letters = message_style::letters;
  for (const letters names : {letters::as_given, letters::lower, letters::capitalised}) {
    for (unsigned bits = 0; bits < 8; ++bits) {
      upnp_profile how;
      how.answer_style = {.names = names,
                          .space_after_colon = (bits & 1U) == 0,
                          .carriage_returns = (bits & 2U) == 0,
                          .final_line_end = (bits & 4U) == 0};
      how.empty_server_field = true;
      how.search_target_in_agent = true;
      expect_mapped(begin_request(upnp_only(how)), 100ms);
    }
  }
}

TEST_F(upnp_finding, reads_answers_as_long_as_they_may_be) {
  for (const auto& [bytes_in_all, heard] : {std::pair{2048U, true}, std::pair{2049U, false}}) {
    upnp_profile how;
    how.searches = search_reach::nowhere;
    world& w = begin_request(upnp_only(how));
    w.run_for(1ms);
    bytes answer = search_answer("http://192.168.1.1:5000/rootDesc.xml");
    const bytes filler =
        bytes_of("X: " + std::string(bytes_in_all - answer.size() - 5, 'x') + "\r\n");
    answer.insert(answer.end() - 2, filler.begin(), filler.end());
    ASSERT_EQ(answer.size(), bytes_in_all);
    answer_search(w, world::router_address, answer);
    w.run_for(1s);
    EXPECT_EQ(w.count_events(event_kind::mapped), heard ? 1U : 0U) << bytes_in_all;
  }
}

TEST_F(upnp_finding, survives_neighbours_that_answer_nonsense) {
  upnp_profile how;
  how.answer_delay = 50ms;
  scene what = upnp_only(how);
  upnp_profile lamp;
  lamp.fault = description_fault::html;
  what.devices.push_back({upnp_only_router(lamp), second_address, std::nullopt});
  world& w = begin_request(what);
  w.run_for(1ms);
  for (const std::string_view nonsense :
       {"", "\r\n\r\n", "HTTP/1.1 200 OK", "HTTP/1.1 500 No\r\nLOCATION: x\r\n\r\n", "{\"a\":1}",
        "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nLOCATION: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nLOCATION: http://[::/\r\n\r\n",
        "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nLOCATION: http://192.168.1.66:99999/\r\n\r\n",
        "M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\r\n"}) {
    answer_search(w, neighbour, bytes_of(nonsense));
  }
  answer_search(w, neighbour, bytes(2'000, std::byte{0xff}));
  expect_mapped(w, 200ms);
  const auto lamps = std::ranges::count_if(
      w.requests(), [](const auto& one) { return one.remote.address == second_address; });
  EXPECT_EQ(lamps, 1) << "asked once, and forgotten";
  EXPECT_EQ(std::ranges::count_if(w.requests(),
                                  [](const auto& one) { return one.remote.address == neighbour; }),
            0);
}

TEST_F(upnp_finding, counts_answers_of_one_device_once) {
  upnp_profile how;
  how.answer_copies = 50;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  w.run_for(10s);
  EXPECT_EQ(requests_for(w, "GET").size(), 1U);
  EXPECT_EQ(w.router().rules().size(), 1U);
}

TEST_F(upnp_finding, is_not_drowned_by_a_flood_of_answers) {
  upnp_profile how;
  how.answer_delay = 500ms;
  world& w = begin_request(upnp_only(how));
  w.run_for(1ms);
  for (unsigned i = 0; i < 10'000; ++i) {
    const ip_address from = v4(192, 168, 1, static_cast<std::uint8_t>(2 + i % 90));
    answer_search(w, from,
                  search_answer("http://" + to_string(endpoint{from, 80}) + "/" +
                                std::to_string(i) + ".xml"));
  }
  expect_mapped(w, 700ms);
  EXPECT_LE(w.requests().size(), 32U + 10U);
}

TEST_F(upnp_finding, of_a_flood_looks_at_a_bounded_number) {
  world& w = begin_request(beside_a_mute_router(
      {{mute_router(), second_address, std::nullopt}, {mute_router(), third_address, wan_side}}));
  w.run_for(1ms);
  for (unsigned i = 0; i < 10'000; ++i) {
    const ip_address from = i % 2 == 0 ? second_address : third_address;
    answer_search(w, from,
                  search_answer("http://" + to_string(endpoint{from, 80}) + "/" +
                                std::to_string(i) + ".xml"));
  }
  EXPECT_EQ(upnp_failure(w, 5s), errc::unusable_answer);
  EXPECT_EQ(w.requests().size(), 16U) << "eight of each host";
}

TEST_F(upnp_finding, of_a_flood_of_hosts_looks_at_a_bounded_number) {
  std::vector<device_settings> devices;
  for (std::uint8_t i = 2; i < 90; ++i) {
    devices.push_back({mute_router(), v4(192, 168, 1, i), std::nullopt});
  }
  world& w = begin_request(beside_a_mute_router(devices));
  w.run_for(1ms);
  for (const device_settings& each : devices) {
    const ip_address from = each.lan;
    answer_search(w, from, search_answer("http://" + to_string(endpoint{from, 80}) + "/"));
  }
  upnp_failure(w, 11s);
  EXPECT_EQ(w.requests().size(), 32U);
}

TEST_F(upnp_finding, that_meets_only_silent_web_servers_ends_in_time) {
  world& w = begin_request(beside_a_mute_router({}));
  w.run_for(1ms);
  for (unsigned i = 2; i < 90; ++i) {
    const ip_address from = v4(192, 168, 1, static_cast<std::uint8_t>(i));
    answer_search(w, from, search_answer("http://" + to_string(endpoint{from, 80}) + "/"));
  }
  upnp_failure(w, 11s);
  EXPECT_LE(w.events().at(0).at, 10s) << "the discovery time-out, and no more";
  EXPECT_LE(w.requests().size(), 4U) << "3 s each";
}

TEST_F(upnp_finding, prefers_the_gateway_to_whoever_answers_first) {
  upnp_profile how;
  how.answer_delay = 300ms;
  scene what = upnp_only(how);
  what.public_address = v4(192, 168, 77, 9);  // behind another NAT, and still the gateway
  what.devices.push_back({upnp_only_router(), second_address, wan_side});
  world& w = begin_request(what);
  expect_mapped(w, 500ms);
  EXPECT_TRUE(w.device_at(second_address)->rules().empty());
}

TEST_F(upnp_finding, takes_another_device_where_the_gateway_is_dead) {
  upnp_profile how;
  how.connections = {{.kind = wan_service::ip, .up = false, .status = "Connected", .address = {}}};
  scene what = upnp_only(how);
  what.devices.push_back({upnp_only_router(), second_address, wan_side});
  world& w = begin_request(what);
  expect_mapped(w, 2s, second_address);
  EXPECT_TRUE(w.router().rules().empty());
}

TEST_F(upnp_finding, prefers_a_public_address) {
  for (const bool first_is_public : {false, true}) {
    const ip_address hidden = v4(10, 1, 2, 3);
    const ip_address open = v4(20, 1, 2, 3);
    upnp_profile slow;
    slow.answer_delay = 200ms;
    world& w = begin_request(beside_a_mute_router(
        {{upnp_only_router(), second_address, first_is_public ? open : hidden},
         {upnp_only_router(slow), third_address, first_is_public ? hidden : open}}));
    expect_mapped(w, 2s, first_is_public ? second_address : third_address);
    EXPECT_GE(w.events()[0].at, 1s) << "a better one is waited for";
  }
}

TEST_F(upnp_finding, stays_with_the_device_that_it_chose) {
  world& w = begin_request(beside_a_mute_router({{upnp_only_router(), second_address, wan_side}}));
  expect_mapped(w, 2s, second_address);
  w.add_router(upnp_only_router(), third_address, v4(198, 51, 100, 8));
  w.router().behaviour().speaks_upnp = true;
  const std::size_t searched = searches(w).size();
  w.create(request(9000));
  w.run_for(30min);
  EXPECT_EQ(w.count_events(event_kind::mapped), 2U);
  EXPECT_EQ(w.events().size(), 2U);
  EXPECT_EQ(w.device_at(second_address)->rules().size(), 2U);
  EXPECT_EQ(searches(w).size(), searched);
  EXPECT_TRUE(asked_only(w, second_address));
}

/// A device that says it is a gateway answers while the router is away, and refuses everything.
TEST_F(upnp_finding, passes_over_a_stand_in_that_refuses) {
  for (const bool claims_an_uplink : {false, true}) {
    for (const auto delay : {0ms, 1'900ms}) {
      upnp_profile how;
      how.answer_delay = delay;
      scene what = upnp_only(how);
      upnp_profile refusing;
      refusing.refuses_adds_with = 501;
      what.devices.push_back({upnp_only_router(refusing), second_address,
                              claims_an_uplink ? std::optional{wan_side} : std::nullopt});
      world& w = begin(what);
      w.set_http_serving(false);
      for (const auto port : {std::uint16_t{8080}, std::uint16_t{8081}}) w.create(request(port));
      w.run_for(20min);
      ASSERT_EQ(w.count_events(event_kind::mapped), 0U);
      ASSERT_FALSE(w.device_at(second_address)->upnp().calls().empty()) << "it was chosen";
      w.set_http_serving(true);
      w.run_for(2 * w.recheck_period());
      EXPECT_EQ(w.count_events(event_kind::mapped), 2U);
      EXPECT_EQ(w.router().rules().size(), 2U);
    }
  }
}

TEST_F(upnp_finding, tries_the_next_device_when_the_chosen_one_is_gone) {
  scene what = upnp_only();
  what.devices.push_back({upnp_only_router(), second_address, wan_side});
  world& w = begin_request(what);
  expect_mapped(w, 100ms);
  w.router().behaviour().speaks_upnp = false;
  w.create(request(9000));
  w.run_for(5s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped, event_kind::lost,
                                   event_kind::mapped}));
  EXPECT_EQ(w.events()[1].event.info.internal.port, 9000);
  // The first mapping is not there: that is found out at once as well.
  EXPECT_EQ(w.events()[2].event.why.reason, errc::mapping_gone);
  EXPECT_EQ(w.last_event(id_)->event.info.gateway, second_address);
  EXPECT_EQ(w.device_at(second_address)->rules().size(), 2U);
}

TEST_F(upnp_finding, follows_a_device_that_has_moved) {
  using outcome = http_treatment::outcome;
  struct move {
    bool port;
    bool paths;
    outcome end;
  };
  for (const auto& [port, paths, end] :
       {move{true, false, outcome::answered},       // refused: the old port is closed
        move{false, true, outcome::answered},       // 404: the old path is gone
        move{true, true, outcome::answered},        // both
        move{true, false, outcome::breaks_before},  // a reset instead of a refusal
        move{true, false, outcome::unanswered}}) {  // or nothing at all
    upnp_profile how;
    how.http_port_moves = port;
    how.random_paths = paths;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 100ms);
    const auto before = w.requests().back();
    w.reboot_router(true);
    w.http_courier = [&, end = end](const http_record& record) {
      const bool stale = record.remote == before.remote && path_of(record) == path_of(before);
      return http_treatment{.end = stale ? end : outcome::answered};
    };
    w.create(request(9000));
    w.run_for(10s);
    EXPECT_EQ(w.count_events(event_kind::failed), 0U);
    EXPECT_TRUE(router_holds(w, 9000));
    const auto& now = w.requests().back();
    EXPECT_TRUE(now.remote != before.remote || path_of(now) != path_of(before));
  }
}

TEST_F(upnp_finding, takes_a_device_that_answers_for_the_gateway) {
  // The gateway's address is shared: answers and LOCATION bear that of one of the two boxes.
  std::vector<std::string> lines;
  scene what = beside_a_mute_router({{upnp_only_router(), second_address, wan_side}});
  what.client.level = log_level::info;
  what.client.log = [&](log_level, std::string_view line) { lines.emplace_back(line); };
  world& w = begin_request(what);
  expect_mapped(w, 2s, second_address);
  EXPECT_TRUE(asked_only(w, second_address));
  EXPECT_TRUE(std::ranges::any_of(
      lines, [](const auto& line) { return line.contains("192.168.1.2:5000 is used instead"); }));
}

TEST_F(upnp_finding, hears_nothing_from_outside_of_the_link) {
  upnp_profile how;
  how.searches = search_reach::nowhere;
  world& w = begin_request(upnp_only(how));
  w.run_for(1ms);
  const auto strangers = w.counters().datagrams_stranger;
  const std::array far{v4(10, 0, 0, 9), v4(192, 168, 2, 1), v4(203, 0, 113, 5), v4(127, 0, 0, 1),
                       world::host_address};
  for (const ip_address& from : far) {
    answer_search(w, from, search_answer("http://" + to_string(endpoint{from, 5000}) + "/a.xml"));
  }
  EXPECT_EQ(w.counters().datagrams_stranger, strangers + far.size());
  EXPECT_EQ(upnp_failure(w, 5s), errc::no_answer);
  EXPECT_TRUE(w.requests().empty());
}

TEST_F(upnp_finding, believes_the_gateway_that_the_user_named_wherever_it_is) {
  scene what = with(mute_router());
  const ip_address far = v4(10, 0, 0, 1);
  what.client.gateway = far;
  what.devices.push_back({upnp_only_router(), far, wan_side});
  expect_mapped(begin_request(what), 100ms, far);
}

}  // namespace
}  // namespace damson::sim
