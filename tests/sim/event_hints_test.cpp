// What a UPnP router tells without being asked, where the program wants to hear it
// (`options::listens_to_events`): the events of its service, and its announcements to the SSDP
// group. Both are hints: the router is asked, and only its answer changes anything.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sim/upnp_ssdp.hpp"
#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

constexpr ip_address new_address = v4(203, 0, 113, 9);

class event_hints : public upnp_scenario {
 protected:
  static scene listening(scene what) {
    what.client.listens_to_events = true;
    return what;
  }

  /// Asks for TCP 8080 and waits for it, and for the subscription if one comes about.
  world& begin_listening(const scene& what) {
    world& w = begin_mapped(listening(what));
    w.run_for(2s);
    return w;
  }
  world& begin_subscribed(const upnp_profile& how = {}) {
    world& w = begin_listening(upnp_only(how));
    EXPECT_EQ(w.router().upnp().subscriptions(), 1U);
    return w;
  }

  /// "SUBSCRIBE" and the like, renewals among them.
  static std::vector<http_record> with_method(const world& w, std::string_view method) {
    std::vector<http_record> out;
    for (const http_record& each : w.requests()) {
      if (each.request.starts_with(std::string{method} + " ")) out.push_back(each);
    }
    return out;
  }

  /// The router's own answer to whether anything has changed.
  static std::size_t checks(const world& w) {
    return requests_for(w, "GetExternalIPAddress").size();
  }

  static const event_record& last(const world& w, mapping_id id) {
    static const event_record none;
    const event_record* const found = w.last_event(id);
    return found == nullptr ? none : *found;
  }

  static std::string event_text(const world& w, std::string_view values, std::uint32_t sequence,
                                std::string_view method = "NOTIFY", std::string_view id = {}) {
    const notify_record& known = w.notifies().at(0);
    const std::size_t sid = known.what.request.find("SID: ") + 5;
    const std::string own =
        known.what.request.substr(sid, known.what.request.find('\r', sid) - sid);
    std::string out{method};
    out += " " + path_of_event(w) + " HTTP/1.1\r\nHOST: 192.168.1.100\r\nNT: upnp:event\r\n";
    out += "NTS: upnp:propchange\r\nSID: " + (id.empty() ? own : std::string{id});
    out += "\r\nSEQ: " + std::to_string(sequence) + "\r\n\r\n";
    out += "<e:propertyset xmlns:e=\"urn:schemas-upnp-org:event-1-0\"><e:property>";
    out += values;
    return out + "</e:property></e:propertyset>";
  }

  static std::string path_of_event(const world& w) {
    const std::string& text = w.notifies().at(0).what.request;
    const std::size_t begin = text.find(' ') + 1;
    return text.substr(begin, text.find(' ', begin) - begin);
  }

  static bytes announcement(std::string_view kind, std::string_view location,
                            std::string_view name) {
    return bytes_of(
        "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNTS: ssdp:" + std::string{kind} +
        "\r\nLOCATION: " + std::string{location} +
        "\r\nNT: upnp:rootdevice\r\nUSN: " + std::string{name} + "::upnp:rootdevice\r\n\r\n");
  }

  /// UDN of the router's root device.
  static std::string name_of_router(world& w) {
    const http_answer page =
        w.router().handle_http(w.clock(), {world::host_address, 1}, get("/rootDesc.xml"));
    const std::string& text = page.message.body;
    const std::size_t begin = text.find("<UDN>") + 5;
    return text.substr(begin, text.find('<', begin) - begin);
  }
};

// -------------------------------------------------------------------------------------------------
// Subscribed

TEST_F(event_hints, come_by_a_subscription_where_a_mapping_lives) {
  world& w = begin_mapped(listening(upnp_only()));
  const auto mapped_at = w.now();
  EXPECT_TRUE(with_method(w, "SUBSCRIBE").empty());
  w.run_for(2s);
  const auto asked = with_method(w, "SUBSCRIBE");
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_GE(asked[0].at, mapped_at + 900ms) << "the router has had nothing to do for a while";
  EXPECT_EQ(asked[0].status, 200);
  ASSERT_TRUE(w.event_endpoint());
  const std::string callback = "\r\nCALLBACK: <http://" + to_string(*w.event_endpoint()) + "/";
  EXPECT_TRUE(asked[0].request.contains(callback)) << asked[0].request;
  EXPECT_EQ(w.event_endpoint()->address, world::host_address);
  ASSERT_EQ(w.notifies().size(), 1U);
  EXPECT_EQ(w.notifies()[0].status, 200);
  EXPECT_EQ(checks(w), 1U) << "all values at first are no news";
  EXPECT_EQ(w.counters().announcements, 0U);
}

TEST_F(event_hints, are_not_listened_to_unasked) {
  world& w = begin_mapped(upnp_only());
  w.run_for(1h);
  EXPECT_TRUE(with_method(w, "SUBSCRIBE").empty());
  EXPECT_FALSE(w.event_endpoint());
  EXPECT_FALSE(w.inject({{world::router_address, 1900}, {ssdp_group, ssdp_port}, bytes_of("x")}));
}

TEST_F(event_hints, are_not_listened_to_for_a_discovery) {
  world& w = begin(listening(upnp_only()));
  w.discover();
  w.run_for(1min);
  ASSERT_EQ(w.discoveries().size(), 1U);
  EXPECT_TRUE(with_method(w, "SUBSCRIBE").empty());
  EXPECT_FALSE(w.event_endpoint());
}

TEST_F(event_hints, are_not_listened_to_where_another_protocol_serves) {
  scene what = with(profile{});
  what.router.speaks_upnp = true;
  world& w = begin_listening(what);
  EXPECT_EQ(w.events().at(0).event.info.protocol, protocol::pcp);
  EXPECT_TRUE(with_method(w, "SUBSCRIBE").empty());
  EXPECT_FALSE(w.event_endpoint());
}

TEST_F(event_hints, tell_of_another_address_at_once) {
  world& w = begin_subscribed();
  w.set_public_address(new_address);
  w.run_for(100ms);
  EXPECT_EQ(last(w, id_).event.kind, event_kind::changed);
  EXPECT_EQ(last(w, id_).event.info.external.address, new_address);
  w.run_for(1h);
  EXPECT_EQ(w.events().size(), 2U);
}

TEST_F(event_hints, are_what_the_recheck_would_tell_later) {
  world& w = begin_mapped(upnp_only());
  w.run_for(2s);
  w.set_public_address(new_address);
  w.run_for(250s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  w.run_for(60s);
  EXPECT_EQ(last(w, id_).event.kind, event_kind::changed);
}

TEST_F(event_hints, tell_of_a_table_that_is_empty_at_once) {
  world& w = begin_subscribed();
  for (const std::uint16_t port : {std::uint16_t{8081}, std::uint16_t{8082}, std::uint16_t{8083}})
    w.create(request(port));
  w.run_for(15s);
  ASSERT_EQ(w.count_events(event_kind::mapped), 4U);
  w.router().forget_all();
  w.run_for(200ms);
  EXPECT_EQ(w.count_events(event_kind::lost), 4U);
  EXPECT_EQ(w.count_events(event_kind::mapped), 8U);
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(event_hints, tell_of_one_entry_that_somebody_took_away) {
  world& w = begin_subscribed();
  for (const std::uint16_t port : {std::uint16_t{8081}, std::uint16_t{8082}, std::uint16_t{8083}})
    w.create(request(port));
  w.run_for(15s);
  ASSERT_TRUE(w.router().forget(transport::tcp, endpoint{world::host_address, 8082}));
  w.run_for(5s);
  EXPECT_EQ(w.count_events(event_kind::lost), 1U);
  EXPECT_TRUE(router_holds(w, 8082));
}

TEST_F(event_hints, are_none_where_the_program_itself_gives_back) {
  world& w = begin_subscribed();
  const mapping_id second = w.create(request(8081));
  w.run_for(15s);
  const std::size_t before = checks(w);
  w.release(second);
  w.run_for(15s);
  EXPECT_EQ(last(w, second).event.how, removal::deleted);
  EXPECT_GE(w.notifies().size(), 3U) << "the router told of it";
  EXPECT_EQ(checks(w), before);
  EXPECT_EQ(w.counters().announcements, 0U);
}

TEST_F(event_hints, are_none_where_they_come_before_the_answer_to_a_delete) {
  world& w = begin_subscribed();
  const mapping_id second = w.create(request(8081));
  w.run_for(15s);
  w.router().behaviour().upnp.processing = 200ms;
  const std::size_t before = checks(w);
  w.release(second);
  w.run_for(15s);
  EXPECT_EQ(last(w, second).event.how, removal::deleted);
  EXPECT_EQ(checks(w), before);
  w.router().behaviour().upnp.processing = 0ms;
  w.router().forget_all();
  w.run_for(15s);
  EXPECT_EQ(w.count_events(event_kind::lost), 1U) << "what comes later is counted in full";
}

TEST_F(event_hints, that_change_nothing_are_no_news) {
  world& w = begin_subscribed();
  const std::size_t before = checks(w);
  w.post_event(world::router_address, *w.event_endpoint(),
               event_text(w, "<ExternalIPAddress>198.51.100.7</ExternalIPAddress>", 1));
  w.post_event(world::router_address, *w.event_endpoint(),
               event_text(w, "<ConnectionStatus>Connected</ConnectionStatus>", 2));
  w.run_for(20s);
  EXPECT_EQ(checks(w), before);
  EXPECT_EQ(w.counters().events_received, 3U);
  EXPECT_EQ(w.counters().events_refused, 0U);
}

TEST_F(event_hints, that_never_came_are_noticed_by_the_next_one) {
  world& w = begin_subscribed();
  w.events_work = false;
  w.router().forget_all();
  w.run_for(20s);
  EXPECT_EQ(w.count_events(event_kind::lost), 0U);
  w.events_work = true;
  w.router().behaviour().upnp.unknown_address_is_zero = true;
  w.router().occupy(transport::tcp, 9999, {v4(192, 168, 1, 50), 9999});
  w.run_for(100ms);
  EXPECT_EQ(w.count_events(event_kind::lost), 1U) << "a number of the order is missing";
  EXPECT_EQ(w.count_events(event_kind::mapped), 2U);
}

// -------------------------------------------------------------------------------------------------
// Announced

TEST_F(event_hints, tell_of_a_restart_by_goodbye) {
  upnp_profile how;
  how.serves_events = false;
  world& w = begin_listening(upnp_only(how));
  EXPECT_FALSE(w.event_endpoint()) << "there is nothing to subscribe to";
  w.reboot_router();
  w.run_for(1s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(event_hints, tell_of_a_restart_by_a_hello_from_elsewhere) {
  upnp_profile how;
  how.serves_events = false;
  how.says_byebye = false;
  world& w = begin_listening(upnp_only(how));
  w.reboot_router();
  w.run_for(1s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
}

TEST_F(event_hints, tell_of_a_restart_by_another_boot_number) {
  upnp_profile how;
  how.serves_events = false;
  how.says_byebye = false;
  how.http_port_moves = false;
  world& w = begin_listening(upnp_only(how));
  w.reboot_router();
  w.run_for(1s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}));
}

TEST_F(event_hints, tell_of_a_router_that_takes_its_time) {
  upnp_profile how;
  how.serves_events = false;
  world& w = begin_listening(upnp_only(how));
  w.set_http_serving(false);
  w.reboot_router();
  w.run_for(30s);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped}) << "its web server is not there yet";
  w.set_http_serving(true);
  w.router().announce_upnp(w.clock());
  w.run_for(1s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::lost, event_kind::mapped}))
      << "though it says what it said before";
}

TEST_F(event_hints, that_repeat_what_is_known_are_no_news) {
  upnp_profile how;
  how.notify_interval = 30s;
  world& w = begin_subscribed(how);
  const std::size_t before = checks(w);
  w.run_for(250s);
  EXPECT_EQ(checks(w), before);
  EXPECT_EQ(w.counters().announcements, 0U);
}

TEST_F(event_hints, tell_of_a_restart_in_ipv6) {
  upnp_profile how;
  how.version = 2;
  scene what = listening(upnp_only(how));
  what.has_ipv6 = true;
  world& w = begin(what);
  map_request wish = request();
  wish.families = ip_families::v6;
  w.create(wish);
  w.run_for(5s);
  ASSERT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_FALSE(w.event_endpoint()) << "from which address the router would come is not known";
  w.reboot_router();
  w.run_for(1s);
  EXPECT_EQ(kinds(w), (std::vector{event_kind::mapped, event_kind::mapped}));
  EXPECT_EQ(w.router().pinholes().size(), 1U);
}

TEST_F(event_hints, do_without_what_cannot_be_opened) {
  scene what = upnp_only();
  what.multicast_works = false;
  world& w = begin_listening(what);
  EXPECT_EQ(w.router().upnp().subscriptions(), 1U);
  w.set_public_address(new_address);
  w.run_for(100ms);
  EXPECT_EQ(last(w, id_).event.kind, event_kind::changed);
}

// -------------------------------------------------------------------------------------------------
// Forged

TEST_F(event_hints, of_others_are_not_heard) {
  world& w = begin_subscribed();
  const endpoint here = *w.event_endpoint();
  const std::string gone =
      event_text(w, "<PortMappingNumberOfEntries>0</PortMappingNumberOfEntries>", 1);
  const std::size_t before = checks(w);
  EXPECT_EQ(w.post_event(neighbour, here, gone), std::nullopt);
  const auto post = [&](std::string text) {
    return w.post_event(world::router_address, here, text);
  };
  EXPECT_EQ(post(event_text(w, "<ExternalIPAddress>203.0.113.9</ExternalIPAddress>", 1, "NOTIFY",
                            "uuid:guessed")),
            412);
  EXPECT_EQ(post(event_text(w, "", 1, "SUBSCRIBE")), 405);
  std::string elsewhere = gone;
  elsewhere.replace(elsewhere.find(path_of_event(w)), path_of_event(w).size(), "/");
  EXPECT_EQ(post(elsewhere), 404);
  std::string rumour = gone;
  rumour.replace(rumour.find("upnp:propchange"), 15, "upnp:propchance");
  EXPECT_EQ(post(rumour), 412);
  w.run_for(20s);
  EXPECT_EQ(checks(w), before);
  EXPECT_EQ(w.counters().events_refused, 4U);
  EXPECT_EQ(post(gone), 200);
  w.run_for(20s);
  EXPECT_EQ(checks(w), before + 1) << "the same text from the router";
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped}) << "and only its word counts";
}

TEST_F(event_hints, that_nobody_can_read_change_nothing) {
  world& w = begin_subscribed();
  const std::size_t before = checks(w);
  for (const std::string_view bad :
       {"", "<ExternalIPAddress>", "<!DOCTYPE x [<!ENTITY a \"b\">]>",
        "<ExternalIPAddress>127.0.0.1</ExternalIPAddress>",
        "<PortMappingNumberOfEntries>-1</PortMappingNumberOfEntries>"}) {
    EXPECT_EQ(w.post_event(world::router_address, *w.event_endpoint(), event_text(w, bad, 1)), 200);
  }
  w.run_for(20s);
  EXPECT_EQ(checks(w), before);
}

TEST_F(event_hints, by_the_thousand_lead_to_one_check_in_ten_seconds) {
  world& w = begin_subscribed();
  const std::size_t before = w.requests().size();
  for (std::uint32_t i = 1; i <= 10'000; ++i) {
    const std::string host = std::to_string(i % 200);
    ASSERT_EQ(
        w.post_event(world::router_address, *w.event_endpoint(),
                     event_text(w,
                                "<ExternalIPAddress>203.0.113." + host +
                                    "</ExternalIPAddress></e:property><e:property>"
                                    "<PortMappingNumberOfEntries>" +
                                    std::to_string(20'000 - i) + "</PortMappingNumberOfEntries>",
                                i)),
        200);
    w.run_for(10ms);
  }
  // A check is two questions and one entry; 100 s have room for eleven of them.
  EXPECT_GE(checks(w), 1U + 9U);
  EXPECT_LE(checks(w), 1U + 11U);
  EXPECT_LE(w.requests().size() - before, 3U * 11U);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(event_hints, of_the_group_by_the_thousand_lead_to_one_check_in_ten_seconds) {
  world& w = begin_subscribed();
  const std::string name = name_of_router(w);
  const endpoint group{ssdp_group, ssdp_port};
  const std::size_t before = checks(w);
  for (int i = 0; i < 2'500; ++i) {
    const std::string location = "http://192.168.1.1:" + std::to_string(1'024 + i) + "/x";
    for (const auto& from : {neighbour, world::router_address}) {
      w.inject({{from, 1900}, group, announcement("alive", location, name)});
      w.inject({{from, 1900}, group, announcement("byebye", location, name)});
    }
    w.run_for(40ms);
  }
  EXPECT_LE(checks(w), before + 11U);
  EXPECT_GE(checks(w), before + 9U);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_EQ(w.counters().datagrams_stranger, 5'000U);
}

TEST_F(event_hints, of_the_group_count_from_the_device_and_in_its_name_only) {
  world& w = begin_subscribed();
  const endpoint group{ssdp_group, ssdp_port};
  const std::string name = name_of_router(w);
  const std::size_t before = checks(w);
  const auto say = [&](const ip_address& from, const bytes& what) {
    w.inject({{from, 1900}, group, what});
    w.run_for(20s);
  };
  say(neighbour, announcement("byebye", "", name));
  say(world::router_address, announcement("byebye", "", "uuid:another"));
  say(world::router_address, announcement("byebye", "", name + "0"));
  say(world::router_address, announcement("update", "", name));
  say(world::router_address, search_answer("http://192.168.1.1:9/"));
  EXPECT_EQ(checks(w), before);
  say(world::router_address, announcement("byebye", "", name));
  EXPECT_EQ(checks(w), before + 1);
}

// -------------------------------------------------------------------------------------------------
// Refused

TEST_F(event_hints, are_asked_for_twice_of_a_router_that_can_not_now) {
  upnp_profile how;
  how.max_subscriptions = 0;
  world& w = begin_listening(upnp_only(how));
  w.run_for(24h);
  const auto asked = with_method(w, "SUBSCRIBE");
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].status, 503);
  EXPECT_GE(asked[1].at - asked[0].at, 30s);
  EXPECT_EQ(w.counters().subscriptions_failed, 2U);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
}

TEST_F(event_hints, are_asked_for_once_of_a_router_that_never_answers) {
  world& w = begin(listening(upnp_only()));
  w.http_courier = [](const http_record& record) {
    http_treatment out;
    if (record.request.starts_with("SUBSCRIBE")) out.end = http_treatment::outcome::unanswered;
    return out;
  };
  id_ = w.create(request());
  w.run_for(24h);
  EXPECT_EQ(with_method(w, "SUBSCRIBE").size(), 1U);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped});
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(event_hints, cost_no_mapping_of_a_router_that_stops_answering) {
  world& w = begin(listening(upnp_only()));
  bool is_dead = false;
  w.http_courier = [&is_dead](const http_record& record) {
    http_treatment out;
    if (record.request.starts_with("SUBSCRIBE")) is_dead = true;
    if (is_dead) out.end = http_treatment::outcome::hangs;
    if (is_dead && !record.request.starts_with("SUBSCRIBE")) {
      out.end = http_treatment::outcome::unanswered;
    }
    return out;
  };
  id_ = w.create(request());
  w.run_for(1h);
  EXPECT_EQ(kinds(w), std::vector{event_kind::mapped}) << "until its lease ends";
  // The household turns it off and on.
  is_dead = false;
  w.reboot_router();
  w.run_for(1h);
  is_dead = false;
  w.reboot_router();
  w.run_for(24h);
  EXPECT_EQ(with_method(w, "SUBSCRIBE").size(), 2U) << "now it is known";
  EXPECT_TRUE(router_holds(w, 8080));
}

TEST_F(event_hints, are_put_off_for_what_matters_more) {
  world& w = begin(listening(upnp_only()));
  bool hangs = true;
  w.http_courier = [&hangs](const http_record& record) {
    http_treatment out;
    if (hangs && record.request.starts_with("SUBSCRIBE")) {
      out.end = http_treatment::outcome::unanswered;
    }
    return out;
  };
  w.create(request());
  w.run_until([&] { return !with_method(w, "SUBSCRIBE").empty(); }, 5s);
  hangs = false;
  const auto asked_at = w.now();
  w.create(request(8081));
  w.run_until([&] { return w.count_events(event_kind::mapped) == 2; }, 5s);
  EXPECT_LE(w.now() - asked_at, 100ms) << "the exchange was broken off";
  EXPECT_TRUE(with_method(w, "SUBSCRIBE").at(0).cancelled);
  w.run_for(2s);
  EXPECT_EQ(w.router().upnp().subscriptions(), 1U) << "and made later";
}

// -------------------------------------------------------------------------------------------------
// Renewed, and ended

TEST_F(event_hints, come_for_as_long_as_the_mapping_lives) {
  upnp_profile how;
  how.event_timeout = 60s;
  world& w = begin_subscribed(how);
  w.run_for(1h);
  const auto asked = with_method(w, "SUBSCRIBE");
  EXPECT_GE(asked.size(), 119U) << "half of a minute each";
  EXPECT_LE(asked.size(), 122U);
  EXPECT_TRUE(asked[1].request.contains("\r\nSID: uuid:"));
  EXPECT_FALSE(asked[1].request.contains("CALLBACK"));
  EXPECT_EQ(w.router().upnp().subscriptions(), 1U);
  w.set_public_address(new_address);
  w.run_for(100ms);
  EXPECT_EQ(last(w, id_).event.kind, event_kind::changed);
}

TEST_F(event_hints, are_asked_for_anew_of_a_router_that_has_forgotten) {
  upnp_profile how;
  how.http_port_moves = false;
  how.says_byebye = false;
  how.notify_interval = 0s;
  scene what = upnp_only(how);
  what.multicast_works = false;
  world& w = begin_listening(what);
  w.reboot_router(true);
  EXPECT_EQ(w.router().upnp().subscriptions(), 0U);
  w.run_for(16min);
  EXPECT_EQ(w.router().upnp().subscriptions(), 1U);
  EXPECT_EQ(w.counters().subscriptions_failed, 1U) << "the renewal";
  w.set_public_address(new_address);
  w.run_for(15s);
  EXPECT_EQ(last(w, id_).event.kind, event_kind::changed);
}

TEST_F(event_hints, are_asked_for_anew_of_a_router_that_has_moved) {
  world& w = begin_subscribed();
  w.reboot_router();
  w.run_for(5s);
  EXPECT_EQ(w.router().upnp().subscriptions(), 1U);
  EXPECT_EQ(with_method(w, "SUBSCRIBE").size(), 2U);
}

TEST_F(event_hints, end_with_the_last_mapping) {
  world& w = begin_subscribed();
  w.release(id_);
  w.run_for(1s);
  EXPECT_EQ(last(w, id_).event.how, removal::deleted);
  EXPECT_EQ(w.router().upnp().subscriptions(), 0U);
  ASSERT_EQ(with_method(w, "UNSUBSCRIBE").size(), 1U);
  EXPECT_EQ(with_method(w, "UNSUBSCRIBE")[0].status, 200);
  EXPECT_EQ(w.open_channels(), 0U);
  EXPECT_EQ(w.engine_deadline(), std::nullopt);
}

TEST_F(event_hints, end_with_the_client) {
  world& w = begin_subscribed();
  w.close();
  EXPECT_TRUE(w.run_until([&] { return w.closed(); }, 100ms));
  EXPECT_EQ(w.router().upnp().subscriptions(), 0U);
  EXPECT_EQ(w.open_channels(), 0U);
}

TEST_F(event_hints, are_left_to_their_end_where_nobody_can_wait) {
  world& w = begin_subscribed();
  w.close(true);
  EXPECT_TRUE(w.closed());
  for (const http_record& each : with_method(w, "UNSUBSCRIBE")) EXPECT_TRUE(each.cancelled);
}

TEST_F(event_hints, keep_nobody_waiting_at_the_end) {
  world& w = begin_subscribed();
  w.http_courier = [](const http_record& record) {
    http_treatment out;
    if (record.request.starts_with("UNSUBSCRIBE")) out.end = http_treatment::outcome::unanswered;
    return out;
  };
  w.close();
  w.run_for(100ms);
  EXPECT_EQ(last(w, id_).event.kind, event_kind::removed);
  EXPECT_FALSE(w.closed());
  w.run_for(500ms);
  EXPECT_TRUE(w.closed());
}

TEST_F(event_hints, are_not_waited_for_when_giving_back_took_long) {
  world& w = begin_subscribed();
  w.http_courier = [](const http_record& record) {
    http_treatment out;
    if (record.request.starts_with("UNSUBSCRIBE")) out.end = http_treatment::outcome::unanswered;
    if (record.request.contains("DeletePortMapping")) out.processing = 1'800ms;
    return out;
  };
  w.close();
  w.run_for(1'900ms);
  EXPECT_EQ(last(w, id_).event.how, removal::deleted);
  EXPECT_FALSE(w.closed());
  w.run_for(100ms);
  EXPECT_TRUE(w.closed()) << "2 s are the bound";
}

TEST_F(event_hints, come_back_with_the_next_mapping) {
  world& w = begin_subscribed();
  w.release(id_);
  w.create(request(8081));
  w.run_for(5s);
  EXPECT_EQ(w.router().upnp().subscriptions(), 1U);
  w.set_public_address(new_address);
  w.run_for(100ms);
  EXPECT_EQ(w.events().back().event.kind, event_kind::changed);
}

TEST_F(event_hints, come_back_where_the_end_was_under_way) {
  world& w = begin_subscribed();
  w.http_courier = [](const http_record& record) {
    http_treatment out;
    if (record.request.starts_with("UNSUBSCRIBE")) out.end = http_treatment::outcome::unanswered;
    return out;
  };
  w.release(id_);
  w.run_until([&] { return !with_method(w, "UNSUBSCRIBE").empty(); }, 1s);
  w.create(request(8081));
  w.run_for(5s);
  EXPECT_TRUE(with_method(w, "UNSUBSCRIBE").at(0).cancelled);
  w.set_public_address(new_address);
  w.run_for(100ms);
  EXPECT_EQ(w.events().back().event.kind, event_kind::changed);
}

TEST_F(event_hints, stop_when_the_network_is_another_one) {
  world& w = begin_subscribed();
  w.set_network(world::one_route(v4(10, 0, 0, 1), v4(10, 0, 0, 2)));
  EXPECT_FALSE(w.event_endpoint());
}

// -------------------------------------------------------------------------------------------------
// With loss

TEST_F(event_hints, or_the_recheck_find_out_whatever_is_lost) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    scene what = listening(upnp_only());
    what.seed = seed;
    what.link.loss_percent = 30;
    what.link.duplicate_percent = 5;
    what.link.reorder_percent = 10;
    world& w = begin(what);
    id_ = w.create(request());
    w.run_for(10min);
    w.set_public_address(new_address);
    w.run_for(20min);
    w.reboot_router();
    w.run_for(20min);
    w.link() = {};
    w.run_for(20min);
    ASSERT_NE(w.last_event(id_), nullptr);
    EXPECT_TRUE(router_holds(w, 8080)) << "seed " << seed;
    EXPECT_EQ(last(w, id_).event.info.external.address, new_address) << "seed " << seed;
    w.close();
    w.run_for(5s);
    EXPECT_TRUE(w.closed());
  }
}

}  // namespace
}  // namespace damson::sim
