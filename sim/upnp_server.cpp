#include "sim/upnp_server.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "sim/upnp_actions.hpp"

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

/// The address under which the router answers: the one that was asked, or, where everybody was,
/// that of the asker's family.
ip_address address_for(const gateway_state& state, const datagram& in) {
  if (!is_ssdp_group(in.to.address)) return in.to.address;
  if (in.from.address.is_v4() || state.lan_v6.empty()) return state.lan;
  const auto same_scope =
      std::ranges::find(state.lan_v6, in.from.address.is_link_local(), &ip_address::is_link_local);
  return same_scope == state.lan_v6.end() ? state.lan_v6.front() : *same_scope;
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
  const bool multicast = is_ssdp_group(in.to.address);
  const bool heard =
      how.searches == search_reach::everywhere ||
      how.searches == (multicast ? search_reach::multicast_only : search_reach::unicast_only);
  if (!heard) return;
  const ip_address own = address_for(state, in);
  const auto search = read_search(in.bytes, own);
  if (!search) return;
  const bool deaf =
      how.deaf_after_search > 0s && last_search_ && now - *last_search_ < how.deaf_after_search;
  last_search_ = now;
  if (deaf) return;
  const endpoint from{own, how.ssdp_source_port};
  const upnp_site here = site_at(own);
  for (std::uint32_t i = 0; i < how.answer_copies; ++i) {
    post(now + how.answer_delay, from, in.from,
         search_answers({how, here, starts_}, search->target));
  }
}

http_answer upnp_server::handle_http(gateway_state& state, time_point now, const endpoint& from,
                                     std::string_view request) {
  const upnp_profile& how = state.how.upnp;
  const bool hasty =
      how.request_gap > 0s && last_request_ && now - *last_request_ < how.request_gap;
  last_request_ = now;
  web_visit visit(state, where_, booted_, now, from, calls_, events_);
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
  outbox_.clear();
  events_.forget();
  if (state.how.upnp.says_byebye) notify(state, now, false);
  settle(state, now);
  announce(state, now);
}

void upnp_server::announce(const gateway_state& state, time_point now) { notify(state, now, true); }

void upnp_server::notify(const gateway_state& state, time_point now, bool alive) {
  const upnp_profile& how = state.how.upnp;
  post(now, {state.lan, ssdp_port}, {ssdp_group, ssdp_port},
       notifications({how, where_, starts_}, ssdp_group, alive));
  for (const ip_address& own : state.lan_v6) {
    // From each address to the group of its scope (UDA 1.1 annex A.2).
    const ip_address& group = ssdp_groups_v6[own.is_link_local() ? 0 : 1];
    const upnp_site here = site_at(own);
    post(now, {own, ssdp_port}, {group, ssdp_port},
         notifications({how, here, starts_}, group, alive));
  }
}

upnp_site upnp_server::site_at(const ip_address& own) const {
  upnp_site out = where_;
  // A scope is the host's own affair, and no part of a URL.
  if (own != where_.lan) out.alias = ip_address{own.to_v6()};
  return out;
}

std::vector<event_message> upnp_server::take_events(const gateway_state& state, time_point now) {
  if (events_.size() == 0) return {};
  const upnp_profile& how = state.how.upnp;
  const upnp_device root = device_tree(how, where_, shown_version(how, ""));
  return events_.take(now, [&](const std::string& path) -> std::optional<soap_arguments> {
    for (const upnp_service& service : services_of(root)) {
      if (service.event_path != path) continue;
      return evented_values(state, {now, booted_, {}, service, connection_names(root)});
    }
    return std::nullopt;
  });
}

void upnp_server::post(time_point due, const endpoint& from, const endpoint& to,
                       std::vector<bytes> packets) {
  for (auto& packet : packets) outbox_.emplace(due, datagram{from, to, std::move(packet)});
}

}  // namespace damson::sim
