/// Finding the device, and keeping to it. What is done with it stands in igd_jobs.cpp.

#include "proto/igd_client.hpp"

#include <algorithm>

#include "wire/http_request.hpp"

namespace damson {
namespace {

/// How long another device than the gateway has to wait for a better one.
constexpr std::chrono::seconds rivals_wait{1};
constexpr std::chrono::seconds description_deadline{3};
//
constexpr std::chrono::milliseconds short_pause{200};
constexpr std::chrono::milliseconds long_pause{1'000};
constexpr unsigned most_redirects = 3;
/// After this no other device is looked at.
constexpr std::chrono::seconds probes_end{8};

/// A status that says nothing but that the web server could not.
bool is_overwhelmed(const http_answer& answer) {
  if (answer.status < 500) return false;
  const auto read = decode_soap(answer);
  return !read && std::holds_alternative<http_failure>(read.error());
}

bool is_redirect(unsigned status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

igd_client::igd_client(search_place where, const ip_address& local, std::uint64_t& exchanges,
                       std::chrono::milliseconds patience)
    : where_(std::move(where)), local_(local), exchanges_(exchanges), patience_(patience) {}

// ---------------------------------------------------------------------------------------------
// Searching

void igd_client::find(bool brief) noexcept {
  if (device_ || search_wanted_) return;
  search_wanted_ = true;
  search_briefly_ = brief;
}

void igd_client::begin_search(time_point now) {
  if (!wants_search()) return;
  search_.emplace(where_, now, search_briefly_);
  search_reason_ = errc::no_answer;
}

void igd_client::on_no_channel() {
  if (search_wanted_) give_up_search(errc::network_down);
}

void igd_client::forget_device() {
  device_.reset();
  external_.reset();
  if (!open_ || open_->for_probe) return;
  abort();
  jobs_.front().begin_anew();
  if (jobs_.front().withdrawn) clean_up(take_job());
}

ssdp_search::heard igd_client::on_datagram(const endpoint& from, std::span<const std::byte> bytes) {
  if (!search_) return ssdp_search::heard::unusable;
  const auto heard = search_->on_datagram(from, bytes);
  // A stranger who answers first must not hold up the gateway.
  const bool preempts = heard == ssdp_search::heard::candidate && probe_ &&
                        from.address == where_.gateway && !probe_->candidate().is_gateway;
  if (preempts) {
    search_->give_back(probe_->candidate());
    probe_.reset();
    if (is_for_probe()) abort();
  }
  return heard;
}

time_point igd_client::decision_at() const noexcept {
  return fallback_ && !rivals_welcome_
             ? std::min(search_->began() + rivals_wait, search_->ends_at())
             : search_->ends_at();
}

void igd_client::pump_search(time_point now) {
  if (!search_) return;
  auto due = search_->due(now);
  messages_.insert(messages_.end(), std::make_move_iterator(due.begin()),
                   std::make_move_iterator(due.end()));
  if (is_decided(now)) return choose(*fallback_, now);
  pump_probe(now);
  if (is_decided(now)) return choose(*fallback_, now);
  if (search_ && !probe_ && now >= search_->ends_at()) give_up_search(search_reason_);
}

/// There is a device that will do, and no better one to wait for: the gateway itself, whose probe
/// is open, would be.
bool igd_client::is_decided(time_point now) const noexcept {
  const bool gateway_may_come = probe_ && probe_->candidate().is_gateway;
  return search_ && fallback_ && now >= decision_at() && !gateway_may_come;
}

void igd_client::pump_probe(time_point now) {
  while (search_ && !open_) {
    if (!probe_) {
      // Devices that answer the search and then are silent must not hold up everything.
      if (now >= search_->began() + probes_end) return;
      auto next = search_->take();
      if (!next) return;
      probe_.emplace(std::move(*next), where_);
      probe_repeats_ = false;
      pause_ = {};
      not_before_.reset();
    }
    if (is_paused(now)) return;
    if (!probe_->is_over()) {
      start(probe_->next(), probe_->candidate().answered_from);
      open_->for_probe = true;
      return;
    }
    on_probe_over(now);
  }
}

void igd_client::on_probe_over(time_point now) {
  const std::optional<igd_device> best = probe_->best();
  if (!best) search_reason_ = probe_->why();
  probe_.reset();
  if (!best) return;
  if (best->is_gateway && best->is_live()) return choose(*best, now);
  if (!fallback_ || is_better(*best, *fallback_)) fallback_ = best;
}

/// By value: it may be a part of the search that ends here.
void igd_client::choose(igd_device device, time_point now) {
  const bool moved = last_control_ && (last_control_->server != device.control.server ||
                                       last_control_->path != device.control.path ||
                                       last_boot_id_ != device.boot_id);
  end_search();
  const ip_address before = last_control_ ? last_control_->server.address : ip_address{};
  const bool is_another = last_control_ && before != device.control.server.address;
  if (is_another) leave_alone_what_was_made();
  if (moved || !last_control_) {
    habits_ = {.has_add_any =
                   device.kind == service_kind::wan_ip_connection && device.version >= 2};
    has_status_ = true;
    uptime_.reset();
    // After a restart the numbers are others'.
    for (auto& [key, each] : pinholes_) each.what.id.reset();
  }
  external_ = device.external;
  external_at_ = now;
  last_control_ = device.control;
  last_boot_id_ = device.boot_id;
  device_ = std::move(device);
  for (job& each : jobs_) each.reader_is_behind = true;
  events_.emplace_back(igd_event::found{moved, is_another, before});
}

/// What one device has made another one cannot delete: that it knows nothing of it says nothing.
/// Nor has it a port that is to be made sure of.
void igd_client::leave_alone_what_was_made() {
  const auto others = std::ranges::stable_partition(
      jobs_, [](const job& each) { return each.kind != job_kind::remove; });
  for (const job& each : others) fail(each, errc::no_answer);
  jobs_.erase(others.begin(), others.end());
  for (job& each : jobs_) {
    if (each.kind == job_kind::map && each.asked == map_purpose::create) each.forget_ports();
  }
  pinholes_.clear();
}

void igd_client::end_search() {
  search_.reset();
  search_wanted_ = rivals_welcome_ = false;
  fallback_.reset();
  if (is_for_probe()) abort();
  probe_.reset();
  messages_.clear();
}

bool igd_client::stop_search() {
  if (!search_wanted_ || !jobs_.empty()) return false;
  end_search();
  return true;
}

void igd_client::give_up_search(errc reason) {
  end_search();
  for (const job& each : std::exchange(jobs_, {})) fail(each, reason);
  events_.emplace_back(igd_event::not_found{reason});
}

// ---------------------------------------------------------------------------------------------
// Exchanges

void igd_client::start(igd_question asked, const ip_address& answered_from, unsigned redirects) {
  const bool is_action = asked.action.has_value();
  const http_id id{++exchanges_};
  outgoing_.emplace_back(send_http{
      .id = id,
      .remote = asked.target.server,
      .local = local_,
      .head_and_body =
          is_action ? make_http_post(asked.target, *asked.action) : make_http_get(asked.target),
      .body_limit = asked.body_limit,
      .deadline = is_action ? patience_ : description_deadline,
  });
  open_ = exchange{
      .id = id, .asked = std::move(asked), .answered_from = answered_from, .redirects = redirects};
}

void igd_client::abort() {
  if (!open_) return;
  outgoing_.emplace_back(cancel_http{open_->id});
  open_.reset();
}

/// Only to where the first request might have gone as well.
bool igd_client::follow(const http_response& response) {
  if (!is_redirect(response.status) || open_->redirects == most_redirects) return false;
  auto target = resolve_url(response.location, open_->asked.target.url,
                            where_.rule_for(open_->answered_from));
  if (!target) return false;
  exchange before = std::move(*open_);
  before.asked.target = std::move(*target);
  start(std::move(before.asked), before.answered_from, before.redirects + 1);
  open_->for_probe = before.for_probe;
  return true;
}

bool igd_client::on_response(const http_response& response, time_point now, random_source& random) {
  if (!open_ || open_->id != response.id) return false;
  if (response.peer != open_->asked.target.server) {
    on_exchange_failed(http_error::malformed, now);
    return true;
  }
  if (follow(response)) return true;
  const exchange ended = std::move(*open_);
  open_.reset();
  const http_answer answer{response.status, response.content_type, response.body};
  if (pause_.count() > 0) not_before_ = now + pause_;
  if (ended.for_probe) {
    if (is_overwhelmed(answer) && repeat_for_probe(now)) return true;
    probe_repeats_ = false;
    probe_->on_answer(answer, ended.asked.target);
  } else {
    on_job_answer(answer, now, random);
  }
  return true;
}

bool igd_client::on_failed(const http_failed& failed, time_point now) {
  if (!open_ || open_->id != failed.id) return false;
  on_exchange_failed(failed.error, now);
  return true;
}

void igd_client::on_exchange_failed(http_error error, time_point now) {
  const bool for_probe = open_->for_probe;
  open_.reset();
  if (for_probe) {
    if (error == http_error::broken && repeat_for_probe(now)) return;
    probe_repeats_ = false;
    return probe_->on_failure();
  }
  switch (error) {
    case http_error::refused:
      return on_job_failed(true, errc::port_closed, now);
    case http_error::unreachable:
      return on_job_failed(true, errc::network_down, now);
    case http_error::timed_out:
      return on_job_failed(true, errc::no_answer, now);
    case http_error::broken:
      return on_job_failed(false, errc::no_answer, now);
    case http_error::too_large:
    case http_error::malformed:
      return on_job_failed(false, errc::unusable_answer, now);
  }
}

// Many web servers of routers cannot do what they are asked if it comes too soon.

/// They are left alone for a while, and from now on between any two requests; for longer if that
/// was not enough.
void igd_client::slow_down(time_point now) {
  pause_ = pause_.count() == 0 ? short_pause : long_pause;
  not_before_ = now + long_pause;
}

bool igd_client::is_paused(time_point now) {
  if (not_before_ && now < *not_before_) return true;
  not_before_.reset();
  return false;
}

/// Once for each question.
bool igd_client::repeat_for_probe(time_point now) {
  if (std::exchange(probe_repeats_, true)) return false;
  slow_down(now);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Time

void igd_client::pump(time_point now) {
  pump_search(now);
  pump_jobs(now);
}

std::optional<time_point> igd_client::next_due() const noexcept {
  if (search_) {
    std::optional<time_point> next = search_->next_due();
    const auto consider = [&next](const std::optional<time_point>& at) {
      if (at && (!next || *at < *next)) next = at;
    };
    if (!probe_ || (fallback_ && !probe_->candidate().is_gateway)) consider(decision_at());
    if (probe_ && !open_) consider(not_before_);
    return next;
  }
  if (open_ || jobs_.empty() || search_wanted_) return std::nullopt;
  return not_before_;
}

}  // namespace damson
