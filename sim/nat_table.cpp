#include "sim/nat_table.hpp"

#include <algorithm>
#include <ranges>

namespace damson::sim {

namespace {

/// Where the search for a free port starts again: the first port that is nobody's by custom.
constexpr std::uint16_t first_user_port = 1024;
constexpr std::uint16_t last_port = 65535;

transport other(transport what) { return what == transport::tcp ? transport::udp : transport::tcp; }

}  // namespace

bool peer_filter::lets_in(const endpoint& remote) const {
  if (port != 0 && port != remote.port) return false;
  const auto& wanted = address.to_v6();
  const auto& got = remote.address.to_v6();
  for (unsigned bit = 0; bit < prefix_length; ++bit) {
    const unsigned mask = 0x80U >> (bit % 8);
    if (((wanted[bit / 8] ^ got[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

bool nat_rule::lets_in(const endpoint& remote) const {
  return filters.empty() || std::ranges::any_of(filters, [&](const peer_filter& filter) {
           return filter.lets_in(remote);
         });
}

const nat_rule* nat_table::at_internal(transport what, const endpoint& internal) const {
  const auto ports = ports_of(what, internal);
  return ports.empty() ? nullptr : at_external(what, ports.front());
}

const nat_rule* nat_table::at_internal(transport what, const endpoint& internal,
                                       rule_owner owner) const {
  for (const std::uint16_t port : ports_of(what, internal)) {
    const nat_rule* rule = at_external(what, port);
    if (rule->owner == owner) return rule;
  }
  return at_internal(what, internal);
}

std::vector<std::uint16_t> nat_table::ports_of(transport what, const endpoint& internal) const {
  std::vector<std::uint16_t> out;
  for (auto it = by_internal_.lower_bound({what, internal, 0});
       it != by_internal_.end() && std::get<0>(*it) == what && std::get<1>(*it) == internal; ++it) {
    out.push_back(std::get<2>(*it));
  }
  return out;
}

const nat_rule* nat_table::at_external(transport what, std::uint16_t port) const {
  const auto found = by_external_.find({what, port});
  return found == by_external_.end() ? nullptr : &found->second;
}

void nat_table::put(nat_rule rule) {
  if (rule.owner == rule_owner::pcp || rule.owner == rule_owner::nat_pmp) {
    for (const std::uint16_t port : ports_of(rule.transport, rule.internal)) {
      if (at_external(rule.transport, port)->owner == rule.owner) {
        remove_external(rule.transport, port);
      }
    }
  }
  const external_key key{rule.transport, rule.external_port};
  if (!remove_external(rule.transport, rule.external_port)) ++changes_;
  by_internal_.emplace(rule.transport, rule.internal, rule.external_port);
  if (rule.expires) by_expiry_.emplace(*rule.expires, key);
  by_external_.emplace(key, std::move(rule));
}

bool nat_table::remove(transport what, const endpoint& internal) {
  const auto ports = ports_of(what, internal);
  for (const std::uint16_t port : ports) remove_external(what, port);
  return !ports.empty();
}

bool nat_table::remove_external(transport what, std::uint16_t port) {
  const external_key key{what, port};
  const auto found = by_external_.find(key);
  if (found == by_external_.end()) return false;
  ++changes_;
  const nat_rule& rule = found->second;
  if (rule.expires) by_expiry_.erase({*rule.expires, key});
  by_internal_.erase({what, rule.internal, port});
  by_external_.erase(found);
  return true;
}

std::size_t nat_table::remove_all(transport what, const ip_address& host, rule_owner owner) {
  std::vector<std::uint16_t> doomed;
  for (const auto& [key, rule] : by_external_) {
    if (rule.transport == what && rule.internal.address == host && rule.owner == owner) {
      doomed.push_back(rule.external_port);
    }
  }
  for (const std::uint16_t port : doomed) remove_external(what, port);
  return doomed.size();
}

const nat_flow* nat_table::flow(transport what, const endpoint& internal,
                                const endpoint& remote) const {
  const auto found = std::ranges::find_if(flows_, [&](const nat_flow& one) {
    return one.transport == what && one.internal == internal && one.remote == remote;
  });
  return found == flows_.end() ? nullptr : &*found;
}

const nat_flow* nat_table::flow_of(transport what, const endpoint& internal) const {
  const auto found = std::ranges::find_if(flows_, [&](const nat_flow& one) {
    return one.transport == what && one.internal == internal;
  });
  return found == flows_.end() ? nullptr : &*found;
}

void nat_table::put_flow(nat_flow flow) {
  remove_flow(flow);
  flows_.push_back(flow);
}

void nat_table::remove_flow(const nat_flow& flow) {
  std::erase_if(
      flows_, [ends = std::tuple{flow.transport, flow.internal, flow.remote}](const nat_flow& one) {
        return std::tuple{one.transport, one.internal, one.remote} == ends;
      });
}

std::optional<endpoint> nat_table::way_in(transport what, const endpoint& remote,
                                          std::uint16_t port) const {
  for (const nat_flow& one : flows_) {
    if (one.transport == what && one.external_port == port && one.remote == remote) {
      return one.internal;
    }
  }
  const nat_rule* rule = at_external(what, port);
  if (rule == nullptr || !rule->lets_in(remote)) return std::nullopt;
  return rule->internal;
}

void nat_table::remove_expired(time_point now) {
  std::erase_if(flows_, [now](const nat_flow& one) { return one.expires <= now; });
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now) {
    const auto [what, port] = by_expiry_.begin()->second;
    remove_external(what, port);
  }
}

std::optional<time_point> nat_table::next_expiry() const {
  std::optional<time_point> first;
  if (!by_expiry_.empty()) first = by_expiry_.begin()->first;
  for (const nat_flow& one : flows_) {
    if (!first || one.expires < *first) first = one.expires;
  }
  return first;
}

bool nat_table::is_free(transport what, std::uint16_t port,
                        const std::optional<ip_address>& host) const {
  if (port == 0 || at_external(what, port) != nullptr) return false;
  const bool has_flows = std::ranges::any_of(flows_, [&](const nat_flow& one) {
    return one.transport == what && one.external_port == port;
  });
  if (has_flows) return false;
  if (!host) return true;
  const nat_rule* twin = at_external(other(what), port);
  return twin == nullptr || twin->internal.address == *host;
}

std::uint16_t nat_table::free_port(transport what, std::uint16_t from,
                                   const std::optional<ip_address>& host) const {
  std::uint16_t port = std::max(from, std::uint16_t{1});
  for (std::size_t tried = 0; tried <= last_port; ++tried) {
    if (is_free(what, port, host)) return port;
    port = port == last_port ? first_user_port : static_cast<std::uint16_t>(port + 1);
  }
  return 0;
}

std::uint16_t nat_table::free_row(transport what, std::uint16_t from, std::uint16_t count) const {
  std::uint32_t port = std::max(from, std::uint16_t{1});
  for (std::size_t tried = 0; tried <= last_port; ++tried) {
    std::uint16_t free = 0;
    while (free < count && port + free <= last_port &&
           is_free(what, static_cast<std::uint16_t>(port + free), std::nullopt)) {
      ++free;
    }
    if (free == count) return static_cast<std::uint16_t>(port);
    port = port >= last_port ? first_user_port : port + 1;
  }
  return 0;
}

std::vector<nat_rule> nat_table::set_of(const nat_rule& rule) const {
  if (rule.set_begins == 0) return {rule};
  std::vector<nat_rule> out;
  for (const auto& [key, each] : by_external_) {
    const bool is_its = each.owner == rule.owner && each.transport == rule.transport &&
                        each.internal.address == rule.internal.address &&
                        each.set_begins == rule.set_begins;
    if (is_its) out.push_back(each);
  }
  return out;
}

std::size_t nat_table::count_of(const ip_address& host) const {
  const auto is_its = [&](const auto& one) { return one.internal.address == host; };
  return static_cast<std::size_t>(std::ranges::count_if(std::views::values(by_external_), is_its) +
                                  std::ranges::count_if(flows_, is_its));
}

std::vector<nat_rule> nat_table::rules() const {
  std::vector<nat_rule> out;
  out.reserve(by_external_.size());
  for (const auto& [key, rule] : by_external_) out.push_back(rule);
  return out;
}

void nat_table::clear() {
  ++changes_;
  by_external_.clear();
  by_internal_.clear();
  by_expiry_.clear();
  flows_.clear();
}

}  // namespace damson::sim
