#include "proto/ssdp_search.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace damson {
namespace {

using std::chrono::milliseconds;

/// When the rounds begin.
constexpr std::array rounds{milliseconds{0}, milliseconds{500}, milliseconds{1'000},
                            milliseconds{2'000}};
constexpr milliseconds target_gap{100};  ///< Q-75
constexpr std::chrono::seconds total{4};

/// As scopes name it.
std::uint32_t link_of(const search_place& where) noexcept {
  return where.gateway.scope() != 0 ? where.gateway.scope() : where.interface_index;
}

/// What a device is worth compared with others: more is greater.
auto worth(const igd_candidate& device) noexcept {
  return std::tuple{device.is_gateway, device.rank};
}

}  // namespace

ssdp_search::ssdp_search(search_place where, time_point start, bool brief)
    : where_(std::move(where)),
      start_(start),
      next_send_(start),
      rounds_left_(brief ? 1 : rounds.size()) {}

time_point ssdp_search::ends_at() const noexcept { return start_ + total; }

/// The gateway itself, which also opens the host's own firewall for its answer, then the
/// groups of its family, on its link.
std::vector<ip_address> ssdp_search::destinations() const {
  if (where_.only_gateway) return {where_.gateway};
  if (where_.gateway.is_v4()) return {where_.gateway, ssdp_group_v4};
  const std::uint32_t link = link_of(where_);
  return {where_.gateway, ip_address{ssdp_group_link_local.to_v6(), link},
          ip_address{ssdp_group_site_local.to_v6(), link}};
}

std::vector<ssdp_search::message> ssdp_search::due(time_point now) {
  if (!next_send_ || now < *next_send_) return {};
  std::vector<message> out;
  for (const ip_address& address : destinations()) {
    const endpoint to{address, ssdp_port};
    out.push_back({to, encode(search_request{search_targets.at(target_), to})});
  }
  next_send_ = now + target_gap;
  if (++target_ == search_targets.size()) {
    target_ = 0;
    if (--rounds_left_ == 0) {
      next_send_.reset();
    } else {
      next_send_ = std::max(*next_send_, start_ + rounds.at(rounds.size() - rounds_left_));
    }
  }
  return out;
}

bool ssdp_search::is_on_link(const ip_address& from) const {
  if (from == where_.gateway || where_.only_gateway) return from == where_.gateway;
  if (std::ranges::find(where_.user_addresses, from) != where_.user_addresses.end()) return true;
  if (from.is_v6() && from.is_link_local()) return from.scope() == link_of(where_);
  return std::ranges::any_of(where_.on_link, [&](const link_address& own) {
    return own.address != from && own.address.in_same_network(from, own.prefix_length);
  });
}

ssdp_search::heard ssdp_search::on_datagram(const endpoint& from,
                                            std::span<const std::byte> bytes) {
  if (!is_on_link(from.address)) return heard::off_link;
  auto answer = decode_ssdp(bytes);
  if (!answer || answer->kind != ssdp_kind::answer) return heard::malformed;
  igd_candidate found;
  found.rank = rank_of(*answer);
  if (found.rank.likelihood == device_likelihood::unlikely) return heard::unusable;
  auto target = resolve_url(answer->location, {}, where_.rule_for(from.address));
  if (!target) return heard::unusable;
  found.answered_from = from.address;
  found.description = std::move(*target);
  found.is_gateway = from.address == where_.gateway;
  found.boot_id = answer->boot_id;
  found.server = std::move(answer->server);

  const auto known = std::ranges::find_if(known_, [&](const known_device& each) {
    return each.device.answered_from == found.answered_from &&
           each.device.description.url == found.description.url;
  });
  if (known != known_.end()) {
    known->device.rank = std::max(known->device.rank, found.rank);
    return heard::duplicate;
  }
  if (!make_room(found)) return heard::unusable;
  known_.push_back({.device = std::move(found), .taken = false});
  return heard::candidate;
}

/// The first ones count, so that a flood changes nothing; only the gateway may push somebody out.
bool ssdp_search::make_room(const igd_candidate& newcomer) {
  const auto of_its_host = std::ranges::count_if(known_, [&](const known_device& each) {
    return each.device.answered_from == newcomer.answered_from;
  });
  if (std::cmp_greater_equal(of_its_host, most_candidates_of_one_host)) return false;
  if (known_.size() < most_candidates) return true;
  if (!newcomer.is_gateway) return false;
  const auto worst = std::ranges::find_if(
      known_, [](const known_device& each) { return !each.device.is_gateway && !each.taken; });
  if (worst == known_.end()) return false;
  known_.erase(worst);
  return true;
}

bool ssdp_search::has_candidate() const noexcept {
  return std::ranges::any_of(known_, [](const known_device& each) { return !each.taken; });
}

void ssdp_search::give_back(const igd_candidate& device) {
  for (known_device& each : known_) {
    if (each.device.answered_from == device.answered_from &&
        each.device.description.url == device.description.url) {
      each.taken = false;
    }
  }
}

std::optional<igd_candidate> ssdp_search::take() {
  known_device* best = nullptr;
  for (known_device& each : known_) {
    if (!each.taken && (best == nullptr || worth(each.device) > worth(best->device))) best = &each;
  }
  if (best == nullptr) return std::nullopt;
  best->taken = true;
  return best->device;
}

}  // namespace damson
