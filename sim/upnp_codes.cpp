#include "sim/upnp_codes.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace damson::sim {

namespace {

struct entry {
  int code;
  std::string_view text;
};

constexpr std::array firewall{
    entry{701, "PinholeSpaceExhausted"},
    entry{702, "FirewallDisabled"},
    entry{703, "InboundPinholeNotAllowed"},
    entry{704, "NoSuchEntry"},
    entry{705, "ProtocolNotSupported"},
    entry{706, "InternalPortWildcardingNotAllowed"},
    entry{707, "ProtocolWildcardingNotAllowed"},
    entry{708, "WildCardNotPermittedInSrcIP"},
    entry{709, "NoTrafficReceived"},
};

constexpr std::array others{
    entry{401, "Invalid Action"},
    entry{402, "Invalid Args"},
    entry{501, "Action Failed"},
    entry{602, "Optional Action Not Implemented"},
    entry{605, "String Argument Too Long"},
    entry{606, "Action not authorized"},
    entry{703, "InactiveConnectionStateRequired"},
    entry{704, "ConnectionSetupFailed"},
    entry{710, "InvalidConnectionType"},
    entry{711, "ConnectionAlreadyTerminated"},
    entry{713, "SpecifiedArrayIndexInvalid"},
    entry{714, "NoSuchEntryInArray"},
    entry{715, "WildCardNotPermittedInSrcIP"},
    entry{716, "WildCardNotPermittedInExtPort"},
    entry{718, "ConflictInMappingEntry"},
    entry{723, "InvalidConnServiceSelection"},
    entry{724, "SamePortValuesRequired"},
    entry{725, "OnlyPermanentLeasesSupported"},
    entry{726, "RemoteHostOnlySupportsWildcard"},
    entry{727, "ExternalPortOnlySupportsWildcard"},
    entry{728, "NoPortMapsAvailable"},
    entry{729, "ConflictWithOtherMechanisms"},
    entry{730, "PortMappingNotFound"},
    entry{732, "WildCardNotPermittedInIntPort"},
    entry{733, "InconsistentParameters"},
};

}  // namespace

std::string_view upnp_error_text(std::string_view service_kind, int code) {
  const auto find = [code](std::span<const entry> in) {
    const auto found = std::ranges::find(in, code, &entry::code);
    return found == in.end() ? std::string_view{} : found->text;
  };
  if (service_kind == "WANIPv6FirewallControl") {
    if (const auto text = find(firewall); !text.empty()) return text;
  }
  const auto text = find(others);
  return text.empty() ? "Failed" : text;
}

}  // namespace damson::sim
