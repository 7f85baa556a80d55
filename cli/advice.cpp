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
              "switch on PCP or NAT-PMP in the router's settings, or --gateway ADDRESS"};
    case errc::no_answer:
      return {"no_answer",
              "switch on PCP or NAT-PMP in the router's settings, or --gateway ADDRESS"};
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
              "another --external PORT, or leave the choice to the router"};
    case errc::address_mismatch:
      return {
          "address_mismatch",
          "--gateway ADDRESS of the router next to this host, without a VPN or container network "
          "in between"};
    case errc::unusable_answer:
      return {"unusable_answer", "another --protocol, or newer firmware for the router"};
    case errc::lease_expired:
      return {"lease_expired", "the same again once the router answers, or a longer --lifetime"};
    case errc::gateway_restarted:
      return {"gateway_restarted", "the same again in a few seconds"};
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

bool is_missing_here(const protocol_failure& tried) noexcept {
  return tried.protocol == protocol::upnp && tried.reason == errc::not_supported;
}

}  // namespace

std::string_view name_of(errc code) noexcept { return words_for(code).name; }

std::string_view advice_for(errc code) noexcept { return words_for(code).advice; }

std::string_view advice_for(const failure& why) noexcept {
  const bool lacking = why.reason == errc::not_supported && !why.protocols.empty() &&
                       std::ranges::all_of(why.protocols, is_missing_here);
  return lacking ? "--protocol any" : advice_for(why.reason);
}

std::string_view explanation_of(const protocol_failure& tried) noexcept {
  if (is_missing_here(tried)) {
    return "this version of damson does not speak UPnP";
  }
  return describe(tried.reason);
}

}  // namespace damson::cli
