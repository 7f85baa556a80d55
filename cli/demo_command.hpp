#pragma once

#include "arguments.hpp"

namespace damson::cli {

/// Opens a port on a simulated router on a loopback address, restarts the router, gives the port
/// back, and shows the router's table all along. Returns the exit code: 0 only when all of it went
/// as it should.
int run_demo(const demo_arguments& arguments);

}  // namespace damson::cli
