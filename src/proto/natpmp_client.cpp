#include "proto/natpmp_client.hpp"

#include <algorithm>

namespace damson {
namespace {

bool makes_a_mapping(const natpmp_client::request& what) {
  return !what.is_address_question() && what.why != map_purpose::remove;
}

natpmp_opcode opcode_of(const natpmp_client::request& what) {
  return what.is_address_question() ? natpmp_opcode::address : map_opcode(what.map.transport);
}

/// More late answers than one request has tries are not waited for.
constexpr std::size_t most_late_answers = 5;

}  // namespace

bool natpmp_client::answers(const natpmp_response& response, time_point now) {
  const request& asked = queue_.front().what;
  if (response.opcode != opcode_of(asked)) return false;
  // What follows the result is not to be trusted.
  if (response.result != natpmp_result::success) {
    return !is_second_answer(response.opcode, now) && !repeats_last_unnamed(response, now);
  }
  if (!response.grant) return true;
  const bool is_delete = response.grant->lifetime.count() == 0;
  if (is_delete != (asked.why == map_purpose::remove)) return false;
  const std::uint16_t port = response.grant->internal_port;
  if (port == asked.map.internal_port) return true;
  return !ports_asked_for_.test(port) && !is_second_answer(response.opcode, now) &&
         !repeats_last_unnamed(response, now);
}

/// For answers that name no request. A wrong guess here costs one repetition.
bool natpmp_client::is_second_answer(natpmp_opcode opcode, time_point now) {
  late_answers& late = late_.at(static_cast<std::size_t>(opcode));
  if (late.count == 0 || now > late.until) return false;
  --late.count;
  return true;
}

/// The network makes copies, too. What looks the same is believed when the request was repeated.
bool natpmp_client::repeats_last_unnamed(const natpmp_response& response, time_point now) {
  const bool is_same = last_unnamed_ == response && now <= last_unnamed_until_;
  last_unnamed_ = response;
  last_unnamed_until_ = now + longest_delay;
  return is_same && queue_.front().tries->tries() == 1;
}

void natpmp_client::start_next(time_point now) {
  if (queue_.empty() || queue_.front().tries) return;
  entry& next = queue_.front();
  next.tries.emplace(*next.schedule, now);
  if (next.wait_until) next.tries->extend(*next.wait_until);
}

/// What was sent and not answered may be answered yet, when another request is in flight.
void natpmp_client::expect_late_answers(const entry& gone, std::size_t answered) {
  if (!gone.tries || gone.tries->tries() <= answered) return;
  late_answers& late = late_.at(static_cast<std::size_t>(opcode_of(gone.what)));
  if (gone.sent_at > late.until) late.count = 0;
  late.count = std::min(late.count + gone.tries->tries() - answered, most_late_answers);
  late.until = gone.sent_at + longest_delay;
}

/// A copy of a request for the port was answered.
void natpmp_client::note_answer(port_key of) {
  if (const auto found = grants_due_.find(of); found != grants_due_.end()) {
    found->second.answered();
  }
}

/// Of a request that is not in flight any more.
void natpmp_client::note_late_answer(const natpmp_response& response) {
  if (response.result == natpmp_result::success) {
    if (!response.grant || response.grant->lifetime.count() == 0) return;
    return note_answer(key_of(response.opcode, response.grant->internal_port));
  }
  // A refusal names no port: taken for the one to the request before the delete in flight.
  if (in_flight() && opcode_of(queue_.front().what) == response.opcode) {
    note_answer(key_of(queue_.front().what.map));
  }
}

bool natpmp_client::may_be_overtaken(transport which, std::uint16_t internal_port,
                                     time_point now) const {
  const auto found = grants_due_.find(key_of(map_opcode(which), internal_port));
  return found != grants_due_.end() && found->second.any(now);
}

natpmp_client::request natpmp_client::take_front(time_point now, std::size_t answered) {
  const request taken = queue_.front().what;
  if (answered > 0 && makes_a_mapping(taken)) note_answer(key_of(taken.map));
  expect_late_answers(queue_.front(), answered);
  queue_.pop_front();
  start_next(now);
  return taken;
}

void natpmp_client::ask(const request& what, const retransmit_schedule& schedule,
                        time_point needed_by, time_point now) {
  forget(what.mapping);
  if (!what.is_address_question()) ports_asked_for_.set(what.map.internal_port);
  // Mappings wait for the address, so that question goes before what is not sent yet.
  if (what.is_address_question()) needed_by = time_point::min();
  const auto not_sent = queue_.begin() + (in_flight() ? 1 : 0);
  const auto where =
      std::upper_bound(not_sent, queue_.end(), needed_by,
                       [](time_point by, const entry& each) { return by < each.needed_by; });
  if (where == queue_.begin() && !queue_.empty()) queue_.front().tries.reset();
  queue_.insert(where, entry{.what = what,
                             .schedule = &schedule,
                             .needed_by = needed_by,
                             .asked_at = now,
                             .wait_until = std::nullopt,
                             .tries = std::nullopt,
                             .sent_at = now});
  start_next(now);
}

bool natpmp_client::forget(mapping_id mapping) {
  return std::erase_if(queue_, [&](const entry& each) {
           if (each.what.mapping != mapping) return false;
           expect_late_answers(each, 0);
           return true;
         }) > 0;
}

void natpmp_client::extend(mapping_id mapping, time_point until) {
  for (entry& each : queue_) {
    if (each.what.mapping != mapping) continue;
    each.wait_until = until;
    if (each.tries) each.tries->extend(until);
  }
}

bool natpmp_client::is_open(mapping_id mapping) const {
  return std::ranges::any_of(queue_,
                             [&](const entry& each) { return each.what.mapping == mapping; });
}

std::size_t natpmp_client::tries(mapping_id mapping) const {
  return in_flight() == mapping ? queue_.front().tries->tries() : 0;
}

std::optional<mapping_id> natpmp_client::in_flight() const {
  if (queue_.empty() || !queue_.front().tries || queue_.front().tries->tries() == 0) {
    return std::nullopt;
  }
  return queue_.front().what.mapping;
}

std::size_t natpmp_client::in_flight_bytes() const {
  if (!in_flight()) return 0;
  return queue_.front().what.is_address_question() ? natpmp_address_request_bytes
                                                   : natpmp_map_request_bytes;
}

std::optional<time_point> natpmp_client::next_due() const {
  if (queue_.empty()) return std::nullopt;
  const entry& front = queue_.front();
  if (!front.tries) return front.asked_at;
  return front.tries->next_try().value_or(front.tries->gives_up_at());
}

natpmp_client::action natpmp_client::due(time_point now, random_source& random) {
  start_next(now);
  if (queue_.empty()) return {};
  retransmit& tries = *queue_.front().tries;
  if (now >= tries.gives_up_at()) return {.send = {}, .silent = take_front(now, 0)};
  const auto next = tries.next_try();
  if (!next || *next > now) return {};
  tries.tried(now, random);
  queue_.front().sent_at = now;
  const request& what = queue_.front().what;
  if (makes_a_mapping(what)) grants_due_[key_of(what.map)].sent(now);
  return {.send = what.is_address_question() ? encode_natpmp_address_request() : encode(what.map),
          .silent = std::nullopt};
}

std::optional<natpmp_client::answer> natpmp_client::match(const natpmp_response& response,
                                                          time_point now) {
  if (!in_flight() || !answers(response, now)) {
    note_late_answer(response);
    return std::nullopt;
  }
  return answer{.asked = take_front(now, 1), .response = response};
}

std::optional<natpmp_client::request> natpmp_client::take_in_flight(natpmp_opcode answered,
                                                                    time_point now) {
  if (!in_flight() || opcode_of(queue_.front().what) != answered) return std::nullopt;
  return take_front(now, 1);
}

}  // namespace damson
