#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <damson/engine.hpp>
#include <damson/error.hpp>
#include <damson/options.hpp>
#include <damson/types.hpp>

namespace damson::cli {

/// One event and what surrounds it.
struct report {
  mapping_event event;
  /// What was last told before it; `changed` only.
  mapping_info before;
  /// What the event brought to its end: the wait for the port (from the request, or from the loss),
  /// the giving back, or for `changed` and `lost` the time since what was told before.
  std::chrono::nanoseconds elapsed{};
  /// `mapped`, regained: there was no loss, but the router was out of reach.
  bool was_never_lost = false;
};

/// The port could not be opened.
struct map_failure {
  map_request request;
  std::optional<ip_address> gateway;  ///< as the user named it
  failure why;
  /// Of which part, and by which way out it was tried; only the port where that is not known.
  mapping_info where{};
  /// It is tried again.
  bool is_waiting = false;
  /// Nothing went wrong: a signal came first. `why` means nothing then.
  bool interrupted = false;
  std::chrono::nanoseconds elapsed{};
};

// Every function returns one line without its end, made of our own words, numbers and addresses;
// text from the network never is among them.

/// For people.
std::string human_line(const report& what);
/// For people, on standard error: what happened, where, and what to try.
std::string human_line(const map_failure& what);
/// For people, on standard error: why nobody may come through to a port that is open; empty where
/// nothing speaks against it. `why`: the router beyond the first one did not open it too.
std::string warning_line(const mapping_info& open, const failure& why);
/// For people, on standard error: the internet sees this host under another address than the router
/// says; empty where it does not, or where one of them is not known.
std::string seen_line(const mapping_info& open);
/// For people, on standard error: the router lets everybody in, though peers were named.
std::string unfiltered_line(const mapping_info& open);
/// How one protocol fared.
std::string human_line(const protocol_report& of);

/// For programs: one JSON object.
std::string json_line(const report& what);
std::string json_line(const map_failure& what);

}  // namespace damson::cli
