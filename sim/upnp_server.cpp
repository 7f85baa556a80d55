#include "sim/upnp_server.hpp"

#include <chrono>
#include <utility>

namespace damson::sim {

namespace {

using namespace std::chrono_literals;

/// Ports that a restarting web server moves through.
constexpr unsigned lowest_port = 1024;
constexpr unsigned port_count = 65'536 - lowest_port;
constexpr unsigned port_step = 37;

std::uint16_t moved_port(std::uint16_t first, std::uint32_t starts) {
  const unsigned steps = (first + port_count - lowest_port + port_step * (starts - 1)) % port_count;
  return static_cast<std::uint16_t>(lowest_port + steps);
}

std::string folder_name(std::uint32_t starts) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::uint32_t mixed = starts * 0x9e37'79b1U;
  std::string out = "/";
  for (int i = 0; i < 8; ++i, mixed >>= 4U) out += digits[mixed & 0xfU];
  return out + "/";
}

}  // namespace

upnp_server::upnp_server(const gateway_state& state, time_point now) { settle(state, now); }

void upnp_server::settle(const gateway_state& state, time_point now) {
  const upnp_profile& how = state.how.upnp;
  ++starts_;
  booted_ = now;
  where_.lan = state.lan;
  if (starts_ == 1) where_.port = how.http_port;
  if (how.http_port_moves && starts_ > 1) where_.port = moved_port(how.http_port, starts_);
  if (how.random_paths) where_.folder = folder_name(starts_);
  next_notify_.reset();
  if (how.notify_interval > 0s) next_notify_ = now + how.notify_interval;
}

void upnp_server::handle(const gateway_state& state, time_point now, const datagram& in) {
  const upnp_profile& how = state.how.upnp;
  const bool multicast = in.to.address == ssdp_group;
  const bool heard =
      how.searches == search_reach::everywhere ||
      how.searches == (multicast ? search_reach::multicast_only : search_reach::unicast_only);
  if (!heard) return;
  const auto search = read_search(in.bytes, state.lan);
  if (!search) return;
  const bool deaf =
      how.deaf_after_search > 0s && last_search_ && now - *last_search_ < how.deaf_after_search;
  last_search_ = now;
  if (deaf) return;
  const endpoint from{state.lan, how.ssdp_source_port};
  for (std::uint32_t i = 0; i < how.answer_copies; ++i) {
    post(now + how.answer_delay, from, in.from, search_answers(voice(state), search->target));
  }
}

http_answer upnp_server::handle_http(gateway_state& state, time_point now, const endpoint& from,
                                     std::string_view request) {
  const upnp_profile& how = state.how.upnp;
  const bool hasty =
      how.request_gap > 0s && last_request_ && now - *last_request_ < how.request_gap;
  last_request_ = now;
  web_visit visit(state, where_, booted_, now, from, calls_);
  return hasty ? visit.overwhelmed() : visit.answer(request);
}

std::vector<datagram> upnp_server::advance(const gateway_state& state, time_point now) {
  const std::chrono::seconds interval = state.how.upnp.notify_interval;
  if (next_notify_ && *next_notify_ <= now && interval > 0s) {
    // What nobody asked for in time is not made up for.
    if (now - *next_notify_ < interval) announce(state, now);
    const auto missed = (now - *next_notify_) / interval;
    *next_notify_ += interval * (missed + 1);
  }
  std::vector<datagram> out;
  while (!outbox_.empty() && outbox_.begin()->first <= now) {
    out.push_back(std::move(outbox_.begin()->second));
    outbox_.erase(outbox_.begin());
  }
  return out;
}

std::optional<time_point> upnp_server::deadline() const {
  auto first = next_notify_;
  if (!outbox_.empty() && (!first || outbox_.begin()->first < *first)) {
    first = outbox_.begin()->first;
  }
  return first;
}

void upnp_server::restart(const gateway_state& state, time_point now) {
  const endpoint from{state.lan, ssdp_port};
  outbox_.clear();
  if (state.how.upnp.says_byebye) {
    post(now, from, {ssdp_group, ssdp_port}, notifications(voice(state), false));
  }
  settle(state, now);
  announce(state, now);
}

void upnp_server::announce(const gateway_state& state, time_point now) {
  post(now, {state.lan, ssdp_port}, {ssdp_group, ssdp_port}, notifications(voice(state), true));
}

void upnp_server::post(time_point due, const endpoint& from, const endpoint& to,
                       std::vector<bytes> packets) {
  for (auto& packet : packets) outbox_.emplace(due, datagram{from, to, std::move(packet)});
}

}  // namespace damson::sim
