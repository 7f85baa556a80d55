#include "proto/igd_pinhole.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace damson {
namespace {

using std::chrono::seconds;

constexpr unsigned most_actions = 12;
constexpr seconds shortest_lease{1};

bool is(const any_igd_result& result, upnp_refusal what) noexcept {
  const auto* const fault = std::get_if<igd_result::fault>(&result);
  return fault != nullptr && fault->what == what;
}

bool is_fault(const any_igd_result& result) noexcept {
  return std::holds_alternative<igd_result::fault>(result);
}

}  // namespace

igd_pinhole::igd_pinhole(pinhole_aim aim, const igd_wish& wish, const igd_habits& habits,
                         const std::optional<held_pinhole>& held)
    : igd_ladder(habits),
      aim_(aim),
      wish_(wish),
      lease_(std::clamp(wish.lease, shortest_lease, longest_pinhole_lease)),
      held_(held) {
  DAMSON_ASSERT(wish.internal_port != 0 && wish.internal_client.is_v6());
  switch (aim) {
    case pinhole_aim::open:
      begin_opening();
      break;
    case pinhole_aim::close:
      begin_closing();
      break;
    case pinhole_aim::look:
      look();
      break;
  }
}

void igd_pinhole::begin_opening() {
  if (wish_.exact_port && wish_.external_port != wish_.internal_port) {
    return refuse(errc::external_not_available);
  }
  ask(step::status, igd_action::firewall_status{});
}

/// Adding it once more tells its number.
void igd_pinhole::begin_closing() {
  if (!held_) {
    removed_ = igd_removal::already_gone;
  } else if (held_->id) {
    remove();
  } else {
    add(shortest_lease);
  }
}

void igd_pinhole::ask(step why, const any_igd_action& what) {
  step_ = why;
  next_ = what;
}

void igd_pinhole::add(seconds lease) {
  held_before_add_ = held_;
  if (!held_) held_.emplace();
  ask(step::add, igd_action::add_pinhole{lease});
}

void igd_pinhole::remove() { ask(step::remove, igd_action::delete_pinhole{*held_->id}); }

/// Where nothing was made because nothing was blocked, that is what has to be looked at.
void igd_pinhole::look() {
  if (!held_) return ask(step::status, igd_action::firewall_status{});
  if (!held_->id || !habits_.has_query) return end(igd_verdict::unknown);
  ask(step::verify, igd_action::pinhole_packets{*held_->id});
}

void igd_pinhole::grant(bool verified) {
  granted_ = igd_grant{.external_port = wish_.internal_port,
                       .lease = lease_,
                       .verified = verified,
                       .external = wish_.internal_client};
}

/// The firewall is off: everybody gets in, until it is on again.
void igd_pinhole::grant_without() { grant(false); }

void igd_pinhole::refuse(errc reason) {
  refused_ = igd_refusal{reason, {}, {}};
  if (!has_fault_) return;
  refused_->code = last_fault_.code;
  refused_->text = last_fault_.text;
}

/// A verdict, or what it means for a pinhole that was just made.
void igd_pinhole::end(igd_verdict what) {
  if (what == igd_verdict::gone) held_.reset();
  if (aim_ == pinhole_aim::look) {
    seen_ = what;
  } else if (what == igd_verdict::gone) {
    refuse(errc::unusable_answer);
  } else {
    grant(what == igd_verdict::there);
  }
}

void igd_pinhole::on_result(const any_igd_result& result, random_source& /*random*/) {
  if (is_over()) return;
  ++actions_;
  climb(result);
  if (is_over() || actions_ < most_actions) return;
  aim_ == pinhole_aim::look ? end(igd_verdict::unknown) : refuse(errc::unusable_answer);
}

void igd_pinhole::climb(const any_igd_result& result) {
  if (const auto* const fault = std::get_if<igd_result::fault>(&result)) {
    last_fault_ = *fault;
  }
  has_fault_ = is_fault(result);
  switch (step_) {
    case step::status:
      return on_status(result);
    case step::update:
      return on_updated(result);
    case step::add:
      return on_added(result);
    case step::verify:
    case step::check:
      return on_seen(result);
    case step::remove:
      return on_removed(result);
    case step::shorten:
      return on_shortened(result);
  }
}

/// Who cannot say is asked for the pinhole all the same.
void igd_pinhole::on_status(const any_igd_result& result) {
  const auto* const status = std::get_if<igd_result::firewall>(&result);
  if (aim_ == pinhole_aim::look) {
    if (status == nullptr) return end(igd_verdict::unknown);
    return end(status->enabled ? igd_verdict::gone : igd_verdict::there);
  }
  if (status != nullptr && !status->enabled) return grant_without();
  if (status != nullptr && !status->allows_pinholes) return refuse(errc::not_authorized);
  // A number that is not of this lease may be another pinhole's by now.
  if (wish_.renewal && held_ && held_->id) {
    return ask(step::update, igd_action::update_pinhole{*held_->id, lease_});
  }
  add(lease_);
}

/// The number may be nobody's now, or, where the gateway does not allow it, another host's.
/// There are gateways that cannot extend a pinhole in this way, which is tried the other way.
void igd_pinhole::on_updated(const any_igd_result& result) {
  if (is(result, upnp_refusal::firewall_disabled)) return grant_without();
  if (!is_fault(result)) return look();
  if (is(result, upnp_refusal::no_such_entry) || is(result, upnp_refusal::not_authorized)) {
    held_.reset();
  }
  add(lease_);
}

void igd_pinhole::on_added(const any_igd_result& result) {
  if (const auto* const fault = std::get_if<igd_result::fault>(&result)) {
    return on_add_fault(*fault);
  }
  const auto* const made = std::get_if<igd_result::pinhole>(&result);
  if (made == nullptr) {
    held_ = held_pinhole{};
    return refuse(errc::unusable_answer);
  }
  held_ = held_pinhole{made->id};
  aim_ == pinhole_aim::close ? remove() : look();
}

void igd_pinhole::on_add_fault(const igd_result::fault& fault) {
  held_ = held_before_add_;
  if (aim_ == pinhole_aim::open && fault.what == upnp_refusal::firewall_disabled) {
    return grant_without();
  }
  // Neither action extends what is there: then it is made anew, with a short gap.
  const bool is_in_the_way =
      aim_ == pinhole_aim::open && fault.what == upnp_refusal::action_failed && held_ && held_->id;
  if (is_in_the_way && !replaced_) {
    replaced_ = true;
    return remove();
  }
  refuse(to_errc(fault.what));
}

void igd_pinhole::on_seen(const any_igd_result& result) {
  if (is(result, upnp_refusal::no_such_entry)) return end(igd_verdict::gone);
  // That nobody has come yet is no news.
  if (is(result, upnp_refusal::no_traffic)) return end(igd_verdict::there);
  if (is(result, upnp_refusal::action_missing)) {
    if (step_ == step::verify) {
      return ask(step::check, igd_action::check_pinhole{*held_->id});
    }
    habits_.has_query = false;
  }
  end(std::holds_alternative<igd_result::done>(result) ? igd_verdict::there : igd_verdict::unknown);
}

void igd_pinhole::on_removed(const any_igd_result& result) {
  const bool was_gone = is(result, upnp_refusal::no_such_entry);
  const bool is_gone = was_gone || !is_fault(result);
  if (is_gone) held_.reset();
  if (aim_ == pinhole_aim::open) {
    return is_gone ? add(lease_) : refuse(to_errc(last_fault_.what));
  }
  if (is_gone) {
    removed_ = was_gone ? igd_removal::already_gone : igd_removal::deleted;
    return;
  }
  ask(step::shorten, igd_action::update_pinhole{*held_->id, shortest_lease});
}

/// It ends in a second, which is not the same as that it is gone.
void igd_pinhole::on_shortened(const any_igd_result& result) {
  if (is(result, upnp_refusal::no_such_entry)) {
    held_.reset();
    removed_ = igd_removal::already_gone;
    return;
  }
  if (!is_fault(result)) held_.reset();
  refuse(is_fault(result) ? to_errc(last_fault_.what) : errc::not_authorized);
}

}  // namespace damson
