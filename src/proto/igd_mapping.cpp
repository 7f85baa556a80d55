#include "proto/igd_mapping.hpp"

#include <array>

namespace damson {
namespace {

constexpr unsigned most_actions = 24;
constexpr unsigned most_other_ports = 4;
constexpr std::uint16_t lowest_random_port = 10'000;
constexpr std::uint16_t highest_port = 65'535;
constexpr std::uint16_t first_unprivileged_port = 1'024;

// UPnP error numbers of the WAN connection services.
constexpr std::int32_t invalid_action = 401;
constexpr std::int32_t invalid_args = 402;
constexpr std::int32_t forbidden = 403;
constexpr std::int32_t not_found = 404;
constexpr std::int32_t action_failed = 501;
constexpr std::int32_t optional_action_missing = 602;
constexpr std::int32_t not_authorized = 606;
constexpr std::int32_t no_such_entry = 714;
constexpr std::int32_t no_wildcard_source = 715;
constexpr std::int32_t no_wildcard_external_port = 716;
constexpr std::int32_t conflict_in_mapping = 718;
constexpr std::int32_t same_port_required = 724;
constexpr std::int32_t only_permanent_leases = 725;
constexpr std::int32_t remote_host_only_wildcard = 726;
constexpr std::int32_t external_port_only_wildcard = 727;
constexpr std::int32_t no_port_maps_available = 728;
constexpr std::int32_t conflict_with_others = 729;
constexpr std::int32_t no_wildcard_internal_port = 732;

/// The action is not there, or switched off.
bool is_missing_action(std::int32_t code) noexcept {
  return code == invalid_action || code == not_found || code == optional_action_missing ||
         code == forbidden;
}

const std::int32_t* fault_of(const any_igd_result& result) noexcept {
  const auto* fault = std::get_if<igd_result::fault>(&result);
  return fault == nullptr ? nullptr : &fault->code;
}

std::uint16_t random_port(random_source& random) {
  return static_cast<std::uint16_t>(random.uniform(lowest_random_port, highest_port));
}

}  // namespace

igd_mapping::igd_mapping(const igd_wish& wish, const igd_habits& habits, random_source& /*random*/)
    : wish_(wish),
      habits_(habits),
      port_(wish.external_port),
      lease_(habits.only_permanent && wish.allow_permanent ? std::chrono::seconds{0} : wish.lease) {
  start_adding();
}

/// Version 2 finds a free port by itself. Version 1 may overwrite another host's entry, so the entry is
/// looked at first.
void igd_mapping::start_adding() {
  if (habits_.has_add_any || !habits_.has_query) return add();
  step_ = step::look_before;
  next_ = igd_action::query{port_};
}

void igd_mapping::add() {
  step_ = step::add;
  may_hold_ = port_;
  if (habits_.has_add_any && !equal_ports_) {
    next_ = igd_action::add_any{port_, lease_};
  } else {
    next_ = igd_action::add{port_, lease_};
  }
}

void igd_mapping::verify() {
  if (!habits_.has_query) {
    granted_ = igd_grant{port_, lease_, false};
    return;
  }
  step_ = step::verify;
  next_ = igd_action::query{port_};
}

void igd_mapping::refuse(errc reason, std::int32_t code) noexcept {
  refused_ = igd_refusal{reason, code};
}

bool igd_mapping::is_ours(const igd_result::entry& found) const noexcept {
  return found.internal_client == wish_.internal_client;
}

void igd_mapping::take_another_port(random_source& random, std::int32_t code) {
  // Only the listening port could help where the two have to be equal.
  if (equal_ports_ || other_ports_ >= most_other_ports) {
    return refuse(errc::external_not_available, code);
  }
  ++other_ports_;
  may_hold_ = 0;
  port_ = random_port(random);
  start_adding();
}

/// The next of the leases that a refusal of leases leaves; false when none is left.
bool igd_mapping::retry_permanently() {
  if (lease_.count() == 0 || !wish_.allow_permanent) return false;
  lease_ = std::chrono::seconds{0};
  add();
  return true;
}

void igd_mapping::on_result(const any_igd_result& result, random_source& random) {
  if (is_over()) return;
  if (++actions_ >= most_actions) return refuse(errc::unusable_answer, 0);
  switch (step_) {
    case step::look_before: return on_look_before(result, random);
    case step::add: return on_added(result, random);
    case step::look_at_conflict: return on_conflict_seen(result, random);
    case step::remove_stale: return add();
    case step::verify: return on_verified(result, random);
  }
}

void igd_mapping::on_look_before(const any_igd_result& result, random_source& random) {
  if (const auto* found = std::get_if<igd_result::entry>(&result); found != nullptr) {
    return is_ours(*found) ? add() : take_another_port(random, conflict_in_mapping);
  }
  if (const auto* code = fault_of(result); code != nullptr && is_missing_action(*code)) {
    habits_.has_query = false;
  }
  add();
}

void igd_mapping::on_added(const any_igd_result& result, random_source& random) {
  if (const auto* code = fault_of(result)) return on_add_fault(*code, random);
  if (const auto* done = std::get_if<igd_result::done>(&result); done != nullptr) {
    if (done->external_port != 0) port_ = done->external_port;
    may_hold_ = port_;
  }
  verify();
}

void igd_mapping::on_add_fault(std::int32_t code, random_source& random) {
  may_hold_ = 0;
  if (std::holds_alternative<igd_action::add_any>(next_) && is_missing_action(code)) {
    habits_.has_add_any = false;
    return start_adding();
  }
  switch (code) {
    case only_permanent_leases:
      habits_.only_permanent = true;
      if (!retry_permanently()) refuse(errc::lease_not_supported, code);
      return;
    case invalid_args:  // five causes; what can be varied is the lease
      if (retry_permanently()) return;
      if (leases_refused_ < 2) {
        constexpr std::array<std::chrono::seconds, 2> others{std::chrono::seconds{604'800},
                                                             std::chrono::seconds{3'600}};
        lease_ = others.at(leases_refused_++);
        return add();
      }
      return refuse(errc::malformed_request, code);
    case conflict_in_mapping:
      if (!habits_.has_query) return take_another_port(random, code);
      step_ = step::look_at_conflict;
      conflict_ = code;
      next_ = igd_action::query{port_};
      return;
    case conflict_with_others:
      return take_another_port(random, code);
    case same_port_required:
      if (equal_ports_ || port_ == wish_.internal_port) {
        return refuse(errc::external_not_available, code);
      }
      equal_ports_ = true;
      port_ = wish_.internal_port;
      return add();
    case not_authorized:
      if (port_ >= first_unprivileged_port || high_port_tried_) {
        return refuse(errc::not_authorized, code);
      }
      high_port_tried_ = true;
      port_ = random_port(random);
      return start_adding();
    case no_port_maps_available:
      return refuse(errc::no_resources, code);
    case no_wildcard_source:
    case no_wildcard_external_port:
    case remote_host_only_wildcard:
    case external_port_only_wildcard:  // opening all ports is not what was asked for
    case no_wildcard_internal_port:
    case invalid_action:
    case forbidden:
    case not_found:
    case optional_action_missing: return refuse(errc::not_supported, code);
    default:  // 501, vendors' own and unknown ones
      if (!catch_all_port_tried_ && !equal_ports_) {
        catch_all_port_tried_ = true;
        port_ = random_port(random);
        return start_adding();
      }
      if (retry_permanently()) return;
      return refuse(code == action_failed ? errc::network_failure : errc::unusable_answer, code);
  }
}

void igd_mapping::on_conflict_seen(const any_igd_result& result, random_source& random) {
  const auto* found = std::get_if<igd_result::entry>(&result);
  if (found == nullptr || !is_ours(*found)) return take_another_port(random, conflict_);
  if (found->internal_port == wish_.internal_port) {
    // It was there already, with the right target.
    may_hold_ = port_;
    granted_ = igd_grant{port_, lease_, true};
    return;
  }
  if (stale_removed_) return take_another_port(random, conflict_);
  stale_removed_ = true;
  step_ = step::remove_stale;
  next_ = igd_action::remove{port_};
}

void igd_mapping::on_verified(const any_igd_result& result, random_source& random) {
  if (const auto* found = std::get_if<igd_result::entry>(&result); found != nullptr) {
    if (is_ours(*found) && found->internal_port == wish_.internal_port) {
      granted_ = igd_grant{port_, lease_, true};
      return;
    }
    return take_another_port(random, conflict_in_mapping);
  }
  const auto* code = fault_of(result);
  if (code != nullptr && is_missing_action(*code)) {
    habits_.has_query = false;
    granted_ = igd_grant{port_, lease_, false};
    return;
  }
  // Success, and nothing there: with a finite lease that is a known fault.
  if (retry_permanently()) {
    habits_.only_permanent = true;
    return;
  }
  may_hold_ = port_;
  refuse(errc::unusable_answer, code == nullptr ? no_such_entry : *code);
}

}  // namespace damson
