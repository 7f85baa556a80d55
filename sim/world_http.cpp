// HTTP in the virtual world: connecting takes a round trip, the request and its answer another.

#include <chrono>
#include <string>
#include <utility>

#include "sim/world.hpp"

namespace damson::sim {

namespace {

/// TCP's first waits before it sends again (RFC 6298), and after how many times it gives up here.
constexpr std::chrono::milliseconds connect_resend{1'000};
constexpr std::chrono::milliseconds data_resend{200};
constexpr unsigned most_resends = 6;

std::string field_of(const http_answer& answer, std::string_view name) {
  const std::string* const value = answer.message.field(name);
  return value == nullptr ? std::string{} : *value;
}

}  // namespace

void world::act(const send_http& what) {
  const std::size_t index = requests_.size();
  http_record record;
  record.at = now();
  record.id = what.id;
  record.local = {own_address(what.local), next_ephemeral_port_++};
  record.remote = what.remote;
  record.request = what.head_and_body;
  requests_.push_back(record);
  exchanges_.push_back({what.body_limit, {}, {}, 0, true});
  note_begin(record);
  if (http_courier) exchanges_.back().treatment = http_courier(record);
  if (!has_address(record.local.address) || !has_route_to(what.remote.address)) {
    exchanges_.back().treatment.end = http_treatment::outcome::unanswered;
    requests_.back().error = http_error::unreachable;
    schedule({}, http_step{http_stage::late, index});
    return;
  }
  schedule(what.deadline, http_step{http_stage::late, index});
  travel(http_stage::knock, index, exchanges_.back().treatment.connecting);
}

void world::act(const cancel_http& what) {
  for (std::size_t i = requests_.size(); i-- > 0;) {
    if (requests_[i].id != what.id) continue;
    requests_[i].cancelled = exchanges_[i].open;
    if (exchanges_[i].open) note_end(requests_[i]);
    stop_waiting(i);
    return;
  }
}

/// One way over the link. What is lost is sent again, later and later.
void world::travel(http_stage to, std::size_t index, std::chrono::nanoseconds wait) {
  const bool connecting = to == http_stage::knock || to == http_stage::connected;
  std::chrono::nanoseconds pause = connecting ? connect_resend : data_resend;
  for (unsigned resends = 0; chance(link_.loss_percent); ++resends) {
    if (resends == most_resends) return;
    wait += pause;
    pause *= 2;
  }
  schedule(wait + link_.latency, http_step{to, index});
}

void world::happen(const http_step& what) {
  const bool at_router = what.stage == http_stage::knock || what.stage == http_stage::request;
  if (!at_router && asleep_until_ && now_ < *asleep_until_) {
    schedule(*asleep_until_ - now_, what);
    return;
  }
  if (at_router) {
    what.stage == http_stage::knock ? knock(what.exchange) : serve(what.exchange);
    return;
  }
  // A host that has left its address hears nothing more; and who cancelled does not want to.
  const bool hears =
      what.stage == http_stage::late || has_address(requests_[what.exchange].local.address);
  if (!exchanges_[what.exchange].open || !hears) return;
  switch (what.stage) {
    case http_stage::connected:
      travel(http_stage::request, what.exchange);
      break;
    case http_stage::answer:
      deliver(what.exchange);
      break;
    case http_stage::refused:
      fail(what.exchange, http_error::refused);
      break;
    case http_stage::broken:
      fail(what.exchange, http_error::broken);
      break;
    case http_stage::late:
      fail(what.exchange, requests_[what.exchange].error.value_or(http_error::timed_out));
      break;
    case http_stage::knock:
    case http_stage::request:
      break;
  }
}

/// The first packet of a connection is at the router.
void world::knock(std::size_t index) {
  using outcome = http_treatment::outcome;
  const outcome end = exchanges_[index].treatment.end;
  const endpoint& remote = requests_[index].remote;
  router_node* node = node_at(remote.address);
  const bool is_there = node != nullptr && node->plugged && is_linked(*node);
  if (!is_there || end == outcome::unanswered) return;
  const bool listens = node->serving && node->http_serving &&
                       node->model->behaviour().speaks_upnp &&
                       node->model->upnp().http_port() == remote.port;
  travel(listens && end != outcome::refused ? http_stage::connected : http_stage::refused, index);
}

/// The request is at the router.
void world::serve(std::size_t index) {
  using outcome = http_treatment::outcome;
  http_exchange& exchange = exchanges_[index];
  http_record& record = requests_[index];
  router_node* node = node_at(record.remote.address);
  if (node == nullptr || !node->plugged || !is_linked(*node)) return;
  const bool listens =
      node->serving && node->http_serving && node->model->upnp().http_port() == record.remote.port;
  if (!listens || exchange.treatment.end == outcome::breaks_before) {
    travel(http_stage::broken, index);
    return;
  }
  record.served_at = now();
  ++router_changes_;
  http_answer answer = node->model->handle_http(now_, as_seen(*node, record.local), record.request);
  if (exchange.open) exchange.answer = std::move(answer);
  exchange.boot_id = node->model->upnp().boot_id();
  const auto processing = node->model->behaviour().upnp.processing + exchange.treatment.processing;
  if (exchange.treatment.end == outcome::answered) {
    travel(http_stage::answer, index, processing);
  } else if (exchange.treatment.end == outcome::breaks_after) {
    travel(http_stage::broken, index, processing);
  }
}

/// The answer is at the host.
void world::deliver(std::size_t index) {
  const http_exchange& exchange = exchanges_[index];
  const http_answer& answer = exchange.answer;
  const router_node* node = node_at(requests_[index].remote.address);
  if (node == nullptr || node->model->upnp().boot_id() != exchange.boot_id) {
    return fail(index, http_error::broken);  // it has restarted meanwhile
  }
  if (answer.message.body.size() > exchange.body_limit) return fail(index, http_error::too_large);
  requests_[index].status = answer.status;
  // Moved out, for the engine may ask for more exchanges while it reads.
  const http_answer content = std::move(exchanges_[index].answer);
  end(index);
  const std::string location = field_of(content, "Location");
  const std::string type = field_of(content, "Content-Type");
  const std::string subscription = field_of(content, "SID");
  const std::string timeout = field_of(content, "TIMEOUT");
  feed(http_response{requests_[index].id, content.status, requests_[index].local,
                     requests_[index].remote, location, type, content.message.body, subscription,
                     timeout});
}

void world::fail(std::size_t index, http_error why) {
  requests_[index].error = why;
  end(index);
  feed(http_failed{requests_[index].id, why});
}

/// What nobody will hear is not kept: answers may be long, and are forgotten only when no exchange
/// is under way.
void world::stop_waiting(std::size_t index) {
  exchanges_[index].open = false;
  const http_answer unheard = std::move(exchanges_[index].answer);
}

void world::end(std::size_t index) {
  stop_waiting(index);
  requests_[index].ended_at = now();
  note_end(requests_[index]);
}

}  // namespace damson::sim
