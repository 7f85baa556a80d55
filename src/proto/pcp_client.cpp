#include "proto/pcp_client.hpp"

#include <algorithm>
#include <utility>

namespace damson {
namespace {

std::optional<time_point> next_of(const retransmit& tries) {
  return tries.next_try().value_or(tries.gives_up_at());
}

/// Sends when a try is due, gives up when the wait is over, else does nothing.
template <class Encode>
pcp_client::action step(retransmit& tries, time_point now, random_source& random,
                        Encode&& encode_it) {
  if (now >= tries.gives_up_at()) return {.send = {}, .silent = true};
  const auto next = tries.next_try();
  if (!next || *next > now) return {};
  tries.tried(now, random);
  return {.send = encode_it(), .silent = false};
}

/// An error copies the request (RFC 6887 section 8.2), so it tells which of two it is about.
bool refuses_another_request(const pcp_response& response, const endpoint& suggested,
                             const std::optional<endpoint>& suggested_before) {
  return response.result != pcp_result::success && suggested_before &&
         *suggested_before != suggested && response.map->external == *suggested_before;
}

/// Nor is a request without options refused for one, if the one before had some.
bool refuses_other_options(const pcp_response& response, const pcp_map_request& request,
                           bool had_options_before) {
  return is_about_options(response.result) && had_options_before && !request.has_options();
}

}  // namespace

void pcp_client::leave_window(exchange& what, void (send_window::*how)() noexcept) noexcept {
  if (std::exchange(what.is_in_window, false)) (window_.*how)();
}

void pcp_client::close(exchange& what, stage as) noexcept {
  const stage was = std::exchange(what.at, as);
  if (was == stage::open) --open_;
  if (was == stage::waiting) --waiting_;
  leave_window(what, as == stage::answered ? &send_window::answered : &send_window::withdrawn);
}

void pcp_client::ask(mapping_id mapping, map_purpose why, const pcp_map_request& request,
                     const retransmit_schedule& schedule) {
  std::optional<endpoint> suggested_before;
  bool had_options_before = false;
  unanswered_copies grants_due;
  if (const auto found = exchanges_.find(mapping); found != exchanges_.end()) {
    suggested_before = found->second.request.suggested_external;
    had_options_before = found->second.request.has_options();
    grants_due = found->second.grants_due;
  }
  forget(mapping);
  exchanges_.emplace(mapping, exchange{.why = why,
                                       .request = request,
                                       .schedule = &schedule,
                                       .tries = retransmit{schedule, {}},
                                       .suggested_before = suggested_before,
                                       .had_options_before = had_options_before,
                                       .grants_due = grants_due});
  by_nonce_.emplace(request.nonce, mapping);
  (why == map_purpose::remove ? deletes_ : line_).push_back(mapping);
  ++waiting_;
}

std::optional<mapping_id> pcp_client::take_from(std::deque<mapping_id>& line) {
  while (!line.empty()) {
    const mapping_id next = line.front();
    line.pop_front();
    if (is_waiting(next)) return next;
  }
  return std::nullopt;
}

std::optional<mapping_id> pcp_client::admit(time_point now) {
  if (!window_.has_room()) return std::nullopt;
  auto next = take_from(deletes_);
  if (!next) next = take_from(line_);
  if (!next) return std::nullopt;
  exchange& what = exchanges_.at(*next);
  what.at = stage::open;
  what.tries = retransmit{*what.schedule, now};
  what.is_in_window = true;
  window_.sent();
  --waiting_;
  ++open_;
  return next;
}

bool pcp_client::is_waiting(mapping_id mapping) const {
  const auto found = exchanges_.find(mapping);
  return found != exchanges_.end() && found->second.at == stage::waiting;
}

std::vector<mapping_id> pcp_client::give_up_waiting() {
  std::vector<mapping_id> out;
  for (auto* line : {&deletes_, &line_}) {
    while (const auto next = take_from(*line)) {
      close(exchanges_.at(*next), stage::given_up);
      out.push_back(*next);
    }
  }
  return out;
}

void pcp_client::give_up(mapping_id mapping) {
  const auto found = exchanges_.find(mapping);
  if (found == exchanges_.end() || found->second.at == stage::answered) return;
  close(found->second, stage::given_up);
}

void pcp_client::forget(mapping_id mapping) {
  const auto found = exchanges_.find(mapping);
  if (found == exchanges_.end()) return;
  close(found->second, stage::given_up);
  by_nonce_.erase(found->second.request.nonce);
  exchanges_.erase(found);
}

void pcp_client::extend(mapping_id mapping, time_point until) {
  if (const auto found = exchanges_.find(mapping); found != exchanges_.end()) {
    found->second.tries.extend(until);
  }
}

std::vector<mapping_id> pcp_client::open_mappings() const {
  std::vector<mapping_id> out;
  for (const auto& [mapping, what] : exchanges_) {
    if (what.at == stage::open) out.push_back(mapping);
  }
  std::ranges::sort(out);
  return out;
}

bool pcp_client::is_open(mapping_id mapping) const {
  const auto found = exchanges_.find(mapping);
  return found != exchanges_.end() &&
         (found->second.at == stage::open || found->second.at == stage::waiting);
}

std::size_t pcp_client::tries(mapping_id mapping) const {
  const auto found = exchanges_.find(mapping);
  return found == exchanges_.end() ? 0 : found->second.tries.tries();
}

bool pcp_client::may_be_overtaken(mapping_id mapping, time_point now) const {
  const auto found = exchanges_.find(mapping);
  return found != exchanges_.end() && found->second.grants_due.any(now);
}

std::optional<time_point> pcp_client::next_due(mapping_id mapping) const {
  const auto found = exchanges_.find(mapping);
  if (found == exchanges_.end() || found->second.at != stage::open) return std::nullopt;
  return next_of(found->second.tries);
}

pcp_client::action pcp_client::due(mapping_id mapping, time_point now, random_source& random) {
  const auto found = exchanges_.find(mapping);
  if (found == exchanges_.end() || found->second.at != stage::open) return {};
  exchange& what = found->second;
  const action todo = step(what.tries, now, random, [&] { return encode(what.request); });
  if (todo.silent) close(what, stage::given_up);
  if (todo.send.empty()) return todo;
  if (what.why != map_purpose::remove) what.grants_due.sent(now);
  if (what.tries.tries() > 1) leave_window(what, &send_window::lost);
  return todo;
}

void pcp_client::check(const ip_address& client, const retransmit_schedule& schedule,
                       time_point now) {
  if (check_) return;
  check_.emplace(check_exchange{.client = client, .tries = retransmit{schedule, now}});
}

std::optional<time_point> pcp_client::check_next_due() const {
  if (!check_) return std::nullopt;
  return next_of(check_->tries);
}

pcp_client::action pcp_client::check_due(time_point now, random_source& random) {
  if (!check_) return {};
  const action todo = step(check_->tries, now, random,
                           [&] { return encode(pcp_announce_request{.client = check_->client}); });
  if (todo.silent) check_.reset();
  return todo;
}

std::optional<pcp_client::answer> pcp_client::match(const pcp_response& response) {
  if (!response.map) return std::nullopt;
  const auto named = by_nonce_.find(response.map->nonce);
  if (named == by_nonce_.end()) return std::nullopt;
  exchange& what = exchanges_.at(named->second);
  const bool deleted = response.result == pcp_result::success && response.lifetime.count() == 0;
  const bool granted = response.result == pcp_result::success && response.lifetime.count() > 0;
  // A delete can overtake the request that it is about, whose grant then needs another delete.
  const bool overtaken = granted && what.why == map_purpose::remove;
  const auto asked = what.request.remote_peer ? pcp_opcode::peer : pcp_opcode::map;
  if (response.opcode != asked ||
      response.map->protocol_number != protocol_number(what.request.transport) ||
      response.map->internal_port != what.request.internal_port ||
      response.map->remote_peer != what.request.remote_peer) {
    return std::nullopt;
  }
  if (!deleted && (granted || what.why != map_purpose::remove)) what.grants_due.answered();
  if ((what.at == stage::answered && !overtaken) ||
      refuses_another_request(response, what.request.suggested_external, what.suggested_before) ||
      refuses_other_options(response, what.request, what.had_options_before)) {
    return std::nullopt;
  }

  answer found{.mapping = named->second,
               .asked = what.why,
               .late = what.at != stage::open,
               .result = response.result,
               .lifetime = response.lifetime,
               .external = response.map->external,
               .port_count = std::min(response.map->port_count, what.request.port_count)};
  if (overtaken || (deleted && what.why != map_purpose::remove)) {
    found.late = true;
  } else if (what.at != stage::waiting) {
    close(what, stage::answered);
  }
  return found;
}

}  // namespace damson
