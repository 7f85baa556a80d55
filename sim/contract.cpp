#include "sim/contract.hpp"

#include <chrono>
#include <string>
#include <variant>

namespace damson::sim {

namespace {

/// No drain can rightly make more: every mapping sends and tells a few things at most.
constexpr std::size_t most_outputs = 8 * engine_limits::mappings;

}  // namespace

void contract_watch::fail(const std::string& what) const {
  throw contract_broken("engine contract broken at " +
                        std::to_string(now_.time_since_epoch().count()) + " ns: " + what);
}

void contract_watch::on_input(time_point now, const input& what) {
  if (now < now_) fail("time runs backwards (the test's fault)");
  now_ = now;
  outputs_in_drain_ = 0;
  if (const auto* create = std::get_if<create_mapping>(&what)) {
    const auto id = static_cast<std::uint64_t>(create->id);
    if (id <= last_mapping_) fail("mapping ids do not go up (the test's fault)");
    last_mapping_ = id;
    mappings_.emplace(id, parts{});
  } else if (const auto* opened = std::get_if<channel_opened>(&what)) {
    const auto found = channels_.find(static_cast<std::uint32_t>(opened->channel));
    if (found != channels_.end()) found->second = channel_state::open;
  } else if (const auto* failed = std::get_if<channel_failed>(&what)) {
    if (failed->error == channel_error::cannot_open) {
      channels_.erase(static_cast<std::uint32_t>(failed->channel));
    }
  } else if (const auto* answer = std::get_if<http_response>(&what)) {
    exchanges_.erase(static_cast<std::uint64_t>(answer->id));
  } else if (const auto* no_answer = std::get_if<http_failed>(&what)) {
    exchanges_.erase(static_cast<std::uint64_t>(no_answer->id));
  } else if (const auto* event = std::get_if<event_received>(&what)) {
    if (!closed_) events_.insert(static_cast<std::uint64_t>(event->id));
  } else if (const auto* question = std::get_if<discover>(&what)) {
    const auto id = static_cast<std::uint64_t>(question->id);
    if (id <= last_discovery_) fail("discovery ids do not go up (the test's fault)");
    last_discovery_ = id;
    if (!closing_) discoveries_.insert(id);
  } else if (const auto* unwanted = std::get_if<cancel_discovery>(&what)) {
    discoveries_.erase(static_cast<std::uint64_t>(unwanted->id));
  } else if (const auto* asked = std::get_if<ask_router>(&what)) {
    const auto id = static_cast<std::uint64_t>(asked->id);
    if (id <= last_question_) fail("router question ids do not go up (the test's fault)");
    last_question_ = id;
    if (!closing_) questions_.insert(id);
  } else if (const auto* dropped = std::get_if<cancel_router_question>(&what)) {
    questions_.erase(static_cast<std::uint64_t>(dropped->id));
  } else if (std::holds_alternative<close_engine>(what)) {
    closing_ = true;
    discoveries_.clear();
    questions_.clear();
  }
}

void contract_watch::on_output(const output& what) {
  if (closed_) fail("an output after engine_closed");
  if (++outputs_in_drain_ > most_outputs) fail("poll() does not become empty");
  if (const auto* open = std::get_if<open_channel>(&what)) {
    on_open(open->channel);
  } else if (const auto* listen = std::get_if<listen_for_events>(&what)) {
    on_open(listen->channel);
    if (listen->local.is_unspecified()) fail("listen_for_events on every address");
    if (listen->peer.is_unspecified()) fail("listen_for_events to anybody");
  } else if (const auto* answered = std::get_if<answer_event>(&what)) {
    if (events_.erase(static_cast<std::uint64_t>(answered->id)) == 0) {
      fail("answer_event for what nobody waits for");
    }
  } else if (const auto* shut = std::get_if<close_channel>(&what)) {
    if (channels_.erase(static_cast<std::uint32_t>(shut->channel)) == 0) {
      fail("close_channel for a channel that is not there");
    }
  } else if (const auto* send = std::get_if<send_datagram>(&what)) {
    on_send(*send);
  } else if (const auto* request = std::get_if<send_http>(&what)) {
    on_request(*request);
  } else if (const auto* unwanted = std::get_if<cancel_http>(&what)) {
    if (exchanges_.erase(static_cast<std::uint64_t>(unwanted->id)) == 0) {
      fail("cancel_http for an exchange that is not under way");
    }
  } else if (const auto* event = std::get_if<mapping_event>(&what)) {
    on_event(*event);
  } else if (const auto* found = std::get_if<discovered>(&what)) {
    if (discoveries_.erase(static_cast<std::uint64_t>(found->id)) == 0) {
      fail("discovered for what nobody asked, or not any more");
    }
  } else if (const auto* answer = std::get_if<router_answered>(&what)) {
    on_answer(*answer);
  } else if (std::holds_alternative<engine_closed>(what)) {
    if (!closing_) fail("engine_closed without close_engine");
    if (!mappings_.empty()) fail("engine_closed before every mapping was removed");
    closed_ = true;
  }
}

void contract_watch::on_open(channel_id channel) {
  const auto id = static_cast<std::uint32_t>(channel);
  if (id <= last_channel_) fail("a channel id used twice, or out of order");
  last_channel_ = id;
  channels_.emplace(id, channel_state::asked);
}

void contract_watch::on_send(const send_datagram& send) {
  const auto found = channels_.find(static_cast<std::uint32_t>(send.channel));
  if (found == channels_.end() || found->second != channel_state::open) {
    fail("send_datagram on a channel that is not open");
  }
  if (send.bytes.empty() || send.bytes.size() > engine_limits::datagram_bytes) {
    fail("send_datagram with " + std::to_string(send.bytes.size()) + " bytes");
  }
}

void contract_watch::on_request(const send_http& request) {
  const auto id = static_cast<std::uint64_t>(request.id);
  if (id <= last_exchange_) fail("an http id used twice, or out of order");
  last_exchange_ = id;
  exchanges_.insert(id);
  if (request.remote.port == 0 || request.remote.address.is_unspecified()) {
    fail("send_http to nowhere");
  }
  if (request.deadline <= std::chrono::milliseconds{0}) fail("send_http without a deadline");
  if (request.body_limit == 0) fail("send_http without a limit for the body");
  if (!request.head_and_body.contains("\r\n\r\n")) fail("send_http without a whole head");
}

void contract_watch::on_answer(const router_answered& answer) {
  if (questions_.erase(static_cast<std::uint64_t>(answer.id)) == 0) {
    fail("router_answered for what nobody asked, or not any more");
  }
  if (answer.why.reason == errc{} && !answer.why.protocols.empty()) {
    fail("router_answered with an account and no reason");
  }
  if (answer.entries.size() > engine_limits::router_entries) {
    fail("router_answered with " + std::to_string(answer.entries.size()) + " entries");
  }
}

void contract_watch::on_event(const mapping_event& event) {
  const auto id = static_cast<std::uint64_t>(event.info.id);
  const auto fail_with = [&](const std::string& what) {
    fail(std::string(to_string(event.kind)) + " for " + std::to_string(id) + what);
  };
  const auto found = mappings_.find(id);
  if (found == mappings_.end()) {
    fail_with(id <= last_mapping_ ? " after its removed" : ", which was never created");
  }
  if (event.kind == event_kind::removed) {
    if (event.info.part != 0) fail_with(" of a part");
    mappings_.erase(found);
    return;
  }
  auto& [state, ever_up] = found->second[event.info.part];
  switch (event.kind) {
    case event_kind::mapped:
      if (state == mapping_state::up && !event.regained) fail_with(", which is mapped already");
      if (event.regained != ever_up) fail_with(": regained is wrong");
      if (event.info.internal.port == 0 || event.info.external.port == 0) {
        fail_with(": a port is 0");
      }
      state = mapping_state::up;
      ever_up = true;
      break;
    case event_kind::changed:
      if (state != mapping_state::up) fail_with(", which is not mapped");
      break;
    case event_kind::lost:
      if (state != mapping_state::up && !event.gone) fail_with(", which is not mapped");
      if (event.gone && event.info.part == 0) fail_with(": gone without being a part");
      state = mapping_state::down;
      break;
    case event_kind::failed:
      if (state == mapping_state::up) fail_with(", which is mapped: lost has to come first");
      if (event.why.reason == errc{}) fail_with(" without a reason");
      state = mapping_state::down;
      break;
    case event_kind::removed:
      break;
  }
}

void contract_watch::on_drained(time_point now, const engine& watched) {
  const auto deadline = watched.deadline();
  const auto mapping_count = watched.mapping_count();
  if (deadline && *deadline <= now) {
    fail("the deadline after a drain is " + std::to_string((now - *deadline).count()) +
         " ns before now");
  }
  if (!events_.empty()) fail("an event without an answer_event");
  if (closed_ && deadline) fail("a deadline after engine_closed");
  if (mapping_count != alive()) {
    fail("mapping_count() is " + std::to_string(mapping_count) + ", created and not removed are " +
         std::to_string(alive()));
  }
  const bool has_work =
      alive() > 0 || !discoveries_.empty() || !questions_.empty() || (closing_ && !closed_);
  // It may also be tidying up after what was called off.
  if (has_work && !watched.is_busy()) fail("is_busy() is wrong");
  if (closed_ && watched.is_busy()) fail("is_busy() after engine_closed");
}

}  // namespace damson::sim
