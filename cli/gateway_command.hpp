#pragma once

#include "arguments.hpp"

namespace damson::cli {

/// Is a router, or lists the kinds of routers that it can be, until a signal comes. Returns the
/// exit code.
int run_gateway(const gateway_arguments& arguments);

}  // namespace damson::cli
