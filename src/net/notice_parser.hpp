#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

struct nlmsghdr;

namespace damson::net {

/// Tells by the kernel's notices (RTM_NEWLINK, RTM_DELADDR and the like) when it is time to look at
/// the network again. Touches no socket.
///
/// A notice is a hint: what is true is read, because notices can get lost and do not say
/// everything. IPv4 routes of a link that goes down, for one, go without a word.
class notice_parser {
 public:
  /// Whether what the datagram says may have changed the network facts: default routes, usable
  /// addresses, and links that go up or down. True as well for what is not understood and where the
  /// kernel says that notices were lost. The bytes must be aligned like an nlmsghdr.
  bool may_matter(std::span<const std::byte> datagram);

  /// Notices were lost, so that what the last ones said may be true no more.
  void forget() noexcept { runs_.clear(); }

 private:
  bool matters(const nlmsghdr* message);
  bool is_news_of_link(const nlmsghdr* message);

  /// Notices of links come also for what is of no interest here, such as each reading of the
  /// signal, so what was said last is remembered.
  std::map<std::int32_t, bool> runs_;
};

}  // namespace damson::net
