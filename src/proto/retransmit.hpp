#pragma once

/// When to send a request again, and when to stop waiting for its answer.

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include <damson/types.hpp>

#include "base/random.hpp"

namespace damson {

/// Which tries to make, counted from the start, and when to give up.
struct retransmit_schedule {
  std::span<const std::chrono::milliseconds> tries;  ///< the first is 0
  std::chrono::milliseconds answer_by;
};

namespace schedules {

/// A router that has not answered yet: a person waits for it, so it is denser than RFC 6887 section
/// 8.1.1 has it, which starts at 3 s.
extern const retransmit_schedule first_contact;  // 0, 250, 750, 1750, 3750 ms; 4 s

/// Deletes, within the release bound.
extern const retransmit_schedule release;  // 0, 250, 750 ms; 2 s

/// Renewals, in no hurry: the lease has a third of its time left.
extern const retransmit_schedule renewal;  // 0, 3, 9 s; 12 s

}  // namespace schedules

/// One request's tries. A value; it sends nothing and holds no timer.
///
///     if (now >= tries.gives_up_at()) give_up();
///     if (now >= tries.next_try()) { send(); tries.tried(now, random); }
class retransmit {
 public:
  /// The first try is due at `start`.
  retransmit(const retransmit_schedule& schedule, time_point start) noexcept;

  /// When to send next; empty when `gives_up_at()` comes first or the schedule is used up.
  std::optional<time_point> next_try() const noexcept;

  /// A try has just been made. The gap to the next one counts from now, so a host that was late (or
  /// asleep) does not send the missed ones in a burst.
  void tried(time_point now, random_source& random) noexcept;

  /// Something of the router was heard: waits until `until` instead, and goes on after the schedule
  /// with the tries of RFC 6887 section 8.1.1: 3 s after the last one, doubling to 1024 s, each gap
  /// random within 10 %. Never shortens the wait.
  void extend(time_point until) noexcept;

  /// No further try will be made.
  bool exhausted() const noexcept { return !next_try(); }
  /// Tries made.
  std::size_t tries() const noexcept { return tries_; }
  time_point gives_up_at() const noexcept { return gives_up_at_; }

 private:
  std::span<const std::chrono::milliseconds> schedule_;
  time_point next_;
  time_point gives_up_at_;
  std::size_t tries_ = 0;
  std::chrono::nanoseconds last_gap_{};  ///< of the RFC's tries; 0 before the first
  bool extended_ = false;
};

}  // namespace damson
