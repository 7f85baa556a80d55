#include "router_control.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "gateway_output.hpp"
#include "text.hpp"

namespace damson::cli {
namespace {

using words = std::span<const std::string>;

/// Becomes the reply's error.
struct bad_command : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::uint16_t read_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port == 0) {
    throw bad_command("a port must be a whole number from 1 to 65535, not '" + printable(text) +
                      "'");
  }
  return port;
}

transport read_transport(std::string_view text) {
  for (const transport each : {transport::tcp, transport::udp}) {
    if (text == to_string(each)) {
      return each;
    }
  }
  throw bad_command("the transport must be tcp or udp, not '" + printable(text) + "'");
}

ip_address read_address(std::string_view text) {
  const auto address = ip_address::parse(text);
  if (!address || !address->is_v4()) {
    throw bad_command("an address must be IPv4, such as 203.0.113.9, not '" + printable(text) +
                      "'");
  }
  return *address;
}

endpoint read_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    throw bad_command("a host's port must be ADDRESS:PORT, not '" + printable(text) + "'");
  }
  return {read_address(text.substr(0, colon)), read_port(text.substr(colon + 1))};
}

test_router::service read_service(std::string_view text) {
  using enum test_router::service;
  for (const test_router::service each : {mapping, search, web}) {
    if (text == to_string(each)) {
      return each;
    }
  }
  throw bad_command("the service must be mapping, search or web, not '" + printable(text) + "'");
}

std::string serve(test_router& router, words rest, bool serving) {
  router.set_serving(read_service(rest[0]), serving);
  return json_status(router);
}

std::string plug(test_router& router, bool plugged) {
  router.set_plugged(plugged);
  return json_status(router);
}

std::string reboot(test_router& router, words rest) {
  if (!rest.empty() && rest[0] != "keep") {
    throw bad_command("reboot takes nothing or 'keep', not '" + printable(rest[0]) + "'");
  }
  router.reboot(!rest.empty());
  return json_status(router);
}

std::string set_address(test_router& router, words rest) {
  router.set_public_address(rest[0] == "none" ? std::nullopt
                                              : std::optional{read_address(rest[0])});
  return json_status(router);
}

std::string set_profile(test_router& router, words rest) {
  router.set_profile(rest[0]);
  return json_status(router);
}

std::string forget(test_router& router, words rest) {
  if (rest.size() == 1 && rest[0] == "all") {
    router.forget_all();
  } else if (rest.size() == 1) {
    throw bad_command("forget needs 'all', or a transport and an external port");
  } else if (!router.forget(read_transport(rest[0]), read_port(rest[1]))) {
    throw bad_command("there is no mapping of " + rest[0] + " " + rest[1]);
  }
  return json_mappings(router.mappings());
}

std::string occupy(test_router& router, words rest) {
  router.occupy(read_transport(rest[0]), read_port(rest[1]), read_endpoint(rest[2]));
  return json_mappings(router.mappings());
}

struct command_row {
  std::string_view name;
  std::string_view arguments;
  std::size_t least;  ///< words after the name
  std::size_t most;
  std::string (*run)(test_router&, words rest);
};

std::string help(test_router& router, words rest);

constexpr std::array commands{
    command_row{"status", "", 0, 0, [](test_router& r, words) { return json_status(r); }},
    command_row{"mappings", "", 0, 0,
                [](test_router& r, words) { return json_mappings(r.mappings()); }},
    command_row{"complaints", "", 0, 0,
                [](test_router& r, words) { return json_list("complaints", r.complaints()); }},
    command_row{"traffic", "", 0, 0,
                [](test_router& r, words) { return json_traffic(r.traffic()); }},
    command_row{"reboot", "[keep]", 0, 1, reboot},
    command_row{"address", "ADDRESS|none", 1, 1, set_address},
    command_row{"profile", "NAME", 1, 1, set_profile},
    command_row{"stop", "mapping|search|web", 1, 1,
                [](test_router& r, words rest) { return serve(r, rest, false); }},
    command_row{"start", "mapping|search|web", 1, 1,
                [](test_router& r, words rest) { return serve(r, rest, true); }},
    command_row{"unplug", "", 0, 0, [](test_router& r, words) { return plug(r, false); }},
    command_row{"plug", "", 0, 0, [](test_router& r, words) { return plug(r, true); }},
    command_row{"forget", "tcp|udp PORT, or all", 1, 2, forget},
    command_row{"occupy", "tcp|udp PORT ADDRESS:PORT", 3, 3, occupy},
    command_row{"help", "", 0, 0, help},
};

std::string usage(const command_row& row) {
  return std::string{row.name} + (row.arguments.empty() ? "" : " ") + std::string{row.arguments};
}

std::string help(test_router& /*router*/, words /*rest*/) {
  std::vector<std::string> all;
  all.reserve(commands.size());
  for (const command_row& row : commands) {
    all.push_back(usage(row));
  }
  return json_list("commands", all);
}

std::vector<std::string> split(std::string_view line) {
  constexpr std::string_view blanks = " \t\r";
  std::vector<std::string> out;
  for (std::size_t begin = 0;
       (begin = line.find_first_not_of(blanks, begin)) != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(blanks, begin), line.size());
    out.emplace_back(line.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

std::string run_command(test_router& router, const std::vector<std::string>& all) {
  if (all.empty()) {
    throw bad_command("the line is empty; try 'help'");
  }
  const auto* const row = std::ranges::find(commands, all.front(), &command_row::name);
  if (row == commands.end()) {
    throw bad_command("there is no command '" + printable(all.front()) + "'; try 'help'");
  }
  const words rest = words{all}.subspan(1);
  if (rest.size() < row->least || rest.size() > row->most) {
    throw bad_command("the command is: " + usage(*row));
  }
  return row->run(router, rest);
}

}  // namespace

std::string obey(test_router& router, std::string_view line) {
  try {
    return run_command(router, split(line));
  } catch (const std::exception& error) {
    return json_error(error.what());
  }
}

}  // namespace damson::cli
