#pragma once

#include <string>
#include <string_view>

#include <damson/testing.hpp>

namespace damson::cli {

/// One command for a simulated router, as the control socket reads it: words with spaces between.
/// Returns the reply, a JSON object on one line without its end: {"ok":true, …}, or
/// {"ok":false,"error":"…"} when nothing has changed.
std::string obey(test_router& router, std::string_view line);

}  // namespace damson::cli
