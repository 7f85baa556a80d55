#include "net/netlink_parser.hpp"

#include <linux/if_link.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "net/netlink_message.hpp"

namespace damson::net {

namespace {

constexpr std::size_t most_links = 4'096;

/// The next hop, or the unspecified address for one that nothing can be sent to.
ip_address gateway_or_none(const std::optional<ip_address>& gateway, int family) {
  const bool usable =
      gateway && !gateway->is_unspecified() && !gateway->is_loopback() && !gateway->is_multicast();
  if (usable) return *gateway;
  return family == AF_INET ? ip_address::any_v4() : ip_address::any_v6();
}

std::error_code error_of(const nlmsghdr* message) {
  const auto error = header_of<nlmsgerr>(message);
  if (!error) return make_error_code(std::errc::bad_message);
  return {-error->error, std::system_category()};
}

/// The number that NLMSG_DONE carries where a dump failed half-way.
std::error_code error_at_end(const nlmsghdr* message) {
  const int status = header_of<int>(message).value_or(0);
  return status < 0 ? std::error_code{-status, std::system_category()} : std::error_code{};
}

}  // namespace

std::expected<dump_progress, std::error_code> netlink_parser::add(
    std::span<const std::byte> datagram, std::uint32_t sequence) {
  while (const nlmsghdr* message = take_message(datagram)) {
    if (message->nlmsg_seq != sequence) continue;
    if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted_ = true;
    switch (message->nlmsg_type) {
      case NLMSG_DONE:
        if (const auto error = error_at_end(message)) return std::unexpected{error};
        return dump_progress::done;
      case NLMSG_ERROR:
        if (const auto error = error_of(message)) return std::unexpected{error};
        break;
      case NLMSG_OVERRUN:
        interrupted_ = true;
        break;
      case RTM_NEWLINK:
        add_link(message);
        break;
      case RTM_NEWADDR:
        add_address(message);
        break;
      case RTM_NEWROUTE:
        add_route(message);
        break;
      default:
        break;
    }
  }
  if (!datagram.empty()) return std::unexpected{make_error_code(std::errc::bad_message)};
  return dump_progress::more;
}

void netlink_parser::add_link(const nlmsghdr* message) {
  const auto header = header_of<ifinfomsg>(message);
  if (!header || header->ifi_index <= 0 || links_.size() >= most_links) return;
  const attribute_table attributes{bytes_after(message, sizeof(ifinfomsg))};
  links_[static_cast<std::uint32_t>(header->ifi_index)] = {attributes.text(IFLA_IFNAME),
                                                           is_running(*header)};
}

void netlink_parser::add_address(const nlmsghdr* message) {
  const auto header = header_of<ifaddrmsg>(message);
  if (!header || !is_ip(header->ifa_family) || header->ifa_index == 0) return;
  if (addresses_.size() >= engine_limits::interface_addresses) return;
  const int family = header->ifa_family;
  const unsigned longest_prefix = family == AF_INET ? 32 : 128;
  if (header->ifa_prefixlen > longest_prefix) return;
  const attribute_table attributes{bytes_after(message, sizeof(ifaddrmsg))};
  const std::uint32_t flags = flags_of(*header, attributes);
  if (!is_usable(flags)) return;

  // On point-to-point links IFA_ADDRESS is the other end.
  const auto which = attributes.has(IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS;
  const auto address = attributes.address(which, family, header->ifa_index);
  if (!address || address->is_unspecified()) return;
  addresses_.push_back({.address = *address,
                        .prefix_length = header->ifa_prefixlen,
                        .interface_index = header->ifa_index,
                        .interface_name = {},
                        // For IPv4 the same bit says "secondary".
                        .temporary = family == AF_INET6 && (flags & IFA_F_TEMPORARY) != 0,
                        .deprecated = (flags & IFA_F_DEPRECATED) != 0});
}

void netlink_parser::add_route(const nlmsghdr* message) {
  const auto header = header_of<rtmsg>(message);
  if (!header || !is_default(*header)) return;
  // Blackholes and the like are of other types.
  if (header->rtm_type != RTN_UNICAST) return;
  // Table numbers that do not fit into the byte read as "compat".
  if (header->rtm_table != RT_TABLE_MAIN && header->rtm_table != RT_TABLE_COMPAT) return;

  constexpr unsigned unusable = RTNH_F_DEAD | RTNH_F_LINKDOWN;
  const int family = header->rtm_family;
  const attribute_table attributes{bytes_after(message, sizeof(rtmsg))};
  const bool in_main_table = header->rtm_table == RT_TABLE_MAIN;
  const std::uint32_t metric = attributes.number(RTA_PRIORITY).value_or(0);
  const auto keep = [&](const attribute_table& hop, std::uint32_t interface_index) {
    auto source = attributes.address(RTA_PREFSRC, family, interface_index);
    if (source && source->is_unspecified()) source.reset();
    const auto gateway = hop.address(RTA_GATEWAY, family, interface_index);
    keep_route({{.gateway = gateway_or_none(gateway, family),
                 .interface_index = interface_index,
                 .metric = metric,
                 .preferred_source = source},
                in_main_table});
  };

  const auto hops = attributes.payload(RTA_MULTIPATH);
  if (!hops) {
    if ((header->rtm_flags & unusable) == 0)
      keep(attributes, attributes.number(RTA_OIF).value_or(0));
    return;
  }
  for (auto rest = *hops; rest.size() >= sizeof(rtnexthop);) {
    rtnexthop hop{};
    std::memcpy(&hop, rest.data(), sizeof hop);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > rest.size()) return;
    if ((hop.rtnh_flags & unusable) == 0) {
      keep(attribute_table{rest.first(hop.rtnh_len).subspan(sizeof hop)},
           static_cast<std::uint32_t>(hop.rtnh_ifindex));
    }
    rest = rest.subspan(std::min<std::size_t>(MNL_ALIGN(hop.rtnh_len), rest.size()));
  }
}

void netlink_parser::keep_route(found_route found) {
  if (found.route.interface_index == 0 || routes_.size() >= engine_limits::routes) return;
  // A kernel without IPv6 answers a question for IPv6 routes with those of all families.
  const auto& route = found.route;
  const bool is_new = known_routes_
                          .emplace(route.gateway, route.interface_index, route.metric,
                                   route.preferred_source, found.in_main_table)
                          .second;
  if (is_new) routes_.push_back(std::move(found));
}

bool netlink_parser::is_up(std::uint32_t interface_index) const {
  if (links_.empty()) return true;
  const auto link = links_.find(interface_index);
  return link != links_.end() && link->second.up;
}

network_facts netlink_parser::facts() const {
  network_facts out;
  const auto take_routes = [&](ip_family family, bool from_main_table) {
    const std::size_t before = out.routes.size();
    for (const auto& [route, in_main_table] : routes_) {
      if (in_main_table == from_main_table && route.gateway.family() == family &&
          is_up(route.interface_index))
        out.routes.push_back(route);
    }
    return out.routes.size() > before;
  };
  for (const auto family : {ip_family::v4, ip_family::v6}) {
    if (!take_routes(family, true)) take_routes(family, false);
  }
  for (const auto& address : addresses_) {
    if (!is_up(address.interface_index)) continue;
    out.addresses.push_back(address);
    if (const auto link = links_.find(address.interface_index); link != links_.end())
      out.addresses.back().interface_name = link->second.name;
  }
  return out;
}

}  // namespace damson::net
