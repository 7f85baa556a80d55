#include "advice.hpp"

#include <algorithm>

namespace damson::cli {
namespace {

struct words {
  std::string_view name;
  std::string_view advice;
};

// A switch without a default: the compiler says which enumerator was forgotten.
words words_for(errc code) noexcept {
  switch (code) {
    case errc::no_gateway:
      return {"no_gateway", "connect this host to a router, or name one with --gateway ADDRESS"};
    case errc::network_down:
      return {"network_down", "check this host's network and firewall, or --gateway ADDRESS"};
    case errc::port_closed:
      return {"port_closed",
              "switch on UPnP, PCP or NAT-PMP in the router's settings, or --gateway ADDRESS"};
    case errc::no_answer:
      return {"no_answer",
              "check that the router is on, or switch on UPnP, PCP or NAT-PMP in its settings"};
    case errc::version_refused:
      return {"version_refused", "--protocol any, or newer firmware for the router"};
    case errc::not_supported:
      return {"not_supported", "--protocol any, or newer firmware for the router"};
    case errc::not_authorized:
      return {"not_authorized",
              "allow this host and port in the router's settings, or another --external PORT"};
    case errc::malformed_request:
      return {"malformed_request", "another --protocol; -vv shows what was asked"};
    case errc::network_failure:
      return {
          "network_failure",
          "check that the router is online and has a public address; behind another router or a "
          "carrier's NAT that one decides"};
    case errc::no_resources:
      return {"no_resources", "another --external PORT, or delete old mappings on the router"};
    case errc::quota_exceeded:
      return {"quota_exceeded", "delete other mappings of this host, or raise the router's quota"};
    case errc::external_not_available:
      return {"external_not_available",
              "another --external PORT, the same one as inside, or leave the choice to the router"};
    case errc::address_mismatch:
      return {
          "address_mismatch",
          "--gateway ADDRESS of the router next to this host, without a VPN or container network "
          "in between"};
    case errc::lease_not_supported:
      return {"lease_not_supported",
              "the same without --no-permanent; it then stays until it is deleted"};
    case errc::unusable_answer:
      return {"unusable_answer", "another --protocol, or newer firmware for the router"};
    case errc::lease_expired:
      return {"lease_expired", "the same again once the router answers, or a longer --lifetime"};
    case errc::gateway_restarted:
      return {"gateway_restarted", "the same again in a few seconds"};
    case errc::mapping_gone:
      return {"mapping_gone", "the same again; something else may be deleting it"};
    case errc::network_changed:
      return {"network_changed", "the same again"};
    case errc::protocol_excluded:
      return {"protocol_excluded", "--protocol any"};
    case errc::not_tried:
      return {"not_tried", "--protocol any"};
    case errc::timed_out:
      return {"timed_out", "a longer --timeout, or --gateway ADDRESS"};
    case errc::invalid_argument:
      return {"invalid_argument", "damson map --help"};
    case errc::already_mapped:
      return {"already_mapped", "another PORT"};
    case errc::limit_reached:
      return {"limit_reached", "fewer mappings at a time"};
    case errc::busy:
      return {"busy", "the same again"};
    case errc::closed:
      return {"closed", "the same again"};
  }
  return {};
}

constexpr std::string_view ask_provider =
    "ask the provider for a public IPv4 address, or use a relay";
constexpr std::string_view check_uplink = "check how the router is connected to the internet";

/// Of a router that maps nothing because its own address is not public.
std::string_view advice_for_closed_router(address_class outside) noexcept {
  switch (outside) {
    case address_class::private_address:
      return "bridge mode on the router in front, or this router as an access point only";
    case address_class::carrier_nat:
      return ask_provider;
    case address_class::reserved:
      return check_uplink;
    case address_class::public_address:
    case address_class::unknown:
      break;
  }
  return advice_for(errc::network_failure);
}

/// Whether nobody said a word, so that there may be no router at that address.
bool is_all_silence(const failure& why) {
  const auto is_silent = [](errc reason) {
    return reason == errc::no_answer || reason == errc::network_down || reason == errc::not_tried;
  };
  return why.protocols.empty()
             ? is_silent(why.reason)
             : std::ranges::all_of(why.protocols, is_silent, &protocol_failure::reason);
}

std::string_view names_of(protocol_filter asked) noexcept {
  switch (asked) {
    case protocol_filter::any:
      return "UPnP, PCP or NAT-PMP";
    case protocol_filter::pcp:
      return "PCP or NAT-PMP";
    case protocol_filter::upnp:
      return "UPnP";
    case protocol_filter::pcp_only:
      return "PCP";
    case protocol_filter::nat_pmp_only:
      return "NAT-PMP";
  }
  return {};
}

/// Nobody there spoke what was asked for.
std::string advice_for_nobody(const failure& why, protocol_filter asked, bool is_named) {
  const std::string others{asked == protocol_filter::any ? "" : "--protocol any, "};
  const std::string switch_on = "switch on " + std::string{names_of(asked)};
  if (is_all_silence(why) && is_named) {
    return others + "check that --gateway is a router's address and that it is on, or " +
           switch_on + " in its settings";
  }
  if (is_all_silence(why)) {
    return others + "check that the router is on, or " + switch_on +
           " in its settings, or --gateway ADDRESS";
  }
  return others + switch_on + " in the router's settings, or " + (is_named ? "another " : "") +
         "--gateway ADDRESS";
}

}  // namespace

std::string_view name_of(errc code) noexcept { return words_for(code).name; }

std::string_view advice_for(errc code) noexcept { return words_for(code).advice; }

std::string advice_for(const failure& why, protocol_filter asked, bool is_named) {
  switch (why.reason) {
    case errc::no_answer:
    case errc::port_closed:
      return advice_for_nobody(why, asked, is_named);
    case errc::network_down:
      return is_named ? "check that --gateway is a router's address and that it is on, or this "
                        "host's network and firewall"
                      : std::string{advice_for(why.reason)};
    case errc::timed_out:
      return is_named && is_all_silence(why)
                 ? "a longer --timeout, or check that --gateway is a router's address and that it "
                   "is on"
                 : std::string{advice_for(why.reason)};
    case errc::network_failure:
      return std::string{advice_for_closed_router(why.external_class())};
    case errc::version_refused:
    case errc::not_supported:
      return asked == protocol_filter::any ? "newer firmware for the router"
                                           : std::string{advice_for(why.reason)};
    default:
      return std::string{advice_for(why.reason)};
  }
}

std::string predicament_of(const ip_address& outside) {
  const std::string said = "the router's own outside address is " + to_string(outside);
  switch (classify(outside)) {
    case address_class::private_address:
      return "double NAT: " + said + ", private (RFC 1918), so another router is in front of it";
    case address_class::carrier_nat:
      return "carrier NAT: " + said + ", from behind the provider's own NAT (RFC 6598)";
    case address_class::reserved:
      return said + ", which is reserved and leads nowhere";
    case address_class::public_address:
    case address_class::unknown:
      break;
  }
  return {};
}

std::string advice_for_open_port(damson::transport transport, const endpoint& external,
                                 bool is_upstream_asked) {
  switch (classify(external.address)) {
    case address_class::private_address:
      return (is_upstream_asked ? "" : "--upstream ADDRESS of the router in front, or ") +
             std::string{"forward "} + std::string{to_string(transport)} + " port " +
             std::to_string(external.port) + " to " + to_string(external.address) +
             (is_upstream_asked ? " on the router in front" : " there");
    case address_class::carrier_nat:
      return std::string{ask_provider};
    case address_class::reserved:
      return std::string{check_uplink};
    case address_class::public_address:
    case address_class::unknown:
      break;
  }
  return {};
}

std::string_view advice_for_unseen_address() noexcept {
  return "--upstream ADDRESS where the NAT in between is another router of yours, else ask the "
         "provider for a public IPv4 address";
}

std::string_view explanation_of(const protocol_failure& tried) noexcept {
  const bool found_no_device =
      tried.protocol == protocol::upnp && tried.server.address.is_unspecified();
  switch (tried.reason) {
    case errc::not_tried:
      return "it was not asked";
    case errc::no_answer:
      return found_no_device ? "no device answered the search" : describe(tried.reason);
    case errc::not_supported:
      return found_no_device ? "no device that answered can map ports" : describe(tried.reason);
    case errc::unusable_answer:
      return found_no_device ? "no device that answered made sense" : describe(tried.reason);
    default:
      return describe(tried.reason);
  }
}

}  // namespace damson::cli
