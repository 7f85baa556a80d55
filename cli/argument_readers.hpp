#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include <damson/options.hpp>
#include <damson/types.hpp>

namespace damson::cli {

/// What is wrong with one value; becomes the one line that the user sees.
struct bad_value : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Each throws `bad_value`.

/// 1..65535; `what` is its name in the message.
std::uint16_t read_port(std::string_view what, std::string_view text);
/// "tcp" or "udp".
transport read_transport(std::string_view text);
/// A router's address of the family that is asked for; `name` is the option.
ip_address read_router(const std::string& name, std::string_view text, ip_families families);

/// An option, or an argument, with a value that is not empty.
CLI::Option* add_value(CLI::App& app, const std::string& name, std::string& value,
                       const std::string& argument, const std::string& help);

}  // namespace damson::cli
