#include "proto/igd_mapping.hpp"

#include <array>
#include <utility>

#include "base/check.hpp"

namespace damson {
namespace {

using std::chrono::seconds;

constexpr unsigned most_actions = 24;
constexpr unsigned most_other_ports = 4;
constexpr std::uint16_t lowest_random_port = 10'000;
constexpr std::uint16_t highest_port = 65'535;
constexpr std::uint16_t first_unprivileged_port = 1'024;
constexpr std::array finite_leases{seconds{604'800}, seconds{3'600}};

/// Deleted, or not there in the first place.
bool is_gone(const any_igd_result& deletion) noexcept {
  const auto* const fault = std::get_if<igd_result::fault>(&deletion);
  return fault == nullptr || fault->what == upnp_refusal::no_such_entry;
}

/// The gateway was asked for an entry and says that there is none. Faults of other kinds, and
/// answers that cannot be read, say nothing about it.
bool is_missing(const any_igd_result& answer) noexcept {
  const auto* const fault = std::get_if<igd_result::fault>(&answer);
  return fault != nullptr && fault->what == upnp_refusal::no_such_entry;
}

seconds told_lease(const igd_result::entry& found) noexcept {
  return found.lease.value_or(seconds{0});
}

}  // namespace

std::uint16_t random_external_port(random_source& random) {
  return static_cast<std::uint16_t>(random.uniform(lowest_random_port, highest_port));
}

igd_mapping::igd_mapping(const igd_wish& wish, const igd_habits& habits)
    : igd_ladder(habits),
      wish_(wish),
      port_(wish.external_port),
      lease_(wish.lease),
      was_endless_(wish.may_be_permanent) {
  DAMSON_ASSERT(wish.external_port != 0 && wish.internal_port != 0);
  DAMSON_ASSERT(wish.lease.count() > 0);
  if (habits.only_permanent && wish.allow_permanent) {
    lease_ = seconds{0};
    permanent_tried_ = true;
  }
  if (wish.renewal) {
    held_here_ = port_;
    held_before_ = wish.also_held == port_ ? std::uint16_t{0} : wish.also_held;
    keeps_port_ = true;
  }
  if (wish.exact_port) keeps_port_ = true;
  start_adding();
}

void igd_mapping::ask(step why, const any_igd_action& what) {
  step_ = why;
  next_ = what;
}

/// Version 2 refuses a port that is another host's. Version 1 may overwrite the entry, so that is
/// looked at first; for a renewal as well, because what it is to extend may have been lost
/// and the port taken since. Both overwrite what this host itself has there.
void igd_mapping::start_adding() {
  const bool is_careful = !habits_.has_add_any || wish_.exact_port;
  if (!is_careful || !habits_.has_query) return add();
  ask(step::look_before, igd_action::query{port_});
}

void igd_mapping::add() {
  held_before_add_ = held_here_;
  held_here_ = port_;
  port_untold_ = false;
  if (habits_.has_add_any && !keeps_port_) {
    ask(step::add, igd_action::add_any{port_, lease_});
  } else {
    ask(step::add, igd_action::add{port_, lease_});
  }
}

/// AddAnyPortMapping would leave the entry that may be here and make another.
void igd_mapping::add_here() {
  keeps_port_ = true;
  add();
}

void igd_mapping::verify() {
  if (habits_.has_query) return ask(step::verify, igd_action::query{port_});
  grant_unverified();
}

void igd_mapping::refuse(errc reason) { refused_ = igd_refusal{reason, last_code_, last_text_}; }

/// A renewal that had to move gives the old port back once the new one works, not before.
void igd_mapping::grant(const igd_grant& what) {
  if (held_before_ == 0) {
    granted_ = what;
    return;
  }
  after_move_ = what;
  if (habits_.has_query) return ask(step::look_at_old, igd_action::query{held_before_});
  ask(step::remove_old, igd_action::remove{held_before_});
}

/// Which port AddAnyPortMapping has taken must be known; AddPortMapping makes it known.
void igd_mapping::grant_unverified() {
  if (!port_untold_) return grant({port_, lease_, false});
  habits_.has_add_any = false;
  add_here();
}

bool igd_mapping::is_ours(const igd_result::entry& found) const noexcept {
  return found.internal_client == wish_.internal_client;
}

bool igd_mapping::is_right(const igd_result::entry& found) const noexcept {
  return is_ours(found) && found.internal_port == wish_.internal_port;
}

bool igd_mapping::may_be_replaced(const igd_result::entry& found) const noexcept {
  return wish_.exact_port ? is_right(found) : is_ours(found);
}

bool igd_mapping::is_held_port() const noexcept {
  return wish_.renewal && port_ == wish_.external_port;
}

/// Well below what was asked, and below what this gateway gave before: one that shortens leases
/// would be made to interrupt the mapping at each renewal, to no end.
bool igd_mapping::was_not_extended(seconds left) const noexcept {
  const bool is_short = left.count() > 0 && left < lease_ / 4;
  return is_short && (wish_.held_lease.count() == 0 || left < wish_.held_lease * 3 / 4);
}

void igd_mapping::learn_from_query(const any_igd_result& result) noexcept {
  const auto* const fault = std::get_if<igd_result::fault>(&result);
  if (fault != nullptr && fault->what == upnp_refusal::action_missing) habits_.has_query = false;
}

std::uint16_t igd_mapping::another_port(random_source& random) const {
  std::uint16_t drawn = port_;
  while (drawn == port_) drawn = random_external_port(random);
  return drawn;
}

void igd_mapping::leave_port(errc reason, random_source& random) {
  if (wish_.exact_port) {
    return refuse(reason == errc::no_resources ? errc::external_not_available : reason);
  }
  // Only another listening port could help where the two have to be equal.
  if (equal_ports_) return refuse(errc::external_not_available);
  if (other_ports_ == most_other_ports) return refuse(reason);
  ++other_ports_;
  move_to(another_port(random));
}

/// Nothing of ours is left behind but what a renewal holds, which is still good.
void igd_mapping::move_to(std::uint16_t port) {
  next_port_ = port;
  if (held_here_ == 0) return arrive();
  if (!is_held_port() || held_before_ != 0) {
    return ask(step::remove_before_moving, igd_action::remove{port_});
  }
  held_before_ = held_here_;
  arrive();
}

void igd_mapping::arrive() {
  port_ = next_port_;
  const bool is_back = port_ == held_before_;
  held_here_ = is_back ? std::exchange(held_before_, std::uint16_t{0}) : std::uint16_t{0};
  keeps_port_ = equal_ports_ || is_back;
  start_adding();
}

void igd_mapping::replace() {
  replaced_ = true;
  ask(step::remove_to_replace, igd_action::remove{port_});
}

bool igd_mapping::retry_permanently() {
  if (permanent_tried_ || !wish_.allow_permanent) return false;
  permanent_tried_ = true;
  lease_ = seconds{0};
  add();
  return true;
}

bool igd_mapping::retry_with_finite_lease() {
  while (other_leases_ < finite_leases.size()) {
    lease_ = finite_leases.at(other_leases_++);
    if (lease_ == wish_.lease && wished_lease_refused_) continue;
    add();
    return true;
  }
  return false;
}

void igd_mapping::on_result(const any_igd_result& result, random_source& random) {
  if (is_over()) return;
  ++actions_;
  climb(result, random);
  if (is_over() || actions_ < most_actions) return;
  if (after_move_) {
    granted_ = after_move_;
  } else {
    refuse(errc::unusable_answer);
  }
}

void igd_mapping::climb(const any_igd_result& result, random_source& random) {
  switch (step_) {
    case step::look_before:
      return on_look_before(result, random);
    case step::add:
      return on_added(result, random);
    case step::look_at_conflict:
      return on_conflict_seen(result, random);
    case step::remove_to_replace:
      return on_removed_to_replace(result, random);
    case step::verify:
      return on_verified(result, random);
    case step::remove_before_moving:
      return on_removed_before_moving(result);
    case step::look_at_old:
      return on_old_seen(result);
    case step::remove_old:
      return on_old_removed(result);
  }
}

/// An entry of this host is taken over.
void igd_mapping::on_look_before(const any_igd_result& result, random_source& random) {
  learn_from_query(result);
  const auto* const found = std::get_if<igd_result::entry>(&result);
  was_endless_ = found != nullptr && is_right(*found) && told_lease(*found).count() == 0;
  if (found == nullptr || may_be_replaced(*found)) return add();
  held_here_ = 0;  // whatever was made here, this is another
  leave_port(to_errc(upnp_refusal::conflict), random);
}

void igd_mapping::on_added(const any_igd_result& result, random_source& random) {
  if (const auto* const fault = std::get_if<igd_result::fault>(&result)) {
    return on_add_fault(*fault, random);
  }
  last_code_.reset();
  last_text_.clear();
  if (lease_.count() == 0 && wished_lease_refused_) habits_.only_permanent = true;
  if (std::holds_alternative<igd_action::add_any>(next_)) {
    const auto* const done = std::get_if<igd_result::done>(&result);
    port_untold_ = done == nullptr || done->external_port == 0;
    if (!port_untold_) port_ = done->external_port;
    held_here_ = port_;
    if (held_before_ == port_) held_before_ = 0;
  }
  verify();
}

void igd_mapping::on_add_fault(const igd_result::fault& fault, random_source& random) {
  held_here_ = held_before_add_;
  last_refusal_ = fault.what;
  last_code_ = fault.code;
  last_text_ = fault.text;
  const errc reason = to_errc(fault.what);
  switch (fault.what) {
    case upnp_refusal::action_missing:
      if (!std::holds_alternative<igd_action::add_any>(next_)) return refuse(reason);
      habits_.has_add_any = false;
      return start_adding();
    case upnp_refusal::only_permanent_leases:
      habits_.only_permanent = true;
      if (!wish_.allow_permanent) return refuse(errc::lease_not_supported);
      if (!retry_permanently()) refuse(reason);
      return;
    case upnp_refusal::invalid_arguments:
      return on_lease_refused();
    case upnp_refusal::conflict:
      if (!habits_.has_query) return leave_port(reason, random);
      return ask(step::look_at_conflict, igd_action::query{port_});
    case upnp_refusal::conflict_with_other_mechanism:
      return leave_port(reason, random);
    case upnp_refusal::same_ports_required:
      return on_same_ports_required();
    case upnp_refusal::not_authorized:
      return on_not_authorized(random);
    case upnp_refusal::action_failed:
    case upnp_refusal::no_such_entry:
      return on_action_failed(random);
    case upnp_refusal::remote_host_required:
    case upnp_refusal::misread_request:
    case upnp_refusal::only_all_ports:
    case upnp_refusal::no_room:
    case upnp_refusal::firewall_disabled:
    case upnp_refusal::no_traffic:
      return refuse(reason);
  }
}

/// Of the causes of such a refusal only the lease can be varied: 0, then finite ones.
void igd_mapping::on_lease_refused() {
  if (lease_ == wish_.lease) wished_lease_refused_ = true;
  if (retry_permanently() || retry_with_finite_lease()) return;
  refuse(wish_.allow_permanent ? to_errc(last_refusal_) : errc::lease_not_supported);
}

void igd_mapping::on_same_ports_required() {
  if (equal_ports_ || wish_.exact_port || port_ == wish_.internal_port) {
    return refuse(to_errc(last_refusal_));
  }
  equal_ports_ = true;
  move_to(wish_.internal_port);
}

/// Policy often forbids the low ports only.
void igd_mapping::on_not_authorized(random_source& random) {
  const errc reason = to_errc(last_refusal_);
  if (port_ >= first_unprivileged_port || equal_ports_) return refuse(reason);
  leave_port(reason, random);
}

/// It may be the port, or the lease. For a renewal both were good before, so it is
/// repeated first, and is not made permanent.
void igd_mapping::on_action_failed(random_source& random) {
  const errc reason = to_errc(last_refusal_);
  if (is_held_port() && !failed_renewal_repeated_) {
    failed_renewal_repeated_ = true;
    return add();
  }
  if (!failed_port_tried_ && !equal_ports_ && !wish_.exact_port) {
    failed_port_tried_ = true;
    return leave_port(reason, random);
  }
  if (!wish_.renewal && retry_permanently()) return;
  refuse(reason);
}

///
void igd_mapping::on_conflict_seen(const any_igd_result& result, random_source& random) {
  learn_from_query(result);
  const errc reason = to_errc(last_refusal_);
  const auto* const found = std::get_if<igd_result::entry>(&result);
  if (found == nullptr) return leave_port(reason, random);
  if (is_right(*found)) {
    held_here_ = port_;
    return on_right_entry(*found);
  }
  held_here_ = 0;  // whatever was made here, this is another
  if (!may_be_replaced(*found) || replaced_) return leave_port(reason, random);
  replace();
}

void igd_mapping::on_removed_to_replace(const any_igd_result& result, random_source& random) {
  if (is_gone(result)) {
    held_here_ = 0;
    return add_here();
  }
  if (if_kept_) return grant(*if_kept_);
  leave_port(to_errc(last_refusal_), random);
}

void igd_mapping::on_verified(const any_igd_result& result, random_source& random) {
  learn_from_query(result);
  const auto* const found = std::get_if<igd_result::entry>(&result);
  if (found == nullptr) return is_missing(result) ? on_missing() : grant_unverified();
  if (is_right(*found)) {
    if (lease_.count() > 0) habits_.only_permanent = false;
    if (finite_dropped_ && told_lease(*found).count() == 0) habits_.only_permanent = true;
    return on_right_entry(*found);
  }
  if (!may_be_replaced(*found)) {
    held_here_ = 0;
    if (port_untold_) habits_.has_add_any = false;
  } else if (!replaced_) {
    return replace();
  }
  leave_port(to_errc(upnp_refusal::conflict), random);
}

/// Success, and nothing there. With a finite lease that is a known fault of gateways; else
/// the table may be full without a word. That is no word of refusal to pass on either, so it is
/// told as what it is: a grant that cannot be used.
void igd_mapping::on_missing() {
  if (port_untold_) return grant_unverified();
  keeps_port_ = true;
  finite_dropped_ = retry_permanently();
  if (finite_dropped_) return;
  refuse(wish_.allow_permanent ? errc::unusable_answer : errc::lease_not_supported);
}

void igd_mapping::on_right_entry(const igd_result::entry& found) {
  const seconds left = told_lease(found);
  const bool is_shorter = left.count() > 0 && (lease_.count() == 0 || left < lease_);
  const igd_grant seen{port_, is_shorter ? left : lease_, true};
  // A lease that was made just now is not replaced for being short.
  const bool was_there = is_held_port() || step_ == step::look_at_conflict;
  // Who refuses to extend a lease and does not tell what is left of it lets it run out.
  const bool is_untold = left.count() == 0 && lease_.count() > 0;
  const bool runs_out = is_held_port() && step_ == step::look_at_conflict && is_untold;
  // Who drops leases leaves a permanent entry as it is, and tells success.
  const bool stays = was_endless_ && is_untold;
  const bool is_stale = stays || (was_there && (runs_out || was_not_extended(left)));
  if (replaced_ || !is_stale) return grant(seen);
  if_kept_ = seen;
  replace();
}

void igd_mapping::on_removed_before_moving(const any_igd_result& result) {
  if (!is_gone(result)) return refuse(to_errc(last_refusal_));
  arrive();
}

/// Only what is seen to be another's is left alone; that nothing is seen proves little.
void igd_mapping::on_old_seen(const any_igd_result& result) {
  learn_from_query(result);
  const auto* const found = std::get_if<igd_result::entry>(&result);
  if (found == nullptr || is_right(*found)) {
    return ask(step::remove_old, igd_action::remove{held_before_});
  }
  held_before_ = 0;
  granted_ = after_move_;
}

void igd_mapping::on_old_removed(const any_igd_result& result) {
  if (is_gone(result)) held_before_ = 0;
  granted_ = after_move_;
}

}  // namespace damson
