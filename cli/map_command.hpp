#pragma once

#include "arguments.hpp"

namespace damson::cli {

/// Opens the port, tells what happens to it, and gives it back on SIGINT, SIGTERM or SIGHUP.
/// Returns the exit code.
int run_map(const map_arguments& arguments);

}  // namespace damson::cli
