#pragma once

#include <optional>

#include <damson/options.hpp>
#include <damson/router.hpp>
#include <damson/types.hpp>

namespace damson::cli {

/// `damson list`, `damson status`, `damson delete` and `damson delete-range`
struct router_arguments {
  router_question question;
  std::optional<ip_address> gateway;
  bool json = false;
  log_level level = log_level::warning;
};

}  // namespace damson::cli
