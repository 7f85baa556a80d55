#include "proto/retransmit.hpp"

#include <algorithm>

namespace damson {
namespace {

// RFC 6887 section 8.1.1.
constexpr std::chrono::nanoseconds initial_retransmission_time = std::chrono::seconds{3};
constexpr std::chrono::nanoseconds maximum_retransmission_time = std::chrono::seconds{1'024};

/// The gap after one of `last` (0: there was none), random within a tenth.
std::chrono::nanoseconds next_gap(std::chrono::nanoseconds last, random_source& random) noexcept {
  const std::chrono::nanoseconds middle = last.count() == 0
                                              ? initial_retransmission_time
                                              : std::min(2 * last, maximum_retransmission_time);
  return random.uniform_duration(middle - middle / 10, middle + middle / 10);
}

}  // namespace

retransmit::retransmit(const retransmit_schedule& schedule, time_point start) noexcept
    : schedule_(schedule.tries), next_(start), gives_up_at_(start + schedule.answer_by) {}

std::optional<time_point> retransmit::next_try() const noexcept {
  const bool used_up = tries_ >= schedule_.size() && !extended_;
  if (used_up || next_ >= gives_up_at_) return std::nullopt;
  return next_;
}

void retransmit::tried(time_point now, random_source& random) noexcept {
  ++tries_;
  if (tries_ < schedule_.size()) {
    next_ = now + (schedule_[tries_] - schedule_[tries_ - 1]);
    return;
  }
  // Drawn also when nobody has asked for an extension yet: it may come while the last try is
  // waiting.
  last_gap_ = next_gap(last_gap_, random);
  next_ = now + last_gap_;
}

void retransmit::extend(time_point until) noexcept {
  if (until <= gives_up_at_) return;
  gives_up_at_ = until;
  extended_ = true;
}

}  // namespace damson
