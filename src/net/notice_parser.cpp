#include "net/notice_parser.hpp"

#include <utility>

#include "net/netlink_message.hpp"

namespace damson::net {

namespace {

constexpr std::size_t most_links = 4'096;

bool is_of_default_route(const nlmsghdr* message) {
  const auto header = header_of<rtmsg>(message);
  return !header || is_default(*header);
}

/// Addresses that are not usable yet are told of again when they are.
bool is_of_usable_address(const nlmsghdr* message) {
  const auto header = header_of<ifaddrmsg>(message);
  if (!header) return true;
  const attribute_table attributes{bytes_after(message, sizeof(ifaddrmsg))};
  return is_ip(header->ifa_family) && is_usable(flags_of(*header, attributes));
}

}  // namespace

bool notice_parser::may_matter(std::span<const std::byte> datagram) {
  bool news = false;
  while (const nlmsghdr* message = take_message(datagram)) news = matters(message) || news;
  return news || !datagram.empty();
}

bool notice_parser::matters(const nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return is_of_default_route(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return is_of_usable_address(message);
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return is_news_of_link(message);
    case NLMSG_OVERRUN:
      forget();
      return true;
    default:
      return false;
  }
}

bool notice_parser::is_news_of_link(const nlmsghdr* message) {
  const auto header = header_of<ifinfomsg>(message);
  if (!header) return true;
  // Others are of what a link is within a bridge.
  if (header->ifi_family != AF_UNSPEC) return false;
  if (message->nlmsg_type == RTM_DELLINK) {
    const auto known = runs_.extract(header->ifi_index);
    return known.empty() || known.mapped();
  }
  const bool runs = is_running(*header);
  const auto known = runs_.find(header->ifi_index);
  if (known != runs_.end()) return std::exchange(known->second, runs) != runs;
  if (runs_.size() < most_links) runs_.emplace(header->ifi_index, runs);
  return true;
}

}  // namespace damson::net
