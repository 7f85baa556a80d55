#pragma once

#include <string_view>

#include <damson/error.hpp>

namespace damson::cli {

/// The enumerator's own name, for programs that read the output: "no_gateway", …; empty for a value
/// that is none.
std::string_view name_of(errc code) noexcept;

/// What the user can try, in the words that follow "Try: ", without a full stop; empty for a value
/// that is none.
std::string_view advice_for(errc code) noexcept;
/// The same for everything that is known: what this version lacks no router can change.
std::string_view advice_for(const failure& why) noexcept;

/// `describe` of the reason, except that UPnP is what this version lacks and not the router.
std::string_view explanation_of(const protocol_failure& tried) noexcept;

}  // namespace damson::cli
