#pragma once

/// A whole life of one client, made out of one number: trouble of every kind, then healing, then
/// what must hold. The same number gives the same life.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sim/profiles.hpp"

namespace damson::sim {

struct soak_settings {
  std::uint64_t seed = 1;
  /// Of trouble; healing takes hours more. Empty: the seed decides between an hour at most, in
  /// which something happens every minute, and a year with something every other day. More than a
  /// day is lived like a year.
  std::optional<std::chrono::seconds> trouble{};
  /// Null: the seed picks one.
  const named_profile* router = nullptr;
  bool keeps_transcript = false;
  /// Breaks at the end of the trouble, whatever it was like: to see what is shown of that.
  bool breaks = false;
  /// What this thread has allocated and not freed; null: nobody watches it. A transcript takes as
  /// much as it takes, so it is not watched then.
  std::int64_t (*live_bytes)() = nullptr;
};

struct soak_outcome {
  std::string router;  ///< the name of its profile
  std::chrono::nanoseconds simulated{};
  std::uint64_t trace_hash = 0;       ///< of every packet, exchange and event with its time
  std::uint64_t happenings = 0;       ///< packets, exchanges and events
  std::optional<std::string> broken;  ///< what did not hold
  /// Broken: the last fifty lines of the transcript, without those that nobody heard.
  std::string last_lines;
  std::string transcript;  ///< all of it, where it was asked for
};

/// Never throws: an exception is a broken invariant too.
soak_outcome live(const soak_settings& how);

}  // namespace damson::sim
