// Descriptions and control: what a device says it is, and how its web server behaves. Each scenario
// names the entries of the router quirk list that it stands for.

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

using outcome = http_treatment::outcome;

class upnp_box : public upnp_scenario {
 protected:
  static wan_connection connection(wan_service kind, bool up,
                                   const std::optional<ip_address>& address = {}) {
    return {.kind = kind, .up = up, .status = "Connected", .address = address};
  }

  /// The path of the control URL through which the mapping was made.
  static std::string control_path(const world& w) {
    const auto adds = requests_for(w, "AddPortMapping");
    return adds.empty() ? "(none)" : path_of(adds.back());
  }

  /// One device that cannot be used as the gateway, and a good one beside it.
  void expect_next_device(const upnp_profile& how) {
    scene what = upnp_only(how);
    what.devices.push_back({upnp_only_router(), second_address, wan_side});
    world& w = begin_request(what);
    expect_mapped(w, 5s, second_address);
    EXPECT_TRUE(w.router().rules().empty());
  }
};

constexpr ip_address on_the_internet = v4(20, 1, 2, 3);  // documentation's addresses are "reserved"
constexpr ip_address private_wan = v4(10, 1, 2, 3);

// ---------------------------------------------------------------------------------------------
// Which service

TEST_F(upnp_box, uses_the_connection_that_is_live) {  // Q-90
  for (const bool own_wan_devices : {false, true}) {
    upnp_profile how;
    how.own_wan_devices = own_wan_devices;
    how.connections = {connection(wan_service::ppp, false), connection(wan_service::ip, true)};
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 100ms);
    EXPECT_EQ(control_path(w), "/ctl/WANIPConn2");
  }
}

TEST_F(upnp_box, uses_the_connection_with_a_public_address) {  // Q-90
  upnp_profile how;
  how.connections = {connection(wan_service::ip, false, on_the_internet),
                     connection(wan_service::ip, true, private_wan),
                     connection(wan_service::ppp, true, on_the_internet),
                     connection(wan_service::ip, true, v4(20, 1, 2, 4))};
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 200ms);
  EXPECT_EQ(control_path(w), "/ctl/WANPPPConn3");
  EXPECT_EQ(w.events()[0].event.info.external.address, on_the_internet);
  EXPECT_EQ(requests_for(w, "GetStatusInfo").size(), 3U) << "the fourth need not be asked";
}

TEST_F(upnp_box, uses_a_connection_with_a_private_address_where_there_is_no_other) {  // Q-90
  upnp_profile how;
  how.connections = {connection(wan_service::ip, false),
                     connection(wan_service::ip, true, private_wan)};
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 200ms);
  EXPECT_EQ(control_path(w), "/ctl/WANIPConn2");
  EXPECT_EQ(w.events()[0].event.info.external.address, private_wan);
}

TEST_F(upnp_box, understands_each_way_to_say_connected) {  // Q-90, Q-185
  for (const std::string status : {"Connected", "Up", "connected", ""}) {
    upnp_profile how;
    how.connections = {connection(wan_service::ip, false), connection(wan_service::ip, true)};
    how.connections[1].status = status;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 200ms);
    EXPECT_EQ(control_path(w), "/ctl/WANIPConn2") << status;
  }
}

TEST_F(upnp_box, needs_no_status) {  // Q-90, Q-160
  upnp_profile how;
  how.connections = {connection(wan_service::ip, false), connection(wan_service::ip, true)};
  how.missing_actions = {"GetStatusInfo"};
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 200ms);
  EXPECT_EQ(control_path(w), "/ctl/WANIPConn2");
}

TEST_F(upnp_box, that_has_one_connection_is_not_asked_for_its_status) {  // Q-185
  upnp_profile how;
  how.connections[0].status = "PendingDisconnect";
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  EXPECT_TRUE(requests_for(w, "GetStatusInfo").empty());
}

TEST_F(upnp_box, may_bear_the_names_of_the_dsl_forum) {  // Q-91
  for (const wan_service kind : {wan_service::ip, wan_service::ppp}) {
    upnp_profile how;
    how.dslforum_names = true;
    how.connections = {connection(kind, true)};
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 1s);
    const std::string type = std::string{"\"urn:dslforum-org:service:WAN"} +
                             (kind == wan_service::ip ? "IP" : "PPP") +
                             "Connection:1#AddPortMapping\"";
    EXPECT_TRUE(requests_for(w, "AddPortMapping").at(0).request.contains(type));
  }
}

TEST_F(upnp_box, without_a_mapping_service_is_told_from_one_that_is_silent) {  // Q-92
  upnp_profile how;
  how.connections = {};
  EXPECT_EQ(upnp_failure(begin_request(upnp_only(how)), 5s), errc::not_supported);
  expect_next_device(how);
}

TEST_F(upnp_box, is_spoken_to_with_the_type_that_it_shows) {  // Q-93
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    upnp_profile how;
    how.version = version;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 100ms);
    for (const auto& record : w.requests()) {
      if (asked_for(record) == "GET") continue;
      const std::string_view type = version == 1 ? ip_v1 : ip_v2;
      EXPECT_TRUE(record.request.contains("\"" + std::string{type} + "#"));
      EXPECT_TRUE(record.request.contains("xmlns:u=\"" + std::string{type} + "\""));
    }
  }
}

TEST_F(upnp_box, is_what_it_shows_whatever_it_can) {  // Q-94
  upnp_profile how;
  how.version = 2;
  how.v1_for_microsoft_agents = true;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 100ms);
  EXPECT_EQ(requests_for(w, "AddAnyPortMapping").size(), 1U);
  for (const auto& one : w.requests()) EXPECT_FALSE(one.request.contains("User-Agent"));

  how.poses_as_v1 = true;
  world& posing = begin_request(upnp_only(how));
  expect_mapped(posing, 100ms);
  EXPECT_TRUE(requests_for(posing, "AddAnyPortMapping").empty());
}

// ---------------------------------------------------------------------------------------------
// URLs

TEST_F(upnp_box, may_declare_its_base_in_any_way) {  // Q-95
  for (const url_base_kind base : {url_base_kind::absent, url_base_kind::present,
                                   url_base_kind::with_slash, url_base_kind::empty}) {
    for (const control_url_shape shape :
         {control_url_shape::absolute_path, control_url_shape::relative}) {
      upnp_profile how;
      how.url_base = base;
      how.control_urls = shape;
      expect_mapped(begin_request(upnp_only(how)), 100ms);
    }
  }
}

TEST_F(upnp_box, whose_base_leads_elsewhere_is_taken_by_its_location) {  // Q-95, Q-130
  for (const std::string base :
       {"http://192.168.1.66:5000/", "http://127.0.0.1:5000/", "http://router.example/",
        "https://192.168.1.1:5000/", "ftp://192.168.1.1/", "http://192.168.1.1:0/", "::::"}) {
    upnp_profile how;
    how.url_base_text = base;
    how.control_urls = control_url_shape::relative;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 100ms);
    EXPECT_TRUE(asked_only(w, world::router_address)) << base;
  }
}

TEST_F(upnp_box, may_write_its_control_urls_in_any_shape) {  // Q-96
  for (const bool random_paths : {false, true}) {
    for (const auto& [shape, path] : {
             std::pair{control_url_shape::absolute_path, "/ctl/WANIPConn1"},
             std::pair{control_url_shape::relative, "/ctl/WANIPConn1"},
             std::pair{control_url_shape::with_query, "/control?WANIPConn1"},
             std::pair{control_url_shape::whole_url, "/ctl/WANIPConn1"},
             std::pair{control_url_shape::padded, "/ctl/WANIPConn1"},
         }) {
      upnp_profile how;
      how.control_urls = shape;
      how.random_paths = random_paths;
      world& w = begin_request(upnp_only(how));
      expect_mapped(w, 100ms);
      EXPECT_TRUE(control_path(w).ends_with(path)) << control_path(w);
    }
  }
}

TEST_F(upnp_box, has_long_urls_used_whole_or_not_at_all) {  // Q-97
  const std::string origin = "http://192.168.1.1:5000";
  for (const std::size_t length : {std::size_t{128}, std::size_t{2048}, std::size_t{2049}}) {
    const std::string path = "/" + std::string(length - origin.size() - 1, 'c');
    upnp_profile how;
    how.control_url_text = origin + path;
    world& w = begin_request(upnp_only(how));
    EXPECT_NE(upnp_failure(w, 30s), errc{}) << "there is no such page";
    for (const auto& one : w.requests()) {
      EXPECT_EQ(path_of(one), asked_for(one) == "GET" ? "/rootDesc.xml" : path);
    }
    EXPECT_EQ(requests_for(w, "GetExternalIPAddress").empty(), length > 2048) << length;
  }
}

// ---------------------------------------------------------------------------------------------
// Descriptions

TEST_F(upnp_box, may_have_bytes_of_any_kind_in_its_names) {  // Q-98
  upnp_profile how;
  how.stray_bytes = true;
  expect_mapped(begin_request(upnp_only(how)), 100ms);
}

TEST_F(upnp_box, that_describes_itself_in_nonsense_costs_only_itself) {  // Q-99
  for (const description_fault fault :
       {description_fault::html, description_fault::status_line, description_fault::cut}) {
    upnp_profile how;
    how.fault = fault;
    EXPECT_EQ(upnp_failure(begin_request(upnp_only(how)), 5s), errc::unusable_answer);
    expect_next_device(how);
  }
}

TEST_F(upnp_box, may_use_all_of_xml) {  // Q-99, Q-100
  for (unsigned bits = 0; bits < 16; ++bits) {
    upnp_profile how;
    how.comments_and_cdata = (bits & 1U) != 0;
    how.prefixed_elements = (bits & 2U) != 0;
    how.lower_case_elements = (bits & 4U) != 0;
    if ((bits & 8U) != 0) how.fault = description_fault::odd_namespace;
    expect_mapped(begin_request(upnp_only(how)), 100ms);
  }
}

TEST_F(upnp_box, may_say_whatever_it_likes_about_types_of_content) {  // Q-109
  for (const std::string type : {"", "text/xml", "application/xml", "text/plain", "nonsense"}) {
    upnp_profile how;
    how.content_type = type;
    expect_mapped(begin_request(upnp_only(how)), 100ms);
  }
}

TEST_F(upnp_box, whose_answers_are_pages_for_people_is_none) {  // Q-109
  upnp_profile how;
  how.content_type = "text/html";
  world& w = begin_request(upnp_only(how));
  EXPECT_NE(upnp_failure(w, 30s), errc{});
}

TEST_F(upnp_box, may_describe_itself_at_length_but_not_without_end) {  // Q-132
  for (const auto& [size, usable] :
       {std::pair{std::size_t{200}, true}, std::pair{std::size_t{300}, false}}) {
    upnp_profile how;
    how.description_text =
        "<?xml version=\"1.0\"?><root><device><deviceType>x</deviceType><serviceList><service>"
        "<serviceType>" +
        std::string{ip_v1} + "</serviceType><controlURL>" + std::string{ip_control} +
        "</controlURL></service></serviceList></device><!--" + std::string(size * 1024, 'x') +
        "--></root>";
    world& w = begin_request(upnp_only(how));
    if (usable) {
      expect_mapped(w, 100ms);
    } else {
      EXPECT_EQ(upnp_failure(w, 5s), errc::unusable_answer);
      expect_next_device(how);
    }
  }
}

TEST_F(upnp_box, that_describes_itself_in_a_bomb_costs_only_itself) {  // Q-134
  std::string laughs = "<!DOCTYPE root [<!ENTITY a0 \"ha\">";
  for (int i = 1; i < 10; ++i) {
    const std::string inner = "&a" + std::to_string(i - 1) + ";";
    laughs += "<!ENTITY a" + std::to_string(i) + " \"";
    for (int k = 0; k < 10; ++k) laughs += inner;
    laughs += "\">";
  }
  laughs += "]><root><device><friendlyName>&a9;</friendlyName></device></root>";
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "<a>";
  std::string wide = "<root>";
  for (int i = 0; i < 10'000; ++i) wide += "<device/>";
  wide += "</root>";
  const std::string outside =
      "<!DOCTYPE root SYSTEM \"http://192.168.1.66/x.dtd\"><root><device/></root>";
  for (const std::string& bomb : {laughs, deep, wide, outside}) {
    upnp_profile how;
    how.description_text = bomb;
    world& w = begin_request(upnp_only(how));
    EXPECT_NE(upnp_failure(w, 5s), errc{});
    EXPECT_EQ(w.requests().size(), 1U);
    expect_next_device(how);
  }
}

// ---------------------------------------------------------------------------------------------
// Requests, and the form of answers

TEST_F(upnp_box, hears_what_the_strictest_readers_hear) {  // Q-103, Q-104, Q-105, Q-106, Q-107
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    upnp_profile how;
    how.version = version;
    how.refuses_white_space = true;
    how.entities = xml_entities::three;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 100ms);
    w.run_for(2h);  // a check, a renewal
    w.release(id_);
    w.run_for(1s);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
    EXPECT_TRUE(w.router().complaints().empty());
    for (const auto& one : w.requests()) {
      EXPECT_TRUE(one.request.contains("\r\nHost: 192.168.1.1:5000\r\n"));
      EXPECT_TRUE(one.request.contains("\r\nConnection: close\r\n"));
      EXPECT_LE(one.request.size(), 1'400U);
      if (asked_for(one) == "GET") continue;
      const std::size_t body = one.request.find("\r\n\r\n") + 4;
      EXPECT_TRUE(one.request.contains(
          "\r\nContent-Length: " + std::to_string(one.request.size() - body) + "\r\n"));
      EXPECT_TRUE(one.request.contains("#" + asked_for(one) + "\"\r\n"));
      EXPECT_FALSE(one.request.substr(body).contains('\n'));
    }
  }
}

TEST_F(upnp_box, may_answer_in_any_dialect) {  // Q-100, Q-101, Q-109
  for (const envelope_prefix prefix :
       {envelope_prefix::s, envelope_prefix::upper_case, envelope_prefix::none}) {
    for (unsigned bits = 0; bits < 8; ++bits) {
      upnp_profile how;
      how.prefix = prefix;
      how.camel_case_faults = (bits & 1U) != 0;
      how.wrong_response_namespace = (bits & 2U) != 0;
      how.faults_with_200 = (bits & 4U) != 0;
      how.leases = lease_policy::only_permanent_725;  // a fault that has to be understood
      world& w = begin_request(upnp_only(how));
      expect_mapped(w, 100ms);
      EXPECT_TRUE(w.events()[0].event.info.permanent);
      EXPECT_TRUE(w.events()[0].event.info.verified);
      w.release(id_);
      w.run_for(1s);
      EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
      EXPECT_TRUE(w.router().rules().empty());
    }
  }
}

TEST_F(upnp_box, that_wants_pauses_gets_them) {  // Q-110
  upnp_profile how;
  how.request_gap = 150ms;
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 10s);
  w.create(request(9000));
  w.run_until([&] { return w.count_events(event_kind::mapped) == 2; }, 10s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 2U);
  // The second request follows the first too closely. From then on there are pauses.
  const auto& all = w.requests();
  ASSERT_GE(all.size(), 8U);
  EXPECT_EQ(all[1].status, 500);
  EXPECT_EQ(asked_for(all[2]), asked_for(all[1]));
  EXPECT_EQ(all[2].at - *all[1].ended_at, 1s);
  for (std::size_t i = 3; i < all.size(); ++i) {
    EXPECT_GE(all[i].at - *all[i - 1].ended_at, 200ms);
  }
  EXPECT_EQ(requests_for(w, "AddPortMapping").size(), 2U) << "none of them had to be repeated";
}

TEST_F(upnp_box, may_want_longer_pauses_than_it_gets) {  // Q-110
  for (const auto gap : {50ms, 250ms, 900ms}) {
    upnp_profile how;
    how.request_gap = gap;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 20s);
    w.release(id_);
    w.run_for(2s);
    EXPECT_TRUE(w.router().rules().empty());
  }
}

TEST_F(upnp_box, that_wants_pauses_is_asked_for_its_live_connection) {  // Q-90, Q-110
  upnp_profile how;
  how.request_gap = 150ms;
  how.connections = {connection(wan_service::ppp, false), connection(wan_service::ip, true)};
  world& w = begin_request(upnp_only(how));
  expect_mapped(w, 20s);
  EXPECT_EQ(control_path(w), "/ctl/WANIPConn2");
}

TEST_F(upnp_box, that_is_overwhelmed_is_asked_once_more_after_a_second) {  // Q-110
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  w.http_courier = [](const http_record&) { return http_treatment{.end = outcome::breaks_before}; };
  const std::size_t before = w.requests().size();
  w.create(request(9000));
  w.run_for(1900ms);
  ASSERT_EQ(w.requests().size(), before + 3) << "two on the device, and a new search";
  EXPECT_EQ(w.requests()[before + 1].at - *w.requests()[before].ended_at, 1s);
  EXPECT_EQ(asked_for(w.requests()[before + 2]), "GET");
}

TEST_F(upnp_box, has_one_connection_open_at_a_time) {  // Q-110
  upnp_profile how;
  how.processing = 30ms;
  world& w = begin(upnp_only(how));
  for (std::uint16_t port = 8000; port < 8010; ++port) w.create(request(port));
  w.run_for(5s);
  EXPECT_EQ(w.count_events(event_kind::mapped), 10U);
  for (std::size_t i = 1; i < w.requests().size(); ++i) {
    EXPECT_GE(w.requests()[i].at, w.requests()[i - 1].ended_at.value_or(nanoseconds::max()));
  }
}

TEST_F(upnp_box, may_redirect_to_itself) {  // Q-111
  for (const unsigned hops : {1U, 3U}) {
    for (const bool description : {true, false}) {
      upnp_profile how;
      auto& redirect = description ? how.redirects_descriptions : how.redirects_control;
      redirect = description ? "/rootDesc.xml" : "http://192.168.1.1:5000/ctl/WANIPConn1";
      world& w = begin_request(upnp_only(how));
      unsigned seen = 0;
      w.http_courier = [&](const http_record& record) {
        if ((asked_for(record) == "GET") == description && ++seen > hops) {
          auto& now = w.router().behaviour().upnp;
          now.redirects_descriptions.reset();
          now.redirects_control.reset();
        }
        return http_treatment{};
      };
      expect_mapped(w, 200ms);
      EXPECT_GT(seen, hops);
    }
  }
}

TEST_F(upnp_box, that_redirects_without_end_is_left) {  // Q-111
  upnp_profile how;
  how.redirects_descriptions = "/rootDesc.xml";
  world& w = begin_request(upnp_only(how));
  EXPECT_EQ(upnp_failure(w, 5s), errc::unusable_answer);
  EXPECT_EQ(w.requests().size(), 4U);
  expect_next_device(how);
}

TEST_F(upnp_box, that_hangs_is_left_at_the_deadline) {  // Q-133
  scene what = upnp_only();
  what.devices.push_back({upnp_only_router(), second_address, wan_side});
  world& w = begin_request(what);
  w.http_courier = [](const http_record& record) {
    const bool hangs = record.remote.address == world::router_address;
    return http_treatment{.end = hangs ? outcome::hangs : outcome::answered};
  };
  expect_mapped(w, 5s, second_address);
  EXPECT_EQ(w.requests()[0].ended_at, 3'002ms);
}

TEST_F(upnp_box, that_hangs_in_an_action_is_searched_again) {  // Q-133
  world& w = begin_request(upnp_only());
  unsigned adds = 0;
  w.http_courier = [&](const http_record& record) {
    const bool hangs = asked_for(record) == "AddPortMapping" && adds++ == 0;
    return http_treatment{.end = hangs ? outcome::hangs : outcome::answered};
  };
  expect_mapped(w, 10s);
  const auto first = requests_for(w, "AddPortMapping").at(0);
  EXPECT_EQ(*first.ended_at - first.at, 5s);
  EXPECT_EQ(requests_for(w, "GET").size(), 2U);
  EXPECT_EQ(w.router().rules().size(), 1U) << "what was obeyed without a word is the same one";
}

}  // namespace
}  // namespace damson::sim
