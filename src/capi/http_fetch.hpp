#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include <damson/types.hpp>

namespace damson::capi {

/// The longest file that is taken, in bytes.
inline constexpr std::size_t longest_file = 65'536;

/// One file of a web server.
struct web_file {
  endpoint server;
  std::string host;    ///< for the server to know which of its sites is meant
  std::string target;  ///< from the slash on
};

/// Gets the file, or nothing: where the server cannot be reached, answers anything but 200 (no
/// redirect is followed), or more than `longest_file`, or takes longer than `deadline`. Blocks.
std::optional<std::string> fetch_file(const web_file& what,
                                      std::chrono::steady_clock::time_point deadline);

}  // namespace damson::capi
