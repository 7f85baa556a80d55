#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <damson/options.hpp>
#include <damson/types.hpp>

#include "router_arguments.hpp"

namespace damson::cli {

/// `damson map`
struct map_arguments {
  map_request request;
  std::optional<ip_address> gateway;
  std::optional<ip_address> upstream;
  std::optional<endpoint> stun_server;
  std::vector<ip_address> pcp_servers;
  bool events = false;
  bool once = false;
  bool wait = false;
  bool json = false;
  log_level level = log_level::warning;
};

/// `damson demo`
struct demo_arguments {
  log_level level = log_level::warning;
};

/// `damson gateway`
struct gateway_arguments {
  std::string profile = "all";
  bool list_profiles = false;
  std::optional<ip_address> listen;
  /// Empty: the router's default. Within it, empty: no uplink.
  std::optional<std::optional<ip_address>> public_address;
  std::string control;
  std::uint16_t mapping_port = 5351;
  std::uint16_t http_port = 5000;
  std::optional<std::chrono::seconds> lease;
  bool multicast = true;
  bool json = false;
};

/// Help or the version was asked for: text for standard output, with its last line end.
struct text_to_print {
  std::string text;
};

/// The command line makes no sense: one line for standard error, without a line end.
struct usage_error {
  std::string line;
};

using command = std::variant<map_arguments, demo_arguments, gateway_arguments, router_arguments,
                             text_to_print, usage_error>;

/// Reads the command line, without the program's name. `damson_verbose` is the environment variable
/// of that name: anything but nothing and "0" makes the library's log at least `debug`.
command parse_arguments(std::span<const std::string> words, std::string_view damson_verbose);

}  // namespace damson::cli
