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

}  // namespace damson::cli
