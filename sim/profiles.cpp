#include "sim/profiles.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

namespace damson::sim {

namespace {

using namespace std::chrono_literals;

profile with(const std::function<void(profile&)>& change) {
  profile out;
  change(out);
  return out;
}

/// One that speaks UPnP only.
profile igd(const std::function<void(upnp_profile&)>& change = {}) {
  profile out;
  out.speaks_pcp = false;
  out.speaks_nat_pmp = false;
  out.speaks_upnp = true;
  if (change) change(out.upnp);
  return out;
}

profile igd2(const std::function<void(upnp_profile&)>& change = {}) {
  profile out = igd(change);
  out.upnp.version = 2;
  return out;
}

/// One whose UPnP side is of no use, but that speaks PCP and NAT-PMP.
profile useless_igd(const std::function<void(upnp_profile&)>& change) {
  profile out = igd(change);
  out.speaks_pcp = out.speaks_nat_pmp = true;
  return out;
}

/// XML whose entities would grow without end.
std::string bomb() {
  std::string out = "<!DOCTYPE root [<!ENTITY a0 \"ha\">";
  for (int i = 1; i < 10; ++i) {
    out += "<!ENTITY a" + std::to_string(i) + " \"";
    for (int k = 0; k < 10; ++k) out += "&a" + std::to_string(i - 1) + ";";
    out += "\">";
  }
  return out + "]><root><device><friendlyName>&a9;</friendlyName></device></root>";
}

std::vector<named_profile> plain_profiles() {
  return {
      {"strict", "Q-24 Q-25 Q-32 Q-33 Q-53 Q-60", "PCP and NAT-PMP as the RFCs say", {}},
      {"all", "Q-158", "PCP, NAT-PMP and UPnP, each with rules of its own",
       with([](profile& how) { how.speaks_upnp = true; })},
      {"all-one-table", "Q-158", "the same, with one rule for a port whoever made it",
       with([](profile& how) {
         how.speaks_upnp = true;
         how.upnp.one_rule_for_all_protocols = true;
       })},
      {"pcp-only", "Q-21", "NAT-PMP is answered with a PCP packet that is cut",
       with([](profile& how) {
         how.speaks_nat_pmp = false;
         how.clips_answers_to_nat_pmp = true;
       })},
      {"nat-pmp-only", "Q-20", "PCP is answered with eight bytes that refuse the version",
       with([](profile& how) { how.speaks_pcp = false; })},
      {"nat-pmp-only-silent", "Q-22", "PCP is not answered at all", with([](profile& how) {
         how.speaks_pcp = false;
         how.answers_version_refusal = false;
       })},
      {"upnp-only", "Q-41 Q-76 Q-103 Q-106 Q-107 Q-165 Q-178 Q-196",
       "the port of PCP and NAT-PMP is closed", igd()},
      {"upnp-only-silent", "Q-22", "the port of PCP and NAT-PMP is silent",
       [] {
         profile out = igd();
         out.closed_port_refuses = false;
         return out;
       }()},
      {"igd2", "Q-93 Q-122 Q-123 Q-125 Q-126 Q-190", "UPnP version 2", igd2()},
      {"nothing", "Q-14", "speaks none of them, and its port is closed",
       with([](profile& how) { how.speaks_pcp = how.speaks_nat_pmp = false; })},
  };
}

std::vector<named_profile> pcp_profiles() {
  return {
      {"pcp-version-1", "Q-23", "PCP of version 1 only, and NAT-PMP",
       with([](profile& how) { how.pcp_version = 1; })},
      {"inner-nat", "Q-24", "another NAT on the way: each address is the wrong one",
       with([](profile& how) { how.refuses_maps_with = pcp_result::address_mismatch; })},
      {"port-0", "Q-141 Q-213", "grants port 0",
       with([](profile& how) { how.answers_external_port = std::uint16_t{0}; })},
      {"unbounded-leases", "Q-36 Q-62", "grants whatever is asked for",
       with([](profile& how) { how.max_lifetime = std::chrono::seconds{0xffffffff}; })},
      {"renewals-fail", "Q-28", "one renewal is answered with NO_RESOURCES",
       with([](profile& how) { how.refused_renewals = 1; })},
      {"delete-of-nothing-fails", "Q-29", "to delete what is not there is an error",
       with([](profile& how) { how.delete_of_nothing_fails = true; })},
      {"errors-without-lifetime", "Q-34", "each error is to last 0 s", with([](profile& how) {
         how.error_lifetime = 0;
         how.refuses_maps_with = pcp_result::no_resources;
       })},
      {"not-authorized", "Q-35", "the household has switched it off", with([](profile& how) {
         how.refuses_maps_with = pcp_result::not_authorized;
         how.refuses_nat_pmp_maps_with = nat_pmp_result::not_authorized;
       })},
      {"short-leases", "Q-36 Q-51", "a minute, whatever was asked",
       with([](profile& how) { how.forced_grant = 60; })},
      {"address-change-keeps-epoch", "Q-39", "another address outside, and the epoch goes on",
       with([](profile& how) { how.address_change_resets_epoch = false; })},
      {"unannounced", "Q-40", "restarts are not announced",
       with([](profile& how) { how.announcements = 0; })},
      {"deaf-to-announce", "Q-40", "the question whether it is there meets silence",
       with([](profile& how) { how.answers_announce_requests = false; })},
      {"taken-is-no-resources", "Q-44", "a port in use is NO_RESOURCES",
       with([](profile& how) { how.taken_port_is_no_resources = true; })},
      {"own-ports", "Q-53", "the external port is never the one asked for",
       with([](profile& how) { how.external_port = port_policy::own_choice; })},
      {"few-rules", "Q-44 Q-181", "four rules and no more",
       with([](profile& how) { how.max_rules = 4; })},
      {"quota", "Q-181", "four rules for each host",
       with([](profile& how) { how.rules_per_host = 4; })},
  };
}

/// What damson asks for only when the program does, or never.
std::vector<named_profile> pcp_option_profiles() {
  return {
      {"no-peer", "Q-33", "PEER is not served",
       with([](profile& how) { how.serves_peer = false; })},
      {"port-sets", "", "PCP maps up to eight ports in a row as one",
       with([](profile& how) { how.largest_port_set = 8; })},
      {"third-party", "Q-32", "a host may map for another one",
       with([](profile& how) { how.allows_third_party = true; })},
      {"prefer-failure-ignored", "Q-30", "another port all the same, with success",
       with([](profile& how) { how.ignores_prefer_failure = true; })},
      {"filters-ignored", "Q-31", "filters are accepted, and everybody may come",
       with([](profile& how) { how.ignores_filters = true; })},
      {"one-filter", "", "one filter for each mapping and no more",
       with([](profile& how) { how.max_filters = 1; })},
      {"renewed-pinhole-port", "Q-27", "a renewed pinhole comes back with the suggested port",
       with([](profile& how) { how.renewed_pinhole_echoes_port = true; })},
      {"renewed-pinhole-stays", "", "a renewed pinhole cannot be deleted any more",
       with([](profile& how) { how.renewed_pinhole_stays = true; })},
  };
}

std::vector<named_profile> nat_pmp_profiles() {
  const auto nat_pmp = [](const std::function<void(profile&)>& change) {
    return with([&](profile& how) {
      how.speaks_pcp = false;
      change(how);
    });
  };
  return {
      {"echoing-errors", "Q-54", "NAT-PMP refusals repeat port and lifetime",
       nat_pmp([](profile& how) {
         how.nat_pmp_errors_echo_request = true;
         how.refuses_nat_pmp_maps_with = nat_pmp_result::out_of_resources;
       })},
      {"short-errors", "Q-55", "NAT-PMP refusals have eight bytes", nat_pmp([](profile& how) {
         how.nat_pmp_errors_are_short = true;
         how.refuses_nat_pmp_maps_with = nat_pmp_result::not_authorized;
       })},
      {"address-unknown", "Q-57", "NAT-PMP tells 0.0.0.0, with success",
       nat_pmp([](profile& how) { how.external_address_unknown = true; })},
      {"private-is-failure", "Q-58 Q-152 Q-154",
       "NAT-PMP calls a private address outside a failure",
       nat_pmp([](profile& how) { how.private_wan_is_failure = true; })},
      {"another-internal-port", "Q-50", "NAT-PMP answers name another internal port",
       nat_pmp([](profile& how) { how.nat_pmp_answers_internal_port = 9; })},
  };
}

std::vector<named_profile> discovery_profiles() {
  return {
      {"ssdp-all-first-only", "Q-70", "ssdp:all finds another device only",
       igd([](upnp_profile& how) { how.only_first_device_for_all = true; })},
      {"answers-as-v1", "Q-71", "a version 2 that answers searches as version 1",
       igd2([](upnp_profile& how) { how.answers_with_version = std::uint8_t{1}; })},
      {"multicast-only", "Q-73", "searches by unicast are not heard",
       igd([](upnp_profile& how) { how.searches = search_reach::multicast_only; })},
      {"unicast-only", "Q-73", "searches by multicast are not heard",
       igd([](upnp_profile& how) { how.searches = search_reach::unicast_only; })},
      {"odd-source-port", "Q-74", "searches are answered from another port",
       igd([](upnp_profile& how) { how.ssdp_source_port = 40'123; })},
      {"deaf-after-search", "Q-75", "after a search it hears nothing for a second",
       igd([](upnp_profile& how) { how.deaf_after_search = 1s; })},
      {"odd-spelling", "Q-78", "small letters, no spaces, bare line feeds",
       igd([](upnp_profile& how) {
         how.answer_style = {.names = message_style::letters::lower,
                             .space_after_colon = false,
                             .carriage_returns = false,
                             .final_line_end = false};
       })},
      {"many-answers", "Q-80", "each search is answered eight times",
       igd([](upnp_profile& how) { how.answer_copies = 8; })},
      {"notifies-as-v2", "Q-72", "announces itself as version 2, and answers as version 1",
       igd([](upnp_profile& how) { how.notifies_with_version = std::uint8_t{2}; })},
      {"slow-to-answer", "Q-77", "answers searches after nearly two seconds",
       igd([](upnp_profile& how) { how.answer_delay = 1'900ms; })},
      {"notify-only", "Q-82", "announces itself, and answers no search",
       useless_igd([](upnp_profile& how) { how.searches = search_reach::nowhere; })},
      {"leads-elsewhere", "Q-130", "answers searches with a neighbour's address",
       useless_igd([](upnp_profile& how) { how.location = "http://192.168.1.66:5000/root.xml"; })},
      {"moves", "Q-83", "another port and other paths after each restart, without a byebye",
       igd([](upnp_profile& how) {
         how.random_paths = true;
         how.says_byebye = false;
       })},
  };
}

std::vector<named_profile> description_profiles() {
  return {
      {"first-connection-dead", "Q-90", "two connections, the first is down",
       igd([](upnp_profile& how) {
         wan_connection dead{};
         dead.kind = wan_service::ppp;
         dead.up = false;
         how.connections.insert(how.connections.begin(), dead);
       })},
      {"no-mapping-service", "Q-92", "an IGD that maps nothing",
       useless_igd([](upnp_profile& how) { how.connections.clear(); })},
      {"dslforum", "Q-91", "names of the DSL forum",
       igd([](upnp_profile& how) { how.dslforum_names = true; })},
      {"poses-as-v1", "Q-94", "a version 2 that describes itself as version 1",
       igd2([](upnp_profile& how) { how.poses_as_v1 = true; })},
      {"url-base", "Q-95", "URLBase, and relative URLs", igd([](upnp_profile& how) {
         how.url_base = url_base_kind::present;
         how.control_urls = control_url_shape::relative;
       })},
      {"padded-urls", "Q-96", "white space around control URLs",
       igd([](upnp_profile& how) { how.control_urls = control_url_shape::padded; })},
      {"endless-urls", "Q-97", "control URLs longer than any is",
       useless_igd(
           [](upnp_profile& how) { how.control_url_text = "/" + std::string(4'000, 'c'); })},
      {"page-for-people", "Q-99", "a page for people instead of a description",
       useless_igd([](upnp_profile& how) { how.fault = description_fault::html; })},
      {"stray-bytes", "Q-98", "bytes that are no UTF-8",
       igd([](upnp_profile& how) { how.stray_bytes = true; })},
      {"odd-namespace", "Q-99", "a namespace that nobody defined",
       igd([](upnp_profile& how) { how.fault = description_fault::odd_namespace; })},
      {"odd-case", "Q-100", "prefixes, and elements in small letters", igd([](upnp_profile& how) {
         how.prefixed_elements = true;
         how.lower_case_elements = true;
         how.prefix = envelope_prefix::upper_case;
       })},
      {"endless-description", "Q-132", "a description of 300 KiB",
       useless_igd([](upnp_profile& how) {
         how.description_text = "<root><!--" + std::string(300UL * 1024, 'x') + "--></root>";
       })},
      {"bomb", "Q-134", "a description whose entities grow without end",
       useless_igd([](upnp_profile& how) { how.description_text = bomb(); })},
  };
}

std::vector<named_profile> soap_profiles() {
  return {
      {"odd-answers", "Q-101", "answers in a namespace that does not exist",
       igd([](upnp_profile& how) { how.wrong_response_namespace = true; })},
      {"strict-white-space", "Q-104", "no white space between the elements of an envelope",
       igd([](upnp_profile& how) { how.refuses_white_space = true; })},
      {"three-entities", "Q-105", "knows only three of XML's entities",
       igd([](upnp_profile& how) { how.entities = xml_entities::three; })},
      {"faults-with-200", "Q-109", "faults come with status 200",
       igd([](upnp_profile& how) { how.faults_with_200 = true; })},
      {"slow-server", "Q-110", "a web server that wants pauses", igd([](upnp_profile& how) {
         how.request_gap = 50ms;
         how.processing = 100ms;
       })},
      {"redirects-without-end", "Q-111", "each page leads to itself",
       useless_igd([](upnp_profile& how) { how.redirects_descriptions = "/rootDesc.xml"; })},
      {"hanging-server", "Q-133", "a web server that takes a minute for each answer",
       useless_igd([](upnp_profile& how) { how.processing = 1min; })},
  };
}

std::vector<named_profile> refusing_profiles() {
  return {
      {"no-queries", "Q-160", "entries cannot be asked for",
       igd([](upnp_profile& how) { how.missing_actions = {"GetSpecificPortMappingEntry"}; })},
      {"list-from-one", "Q-164", "its list of mappings counts from 1",
       igd([](upnp_profile& how) { how.list_counts_from_one = true; })},
      {"endless-list", "Q-164", "its list of mappings repeats the last one for ever",
       igd([](upnp_profile& how) { how.list_has_no_end = true; })},
      {"list-with-holes", "Q-164", "its list of mappings has holes, and ends with 501",
       igd([](upnp_profile& how) {
         how.list_has_holes = true;
         how.list_end_code = 501;
       })},
      {"odd-ranges", "Q-175 Q-184",
       "a range begins at 1, is everybody's whatever is asked, and listed escaped twice",
       igd2([](upnp_profile& how) {
         how.refuses_port_0_in_ranges = true;
         how.lists_are_escaped_twice = true;
         how.ignores_manage = true;
       })},
      {"no-any", "Q-160", "a version 2 without AddAnyPortMapping",
       igd2([](upnp_profile& how) { how.missing_actions = {"AddAnyPortMapping"}; })},
      {"catch-all", "Q-162", "501 for what is not there, and once for nothing at all",
       igd([](upnp_profile& how) {
         how.missing_entry_code = 501;
         how.refuses_adds_with = 501;
         how.refused_adds = 1;
       })},
      {"disables-behind-nat", "Q-152 Q-154", "501 and no address where its own is not public",
       igd([](upnp_profile& how) { how.private_wan_disables = true; })},
      {"shut-behind-nat", "Q-152 Q-154",
       "each protocol refuses in its own way where its own address is not public",
       with([](profile& how) {
         how.speaks_upnp = true;
         how.private_wan_disables = how.upnp.private_wan_disables = true;
       })},
      {"by-policy", "Q-35 Q-163", "the owner allows nobody",
       igd([](upnp_profile& how) { how.refuses_adds_with = 606; })},
      {"policy-as-conflict", "Q-168", "refusals by policy are called a conflict",
       igd([](upnp_profile& how) {
         how.refuses_low_ports = true;
         how.policy_refusals_are_718 = true;
       })},
      {"high-ports-only", "Q-163", "ports below 1024 are refused",
       igd([](upnp_profile& how) { how.refuses_low_ports = true; })},
      {"no-overwriting", "Q-168", "what is there is not replaced, also by its owner",
       igd([](upnp_profile& how) { how.no_overwriting = true; })},
      {"overwrites-anybody", "Q-182", "gives two hosts one port, one after the other",
       igd([](upnp_profile& how) { how.overwrites_anybody = true; })},
      {"same-ports", "Q-169", "both ports must be equal",
       igd([](upnp_profile& how) { how.same_ports_required = true; })},
      {"wants-remote-host", "Q-166", "mappings for one remote host only",
       igd([](upnp_profile& how) { how.refuses_adds_with = 715; })},
      {"misreads-port", "Q-167", "takes each external port for none",
       igd([](upnp_profile& how) { how.refuses_adds_with = 716; })},
      {"misreads-remote-host", "Q-171", "takes an empty remote host for one",
       igd([](upnp_profile& how) { how.refuses_adds_with = 726; })},
      {"all-ports-or-none", "Q-172", "forwards everything or nothing",
       igd([](upnp_profile& how) { how.refuses_adds_with = 727; })},
      {"no-room", "Q-173", "its table is full",
       igd([](upnp_profile& how) { how.refuses_adds_with = 728; })},
      {"other-mechanisms", "Q-174", "the first two ports are used by something else in it",
       igd([](upnp_profile& how) {
         how.refuses_adds_with = 729;
         how.refused_adds = 2;
       })},
  };
}

std::vector<named_profile> lease_profiles() {
  return {
      {"permanent-only-725", "Q-170", "leases are refused, as the standard says",
       igd([](upnp_profile& how) { how.leases = lease_policy::only_permanent_725; })},
      {"permanent-only-402", "Q-161", "leases are refused as invalid arguments",
       igd([](upnp_profile& how) { how.leases = lease_policy::only_permanent_402; })},
      {"finite-only", "Q-161", "permanent ones and more than a week are refused",
       igd([](upnp_profile& how) { how.leases = lease_policy::only_finite_402; })},
      {"finite-dropped", "Q-192", "leases are granted and not kept",
       igd([](upnp_profile& how) { how.leases = lease_policy::finite_is_dropped; })},
      {"zero-is-a-week", "Q-190", "leases are refused, and 0 is a week",
       igd2([](upnp_profile& how) { how.leases = lease_policy::only_permanent_725; })},
      {"any-port-moves", "Q-180", "AddAnyPortMapping gives another port each time",
       igd2([](upnp_profile& how) { how.any_port_moves = true; })},
      {"reserved-name", "Q-179", "AddAnyPortMapping does not name the port",
       igd2([](upnp_profile& how) { how.reserved_port_name = ""; })},
      {"lease-shown-as-zero", "Q-184", "entries say 0 for a lease that ends",
       igd([](upnp_profile& how) { how.shows_lease_as_zero = true; })},
      {"vendor-error", "Q-186", "one refusal with a number of its own", igd([](upnp_profile& how) {
         how.refuses_adds_with = -911;
         how.refused_adds = 1;
       })},
      {"forced-lease", "Q-191", "an hour, whatever was asked",
       igd([](upnp_profile& how) { how.forced_lease = 3'600; })},
      {"no-extension", "Q-193", "a repeated request does not extend the lease",
       igd([](upnp_profile& how) { how.refresh_does_not_extend = true; })},
      {"frozen-uptime", "Q-185", "its uptime never changes",
       igd([](upnp_profile& how) { how.uptime = 4'711; })},
      {"ignores-leases", "Q-191", "permanent, whatever was asked",
       igd([](upnp_profile& how) { how.forced_lease = 0; })},
      {"success-without-entry", "Q-210", "success, and no entry",
       igd([](upnp_profile& how) { how.success_without_entry = true; })},
  };
}

/// The IPv6 firewall of a version 2.
std::vector<named_profile> firewall_profiles() {
  return {
      {"no-ipv6-firewall", "Q-128", "a version 2 without WANIPv6FirewallControl",
       igd2([](upnp_profile& how) { how.ipv6_firewall = false; })},
      {"ipv6-firewall-off", "Q-126", "IPv6 passes unhindered, and pinholes are refused",
       igd2([](upnp_profile& how) { how.firewall_enabled = false; })},
      {"pinholes-forbidden", "Q-126 Q-129", "the owner allows no pinholes",
       igd2([](upnp_profile& how) { how.pinholes_allowed = false; })},
      {"pinholes-want-remote-host", "Q-123", "pinholes for one remote host only",
       igd2([](upnp_profile& how) { how.pinholes_need_remote_host = true; })},
      {"pinholes-stay", "Q-124", "pinholes cannot be deleted, only shortened",
       igd2([](upnp_profile& how) { how.refuses_pinhole_deletes_with = 606; })},
      {"pinholes-not-extended", "", "pinholes cannot be extended, only made again",
       igd2([](upnp_profile& how) { how.pinholes_are_not_extended = true; })},
      {"unknown-pinhole-402", "Q-125", "a number that is nobody's is Invalid Args",
       igd2([](upnp_profile& how) { how.missing_pinhole_code = 402; })},
  };
}

/// Events, and the connection's own settings; damson uses neither.
std::vector<named_profile> service_profiles() {
  return {
      {"no-events", "", "has no events to subscribe to",
       igd([](upnp_profile& how) { how.serves_events = false; })},
      {"events-to-anyone", "Q-139", "events go wherever a subscriber says",
       igd([](upnp_profile& how) { how.events_to_anyone = true; })},
      {"few-subscriptions", "", "one subscription at a time, for a minute",
       igd([](upnp_profile& how) {
         how.max_subscriptions = 1;
         how.event_timeout = 60s;
       })},
      {"guarded-connection", "", "nobody may change the connection itself",
       igd([](upnp_profile& how) { how.guards_connection = true; })},
  };
}

std::vector<named_profile> all_profiles() {
  std::vector<named_profile> out;
  for (auto&& group :
       {plain_profiles(), pcp_profiles(), pcp_option_profiles(), nat_pmp_profiles(),
        discovery_profiles(), description_profiles(), soap_profiles(), refusing_profiles(),
        lease_profiles(), firewall_profiles(), service_profiles()}) {
    out.insert(out.end(), group.begin(), group.end());
  }
  return out;
}

/// How many letters have to be put in, taken out or replaced to make one of the other.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// "natpmp" is meant for "nat-pmp".
std::string without_hyphens(std::string_view name) {
  std::string out{name};
  std::erase(out, '-');
  return out;
}

}  // namespace

std::span<const named_profile> profiles() {
  static const std::vector<named_profile> all = all_profiles();
  return all;
}

const named_profile* find_profile(std::string_view name) {
  const auto all = profiles();
  const auto found = std::ranges::find(all, name, &named_profile::name);
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string_view> similar_profiles(std::string_view name) {
  const std::string wanted = without_hyphens(name);
  std::vector<std::pair<std::size_t, std::string_view>> ranked;
  for (const auto& each : profiles()) {
    // What holds the whole word is meant more often than what is one letter away from it.
    const std::string there = without_hyphens(each.name);
    const bool holds = !wanted.empty() && there.find(wanted) != std::string::npos;
    ranked.emplace_back(holds ? 0 : edit_distance(wanted, there), each.name);
  }
  std::ranges::stable_sort(ranked, {}, &std::pair<std::size_t, std::string_view>::first);
  std::vector<std::string_view> out;
  for (const auto& [distance, each] : ranked | std::views::take(3)) out.push_back(each);
  return out;
}

}  // namespace damson::sim
