#pragma once

/// When to send a request again, and when to stop waiting for its answer.

#include <array>
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

inline constexpr std::array<std::chrono::milliseconds, 5> first_contact_tries{
    {std::chrono::milliseconds{0}, std::chrono::milliseconds{250}, std::chrono::milliseconds{750},
     std::chrono::milliseconds{1'750}, std::chrono::milliseconds{3'750}}};

/// A router that has not answered yet. A person waits for it, so it is denser than RFC 6887 section
/// 8.1.1 has it, which starts at 3 s.
inline constexpr retransmit_schedule first_contact{.tries = first_contact_tries,
                                                   .answer_by = std::chrono::milliseconds{4'000}};

/// Deletes, within the release bound: the first three tries of a first contact.
inline constexpr retransmit_schedule release{.tries = std::span{first_contact_tries}.first<3>(),
                                             .answer_by = std::chrono::milliseconds{2'000}};

inline constexpr std::array<std::chrono::milliseconds, 3> renewal_tries{
    {std::chrono::milliseconds{0}, std::chrono::milliseconds{3'000},
     std::chrono::milliseconds{9'000}}};

/// Renewals, in no hurry: a good part of the lease is left, and more renewal points come.
inline constexpr retransmit_schedule renewal{.tries = renewal_tries,
                                             .answer_by = std::chrono::milliseconds{12'000}};

}  // namespace schedules

/// One request's tries. A value; it sends nothing and holds no timer.
///
///     if (now >= tries.gives_up_at()) give_up();
///     if (const auto at = tries.next_try(); at && now >= *at) {
///       send();
///       tries.tried(now, random);
///     }
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
