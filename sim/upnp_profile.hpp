#pragma once

/// How the UPnP side of one router behaves, as data. The defaults are a strict IGD with one
/// WANIPConnection; each departure is a named field and cites the entry of the router quirk list
/// that it stands for.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <damson/types.hpp>

#include "sim/message_text.hpp"
#include "sim/xml_text.hpp"

namespace damson::sim {

enum class wan_service : std::uint8_t { ip, ppp };

/// One WANIPConnection or WANPPPConnection of a router.
struct wan_connection {
  wan_service kind = wan_service::ip;
  /// One that is down has no address and makes no mappings.
  bool up = true;
  std::string status = "Connected";  ///< of one that is up: some say "Up", or nothing (Q-90, Q-185)
  /// Instead of the router's public address.
  std::optional<ip_address> address;
};

/// Which searches are answered.
enum class search_reach : std::uint8_t { everywhere, multicast_only, unicast_only, nowhere };

/// How the description writes control URLs.
enum class control_url_shape : std::uint8_t {
  absolute_path,  ///< "/ctl/IPConn"
  relative,       ///< "ctl/IPConn"
  with_query,     ///< "/control?IPConn"
  whole_url,      ///< "http://192.168.1.1:5000/ctl/IPConn"
  padded,         ///< with white space and line ends around it
};

/// What the description says about URLBase.
enum class url_base_kind : std::uint8_t {
  absent,
  present,     ///< without a slash at the end
  with_slash,  ///< the same with one
  empty,
};

/// What comes instead of a description.
enum class description_fault : std::uint8_t {
  none,
  html,           ///< a page for people
  status_line,    ///< "status=ok"
  cut,            ///< ends in the middle of the first control URL
  odd_namespace,  ///< the root element's namespace is none that anybody defined
};

/// What becomes of the lease that a client asks for.
enum class lease_policy : std::uint8_t {
  as_asked,
  only_permanent_725,  ///< any but 0 is OnlyPermanentLeasesSupported (Q-170)
  only_permanent_402,  ///< any but 0 is Invalid Args (Q-161)
  only_finite_402,     ///< 0 and more than a week are Invalid Args (Q-161)
  finite_is_dropped,   ///< any but 0 is a success without an entry (Q-192)
};

/// How the envelope of an answer is prefixed.
enum class envelope_prefix : std::uint8_t { s, upper_case, none };

// In the order in which one reads it; there are few of them.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct upnp_profile {
  // What it is.
  std::uint8_t version = 1;              ///< of the InternetGatewayDevice: 1 or 2
  bool poses_as_v1 = false;              ///< a version 2 that describes itself as 1 (Q-94)
  bool v1_for_microsoft_agents = false;  ///< and another that does so for some agents only (Q-94)
  /// In the order of the description; none is an IGD without a mapping service.
  std::vector<wan_connection> connections{wan_connection{}};
  bool ipv6_firewall = true;     ///< a version 2 has WANIPv6FirewallControl (Q-128)
  bool own_wan_devices = false;  ///< a WANDevice for each connection (Q-90)
  bool dslforum_names = false;   ///< urn:dslforum-org, in searches as well (Q-91)

  // Discovery.
  search_reach searches = search_reach::everywhere;   ///< Q-73, Q-82
  std::uint16_t ssdp_source_port = 1900;              ///< of answers (Q-74)
  std::optional<std::uint8_t> answers_with_version;   ///< in ST, whatever was searched (Q-71)
  std::optional<std::uint8_t> notifies_with_version;  ///< in NT (Q-72)
  bool only_first_device_for_all = false;     ///< ssdp:all finds a Wi-Fi device and no IGD (Q-70)
  std::chrono::milliseconds answer_delay{0};  ///< from search to answer
  std::uint32_t answer_copies = 1;            ///< of each answer (Q-80)
  std::chrono::milliseconds deaf_after_search{0};  ///< further searches are not heard (Q-75)
  message_style answer_style;                      ///< Q-78
  bool empty_server_field = false;                 ///< Q-78
  bool search_target_in_agent = false;        ///< a User-Agent before ST has "st:" in it (Q-78)
  std::optional<std::string> location;        ///< instead of the true one (Q-130)
  std::chrono::seconds notify_interval{900};  ///< 0: only at a start
  bool says_byebye = true;                    ///< when it restarts

  // The web server.
  std::uint16_t http_port = 5000;            ///< at the first start
  bool http_port_moves = true;               ///< another one at each start (Q-83)
  bool random_paths = false;                 ///< and other paths (Q-83)
  std::chrono::milliseconds processing{0};   ///< from a request to its answer
  std::chrono::milliseconds request_gap{0};  ///< requests closer together get a bare 500 (Q-110)
  std::optional<std::string> redirects_descriptions;  ///< 302 to there (Q-111, Q-130)
  std::optional<std::string> redirects_control;       ///< 307 to there (Q-111, Q-130)
  /// Instead of text/xml in every answer; empty: no such field.
  std::optional<std::string> content_type;

  // The description.
  control_url_shape control_urls = control_url_shape::absolute_path;  ///< Q-96
  url_base_kind url_base = url_base_kind::absent;                     ///< Q-95
  std::optional<std::string> url_base_text;                           ///< instead (Q-95, Q-130)
  std::optional<std::string> control_url_text;  ///< instead of every mapping service's (Q-130)
  description_fault fault = description_fault::none;
  std::optional<std::string> description_text;  ///< the whole of it, instead (Q-99, Q-132, Q-134)
  bool stray_bytes = false;                     ///< F0 5F F0 in the model number (Q-98)
  bool prefixed_elements = false;               ///< Q-100
  bool lower_case_elements = false;             ///< Q-100
  bool comments_and_cdata = false;              ///< Q-99

  // What it insists on in requests.
  bool refuses_white_space = false;  ///< between the elements of an envelope: a bare 500 (Q-104)
  xml_entities entities = xml_entities::all;  ///< that it decodes (Q-105)

  // The form of its answers.
  envelope_prefix prefix = envelope_prefix::s;         ///< Q-100
  bool camel_case_faults = false;                      ///< faultCode and faultString (Q-100)
  bool wrong_response_namespace = false;               ///< Q-101
  bool faults_with_200 = false;                        ///< Q-109
  std::string reserved_port_name = "NewReservedPort";  ///< AddAny's result; empty: none (Q-179)

  // Whom it serves, and with what.
  bool secure_mode = true;               ///< only for the sender itself (Q-163)
  bool refuses_low_ports = false;        ///< external and internal ones below 1024 (Q-163)
  bool policy_refusals_are_718 = false;  ///< instead of 606 (Q-168)
  bool same_ports_required = false;      ///< 724 (Q-169)
  bool overwrites_anybody = false;       ///< an entry of another host too (Q-182)
  bool no_overwriting = false;           ///< 718 for the holder itself too (Q-168)
  bool any_port_moves = false;           ///< AddAny never gives the holder its port again (Q-180)
  bool one_rule_for_all_protocols = false;  ///< a PCP rule with the same target is its own (Q-158)
  bool private_wan_disables = false;        ///< 501 and no address unless it is public (Q-152)
  bool unknown_address_is_zero = false;     ///< 0.0.0.0 instead of nothing where there is no uplink
  std::set<std::string> missing_actions;    ///< Q-160
  int missing_action_code = 401;            ///< or 404, 602, 403 (Q-160)
  int missing_entry_code = 714;             ///< of a query, or 501 (Q-162)
  int list_end_code = 713;                  ///< Q-164
  bool list_counts_from_one = false;        ///< Q-164
  bool list_has_no_end = false;             ///< it repeats the last entry for ever (Q-164)
  bool list_has_holes = false;              ///< 714 at every second index (Q-164)
  bool refuses_port_0_in_ranges = false;    ///< 402 (Q-184)
  bool lists_are_escaped_twice = false;     ///< those of ranges (Q-184)
  bool ignores_manage = false;              ///< a range is everybody's, whatever it says (Q-175)
  std::optional<int> refuses_adds_with;     ///< any code, also negative (Q-163, Q-186)
  std::optional<std::uint32_t> refused_adds;        ///< only so many, counted down; empty: all
  std::optional<int> refuses_deletes_with;          ///< of mappings
  std::optional<int> refuses_pinhole_deletes_with;  ///< while updates are taken (Q-124)
  bool guards_connection = false;  ///< 606 for all that would change the connection itself
  bool firewall_enabled = true;    ///< else nothing is blocked, and pinholes are 702 (Q-126)
  bool pinholes_allowed = true;    ///< else they are 703 (Q-126, Q-129)
  bool pinholes_need_remote_host = false;  ///< 708 without one (Q-123)
  bool pinholes_are_not_extended = false;  ///< 501 for an update, and for adding what is there
  int missing_pinhole_code = 704;          ///< of a number that is nobody's, or 402 (Q-125)

  // Events (UDA 1.0 section 4).
  bool serves_events = true;      ///< else no eventSubURL
  bool events_to_anyone = false;  ///< callbacks need not be the subscriber's own (Q-139)
  std::chrono::seconds event_timeout{1'800};  ///< the longest subscription
  std::size_t max_subscriptions = 32;

  // Leases, and entries that are not what they seem.
  lease_policy leases = lease_policy::as_asked;
  std::optional<std::uint32_t> forced_lease;  ///< for every finite one, in s; 0: for ever (Q-191)
  bool refresh_does_not_extend = false;       ///< Q-193
  bool shows_lease_as_zero = false;           ///< Q-184
  bool success_without_entry = false;         ///< Q-210
  bool full_table_is_silent = false;          ///< the same where there is no room (Q-210)
  std::optional<std::uint32_t> uptime;        ///< the same for ever, in s (Q-185)
};

}  // namespace damson::sim
