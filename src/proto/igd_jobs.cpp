/// What is done with the device: mappings opened, extended, read back and deleted, and the question
/// whether it is still the same.

#include <algorithm>

#include "proto/igd_client.hpp"
#include "proto/igd_mapping.hpp"
#include "proto/igd_wording.hpp"
#include "wire/pinhole_actions.hpp"

namespace damson {
namespace {

/// An external address older than this is asked for again when a port is opened.
constexpr std::chrono::seconds address_is_fresh{60};
constexpr unsigned most_failures = 6;  ///< of one request in all, whatever succeeds in between
/// Uptimes are rounded, and clocks of routers drift.
constexpr std::chrono::seconds uptime_slack{60};

}  // namespace

// ---------------------------------------------------------------------------------------------
// The queue

std::deque<igd_client::job>::iterator igd_client::find_map(mapping_id mapping) noexcept {
  return std::ranges::find_if(jobs_, [&](const job& each) {
    return each.kind == job_kind::map && each.mapping == mapping && !each.withdrawn;
  });
}

bool igd_client::is_mapping(mapping_id mapping) const noexcept {
  return std::ranges::any_of(jobs_, [&](const job& each) {
    return each.kind == job_kind::map && each.mapping == mapping && !each.withdrawn;
  });
}

bool igd_client::is_removing(mapping_id mapping) const noexcept {
  return std::ranges::any_of(jobs_, [&](const job& each) {
    return each.kind == job_kind::remove && each.mapping == mapping && !each.muted;
  });
}

void igd_client::ask_map(mapping_id mapping, map_purpose why, const igd_map_request& request) {
  if (const auto open = find_map(mapping); open != jobs_.end()) {
    open->asked = why;
    return;
  }
  const bool is_renewal = why == map_purpose::renew;
  const std::uint16_t held = is_renewal ? request.external_port : request.held_port;
  const bool is_unheard = held != 0 && !is_renewal;
  job wanted{.kind = job_kind::map,
             .mapping = mapping,
             .asked = why,
             .key = {request.external_port, request.transport},
             .wish = {.internal_client = request.internal.address,
                      .internal_port = request.internal.port,
                      .external_port = held != 0 ? held : request.external_port,
                      .lease = request.lease,
                      .allow_permanent = request.allow_permanent,
                      .exact_port = request.exact_port,
                      .renewal = held != 0,
                      .held_lease = request.held_lease,
                      .may_be_permanent = is_unheard && request.allow_permanent},
             .held_port = held,
             .first_port = is_renewal ? held : std::uint16_t{0}};
  // What is open goes before what is only wished for, which may take long.
  const auto is_before = [&](const job& each) {
    return !is_renewal || each.kind == job_kind::remove || each.asked == map_purpose::renew;
  };
  jobs_.insert(std::find_if_not(jobs_.begin() + (is_begun() ? 1 : 0), jobs_.end(), is_before),
               std::move(wanted));
}

void igd_client::ask_remove(mapping_id mapping, const port_mapping_key& key) {
  const auto is_it = [&](const job& each) {
    return each.kind == job_kind::remove && each.mapping == mapping && each.key == key &&
           !each.muted;
  };
  if (!std::ranges::any_of(jobs_, is_it)) insert_remove(mapping, key, false);
}

/// Before all else, but after what is under way: there may be little time left for it.
void igd_client::insert_remove(mapping_id mapping, const port_mapping_key& key, bool muted) {
  const auto place = std::find_if(jobs_.begin() + (is_begun() ? 1 : 0), jobs_.end(),
                                  [](const job& each) { return each.kind != job_kind::remove; });
  jobs_.insert(place, {.kind = job_kind::remove,
                       .mapping = mapping,
                       .asked = map_purpose::remove,
                       .key = key,
                       .wish = wish_to_find(key),
                       .muted = muted});
}

void igd_client::ask_verify(mapping_id mapping, const port_mapping_key& key,
                            const endpoint& internal) {
  if (!habits_.has_query) {
    events_.emplace_back(igd_event::verified{mapping, igd_verdict::unknown});
    return;
  }
  const bool asked = std::ranges::any_of(jobs_, [&](const job& each) {
    return each.kind == job_kind::verify && each.mapping == mapping;
  });
  if (asked) return;
  jobs_.push_back({.kind = job_kind::verify,
                   .mapping = mapping,
                   .key = key,
                   .wish = wish_to_find(key),
                   .internal = internal});
}

/// Of a pinhole, whose external port is the internal one.
igd_wish igd_client::wish_to_find(const port_mapping_key& key) const {
  return {.internal_client = local_,
          .internal_port = key.external_port,
          .external_port = key.external_port};
}

void igd_client::ask_check() {
  const bool asked =
      std::ranges::any_of(jobs_, [](const job& each) { return each.kind == job_kind::check; });
  if (!asked) jobs_.push_back({.kind = job_kind::check});
}

bool igd_client::job::may_change_something() const noexcept {
  return !address_due && ladder && changes_something(ladder->next());
}

/// The action may have been obeyed although its answer never came: then the port is held, and
/// another AddAnyPortMapping would take a second one.
void igd_client::job::begin_anew() {
  if (ladder) {
    held_port = ladder->may_hold();
    wish.also_held = ladder->may_also_hold();
    wish.may_be_permanent = ladder->may_be_permanent();
    ladder.reset();
  }
  wish.renewal = held_port != 0;
  if (wish.renewal) wish.external_port = held_port;
  address_due = address_asked = false;
}

/// Of another device.
void igd_client::job::forget_ports() noexcept {
  held_port = wish.also_held = 0;
  wish.renewal = wish.may_be_permanent = false;
  wish.external_port = key.external_port;
  ladder.reset();
}

bool igd_client::withdraw(mapping_id mapping, std::uint16_t keep_port) {
  bool is_ending = false;
  for (job& each : jobs_) {
    if (each.mapping != mapping || !each.withdrawn || each.muted) continue;
    each.keep_port = keep_port;
    is_ending = true;
  }
  const auto found = find_map(mapping);
  if (found == jobs_.end()) return is_ending;
  const bool is_open = found == jobs_.begin() && open_ && !open_->for_probe;
  if (found->may_hold() == 0) {
    // What is open, if anything, is a question that changes nothing.
    if (is_open) abort();
    jobs_.erase(found);
    return false;
  }
  found->withdrawn = true;
  found->keep_port = keep_port;
  if (is_open && found->may_change_something()) return true;
  if (is_open) abort();
  const job waiting = std::move(*found);
  jobs_.erase(found);
  clean_up(waiting);
  return true;
}

void igd_client::forget(mapping_id mapping, std::uint16_t keep_port) {
  if (jobs_.empty()) return;
  const bool front_goes_on = open_ || jobs_.front().kind == job_kind::remove;
  const auto first = jobs_.begin() + (front_goes_on ? 1 : 0);
  const auto is_of_no_interest = [&](const job& each) {
    return each.mapping == mapping && each.kind != job_kind::map;
  };
  jobs_.erase(std::remove_if(first, jobs_.end(), is_of_no_interest), jobs_.end());
  withdraw(mapping, keep_port);
  for (job& each : jobs_) {
    if (each.mapping == mapping) each.muted = true;
  }
}

// ---------------------------------------------------------------------------------------------
// Asking

void igd_client::pump_jobs(time_point now) {
  if (open_ || search_wanted_ || jobs_.empty()) return;
  if (!device_) {
    find();
    return;
  }
  if (is_paused(now)) return;
  // There may be nothing to do for one.
  while (!jobs_.empty()) {
    job& next = jobs_.front();
    if (next.kind == job_kind::ask) {
      follow_device(next);
      if (!next.reader->is_over()) break;
      settle_reading();
      continue;
    }
    if (!next.ladder) next.ladder = ladder_for(next, now);
    if (!next.ladder || !next.ladder->is_over() || next.address_due) break;
    settle(next, now);
  }
  if (jobs_.empty()) return;
  if (jobs_.front().reader) return start(jobs_.front().reader->next(), device_->answered_from);
  start({.target = device_->control,
         .action = request_for(jobs_.front()),
         .body_limit = soap_answer_bytes},
        device_->answered_from);
}

/// Null for what is one question and its answer.
std::unique_ptr<igd_ladder> igd_client::ladder_for(const job& what, time_point now) {
  const bool is_map = what.kind == job_kind::map;
  if (device_->kind != service_kind::wan_ipv6_firewall_control) {
    return is_map ? std::make_unique<igd_mapping>(what.wish, habits_) : nullptr;
  }
  if (what.kind == job_kind::check) return nullptr;
  std::erase_if(pinholes_, [&](const auto& each) { return each.second.until <= now; });
  const auto known = pinholes_.find(key_of(what));
  const auto held = known == pinholes_.end() ? std::nullopt : std::optional{known->second.what};
  if (is_map) return std::make_unique<igd_pinhole>(pinhole_aim::open, what.wish, habits_, held);
  const auto aim = what.kind == job_kind::remove ? pinhole_aim::close : pinhole_aim::look;
  return std::make_unique<igd_pinhole>(aim, what.wish, habits_, held);
}

soap_request igd_client::request_for(const job& what) const {
  const std::string& type = device_->service_type;
  if (what.ladder && !what.address_due) {
    return damson::request_for(what.ladder->next(), type, what.wish, what.key.transport);
  }
  switch (what.kind) {
    case job_kind::map:
    case job_kind::ask:  // has a reader
      break;
    case job_kind::remove:
      return make_delete_port_mapping(type, what.key);
    case job_kind::verify:
      return make_get_specific_port_mapping_entry(type, what.key);
    case job_kind::check:
      if (device_->kind == service_kind::wan_ipv6_firewall_control) {
        return make_get_firewall_status(type);
      }
      if (what.step == check_step::status) return make_get_status_info(type);
      break;
  }
  return make_get_external_ip_address(type);
}

// ---------------------------------------------------------------------------------------------
// Answers

void igd_client::on_job_answer(const http_answer& answer, time_point now, random_source& random) {
  job& what = jobs_.front();
  if (what.ladder) return on_ladder_answer(what, answer, now, random);
  switch (what.kind) {
    case job_kind::map:  // has a ladder
      return;
    case job_kind::remove:
      return on_remove_answer(what, answer, now);
    case job_kind::verify:
      return on_verify_answer(what, answer, now);
    case job_kind::check:
      return on_check_answer(what, answer, now);
    case job_kind::ask:
      return on_read_answer(what, answer, now);
  }
}

/// What an answer means that is neither a success nor a word of the service: the page is gone, or
/// the web server is overwhelmed. True when that was dealt with.
bool igd_client::is_trouble(const soap_error& error, time_point now) {
  const auto* const failure = std::get_if<http_failure>(&error);
  if (failure == nullptr) return false;
  if (failure->status == 404 || failure->status == 410) {
    on_job_failed(true, errc::no_answer, now);
    return true;
  }
  if (failure->status >= 500) {
    on_job_failed(false, errc::unusable_answer, now);
    return true;
  }
  return false;
}

any_igd_result igd_client::result_of(const soap_error& error, upnp_action action) const {
  if (std::holds_alternative<decode_error>(error)) return igd_result::unreadable{};
  const auto* const fault = std::get_if<soap_fault>(&error);
  if (fault == nullptr || !fault->code) return igd_result::fault{upnp_refusal::action_failed, 0};
  return igd_result::fault{interpret_upnp_error(device_->kind, action, *fault->code), *fault->code,
                           fault->description};
}

void igd_client::on_ladder_answer(job& what, const http_answer& answer, time_point now,
                                  random_source& random) {
  if (what.address_due) {
    on_address_answer(answer, now);
    what.address_due = false;
    return settle(what, now);
  }
  const any_igd_action& asked = what.ladder->next();
  auto result = decode_result(asked, answer);
  if (!result) {
    if (is_trouble(result.error(), now)) return;
    result = result_of(result.error(), action_of(asked));
  }
  what.failures = 0;
  what.ladder->on_result(*result, random);
  habits_ = what.ladder->habits();
  note_pinhole(what, now);
  const auto& grant = what.ladder->granted();
  if (grant && !grant->external) leave_to(what, grant->external_port, random);
  settle(what, now);
}

igd_client::pinhole_key igd_client::key_of(const job& what) {
  return {what.key.transport, what.wish.internal_port};
}

/// A number that is given anew tells that whoever had it before has it no more.
void igd_client::note_pinhole(const job& what, time_point now) {
  const auto* const ladder = dynamic_cast<const igd_pinhole*>(what.ladder.get());
  if (ladder == nullptr) return;
  const pinhole_key key = key_of(what);
  const auto& held = ladder->held();
  if (!held) {
    pinholes_.erase(key);
    return;
  }
  std::erase_if(pinholes_, [&](const auto& each) {
    return held->id && each.first != key && each.second.what.id == held->id;
  });
  const auto [known, is_new] = pinholes_.try_emplace(key, *held, now + ladder->lease());
  known->second.what = *held;
  if (what.kind == job_kind::map) known->second.until = now + ladder->lease();
}

/// The router may have chosen the very port that another mapping of ours waits to ask for, and
/// would give it to that one, too: to the router both are this host's.
void igd_client::leave_to(const job& owner, std::uint16_t port, random_source& random) {
  for (job& each : jobs_) {
    const bool wants_it = each.kind == job_kind::map && each.wish.external_port == port &&
                          !each.wish.exact_port && each.key.transport == owner.key.transport;
    if (&each == &owner || !wants_it) continue;
    each.wish.external_port = random_external_port(random);
    each.wish.renewal = false;
    each.held_port = 0;  // what may have been made there is not there any more
  }
}

/// Goes on after an action, if there is nothing more to do.
void igd_client::settle(job& what, time_point now) {
  if (what.kind == job_kind::map) return settle_map(what, now);
  if (!what.ladder->is_over()) return;
  if (!what.muted) {
    if (const auto& how = what.ladder->removed()) {
      events_.emplace_back(igd_event::removed{what.mapping, *how});
    } else if (const auto& verdict = what.ladder->seen()) {
      events_.emplace_back(igd_event::verified{what.mapping, *verdict});
    } else {
      events_.emplace_back(igd_event::refused{what.mapping, what.asked, *what.ladder->refused()});
    }
  }
  jobs_.pop_front();
}

void igd_client::settle_map(job& what, time_point now) {
  if (what.withdrawn) return clean_up(take_job());
  if (const auto& grant = what.ladder->granted()) {
    // Who could not map for lack of an address may have one now.
    const bool is_known =
        grant->external || (external_ && !external_->is_unspecified() && external_at_ &&
                            now - *external_at_ < address_is_fresh);
    if (!is_known && !what.address_asked) {
      what.address_due = what.address_asked = true;
      return;
    }
    events_.emplace_back(
        igd_event::granted{what.mapping, what.asked, *grant,
                           grant->external.value_or(external_.value_or(ip_address::any_v4()))});
    return jobs_.pop_front();
  }
  if (const auto& refusal = what.ladder->refused()) {
    // One number for many causes: whether the device has an address now tells one of them.
    const bool is_ambiguous = refusal->reason == errc::unusable_answer && refusal->code;
    if (is_ambiguous && !what.address_asked && has_address_of_its_own()) {
      what.address_due = what.address_asked = true;
      return;
    }
    events_.emplace_back(igd_event::refused{what.mapping, what.asked, *refusal});
    // A renewal that is refused leaves what it was to extend until its lease ends.
    if (what.asked == map_purpose::renew) what.keep_port = what.first_port;
    clean_up(take_job());
  }
}

igd_client::job igd_client::take_job() {
  job taken = std::move(jobs_.front());
  jobs_.pop_front();
  return taken;
}

/// Deletes what a request made that nobody wants any more, and is out of the queue already.
void igd_client::clean_up(const job& what) {
  const std::uint16_t made = what.may_hold();
  const std::uint16_t also_made = what.may_also_hold();
  const auto is_unwanted = [&](std::uint16_t port) { return port != 0 && port != what.keep_port; };
  if (is_unwanted(also_made)) {
    insert_remove(what.mapping, {also_made, what.key.transport}, what.muted);
  }
  if (is_unwanted(made)) {
    insert_remove(what.mapping, {made, what.key.transport}, what.muted);
  } else if (made == 0 && what.withdrawn && !what.muted) {
    events_.emplace_back(igd_event::removed{what.mapping, igd_removal::already_gone});
  }
}

void igd_client::on_remove_answer(const job& what, const http_answer& answer, time_point now) {
  auto how = igd_removal::deleted;
  if (const auto done = decode_acknowledgement(answer); !done) {
    if (is_trouble(done.error(), now)) return;
    const auto result = result_of(done.error(), upnp_action::delete_port_mapping);
    const auto* const fault = std::get_if<igd_result::fault>(&result);
    if (fault == nullptr || fault->what != upnp_refusal::no_such_entry) {
      const igd_refusal why{fault == nullptr ? errc::unusable_answer : to_errc(fault->what),
                            fault == nullptr ? std::nullopt : std::optional{fault->code}};
      if (!what.muted) events_.emplace_back(igd_event::refused{what.mapping, what.asked, why});
      return jobs_.pop_front();
    }
    how = igd_removal::already_gone;
  }
  if (!what.muted) events_.emplace_back(igd_event::removed{what.mapping, how});
  jobs_.pop_front();
}

void igd_client::on_verify_answer(const job& what, const http_answer& answer, time_point now) {
  auto verdict = igd_verdict::unknown;
  if (const auto entry = decode_port_mapping_entry(answer)) {
    const bool ours = endpoint{entry->internal_client, entry->internal_port} == what.internal;
    verdict = ours ? igd_verdict::there : igd_verdict::gone;
  } else {
    if (is_trouble(entry.error(), now)) return;
    const auto result = result_of(entry.error(), upnp_action::get_specific_port_mapping_entry);
    if (const auto* const fault = std::get_if<igd_result::fault>(&result)) {
      if (fault->what == upnp_refusal::no_such_entry) verdict = igd_verdict::gone;
      if (fault->what == upnp_refusal::action_missing) habits_.has_query = false;
    }
  }
  if (!what.muted) events_.emplace_back(igd_event::verified{what.mapping, verdict});
  jobs_.pop_front();
}

void igd_client::on_address_answer(const http_answer& answer, time_point now) {
  const auto address = decode_external_ip_address(answer);
  if (!address) return;
  external_ = *address;
  external_at_ = now;
}

/// It tells neither an address nor an uptime: that it answers is what counts.
void igd_client::on_firewall_answer(const http_answer& answer, time_point now) {
  const auto status = decode_firewall_status(answer);
  if (!status && is_trouble(status.error(), now)) return;
  events_.emplace_back(igd_event::checked{});
  jobs_.pop_front();
}

void igd_client::on_check_answer(job& what, const http_answer& answer, time_point now) {
  if (device_->kind == service_kind::wan_ipv6_firewall_control) {
    return on_firewall_answer(answer, now);
  }
  bool restarted = false;
  if (what.step == check_step::address) {
    if (const auto address = decode_external_ip_address(answer); !address) {
      if (is_trouble(address.error(), now)) return;
    }
    what.failures = 0;
    on_address_answer(answer, now);
    if (has_status_) {
      what.step = check_step::status;
      return;
    }
  } else if (const auto status = decode_status_info(answer)) {
    restarted = status->uptime && uptime_ && *status->uptime + uptime_slack < *uptime_;
    uptime_ = status->uptime;
  } else {
    has_status_ = false;
  }
  events_.emplace_back(igd_event::checked{restarted});
  jobs_.pop_front();
}

// ---------------------------------------------------------------------------------------------
// No answer

/// One more try on the same device, unless it is clear that it is not there any more; then one
/// search; then it has failed.
void igd_client::on_job_failed(bool stale, errc reason, time_point now) {
  job& what = jobs_.front();
  if (what.kind == job_kind::map && what.address_due) {
    // The port is open; what its address is will be asked again.
    what.address_due = false;
    return settle(what, now);
  }
  ++what.failures;
  if (what.reader) what.reader->on_silence();
  if (what.kind == job_kind::map) {
    what.begin_anew();
    if (what.withdrawn) return clean_up(take_job());
  } else {
    what.ladder.reset();
  }
  const bool is_hopeless = ++what.failures_in_all > most_failures;
  if (!stale && !is_hopeless && what.failures < 2) return slow_down(now);
  if (!stale && what.reader && what.reader->is_optional()) {
    what.failures = 0;
    return what.reader->leave_out();
  }
  if (what.searched_again) {
    return fail(take_job(), reason);
  }
  what.searched_again = true;
  what.failures = 0;
  forget_device();
  find();
}

void igd_client::fail(const job& what, errc reason) {
  if (what.muted) return;
  switch (what.kind) {
    case job_kind::map:
    case job_kind::remove:
      events_.emplace_back(
          igd_event::unanswered{what.mapping, what.asked, reason, what.may_hold()});
      return;
    case job_kind::verify:
    case job_kind::check:
      events_.emplace_back(igd_event::check_failed{});
      return;
    case job_kind::ask:
      if (what.reader) what.reader->give_up(reason);
      reading_ = what.reader ? what.reader->take() : igd_reading{.why = {reason, std::nullopt, {}}};
      events_.emplace_back(igd_event::read{});
      return;
  }
}

}  // namespace damson
