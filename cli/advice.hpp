#pragma once

#include <string>
#include <string_view>

#include <damson/error.hpp>
#include <damson/options.hpp>

namespace damson::cli {

/// The enumerator's own name, for programs that read the output: "no_gateway", …; empty for a value
/// that is none.
std::string_view name_of(errc code) noexcept;

/// What the user can try, in the words that follow "Try: ", without a full stop; empty for a value
/// that is none.
std::string_view advice_for(errc code) noexcept;
/// The same for everything that is known. `is_named`: the user named the router's address.
std::string advice_for(const failure& why, protocol_filter asked, bool is_named);

/// What is wrong with an outside address to which the internet does not lead: "double NAT: …";
/// empty where it is public, or nobody told it.
std::string predicament_of(const ip_address& outside);
/// What the user of a port that is open at such an address can try; empty likewise.
/// `is_upstream_asked`: the router beyond is named already.
std::string advice_for_open_port(damson::transport transport, const endpoint& external,
                                 bool is_upstream_asked);

/// What the user can try where the internet sees another address than the router says.
std::string_view advice_for_unseen_address() noexcept;

/// What one protocol met: `describe` of the reason, unless more can be said.
std::string_view explanation_of(const protocol_failure& tried) noexcept;

}  // namespace damson::cli
