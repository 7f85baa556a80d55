#pragma once

#include "router_arguments.hpp"

namespace damson::cli {

/// `damson list`, `status`, `delete` and `delete-range`; returns the exit code.
int run_router_question(const router_arguments& arguments);

}  // namespace damson::cli
