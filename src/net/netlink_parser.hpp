#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include <damson/engine.hpp>

struct nlmsghdr;

namespace damson::net {

/// Whether the kernel has more to say about a dump.
enum class dump_progress : std::uint8_t { more, done };

/// Makes network facts out of the answers to netlink dumps (RTM_GETLINK, RTM_GETADDR,
/// RTM_GETROUTE). Touches no socket.
///
/// Taken are unicast default routes of the main table, for every next hop one; those of other
/// tables stand in for a family without any (Android keeps its routes there, Q-05, while on other
/// hosts such tables serve VPNs and policies that the main table overrules). Of interfaces that are
/// down, nothing is reported. An interface that no link message spoke of counts as down too, unless
/// there were no link messages at all: some systems forbid asking.
class netlink_parser {
 public:
  /// Takes one datagram of the answer to the request with this number; messages with another number
  /// are passed over. The bytes must be aligned like an nlmsghdr.
  /// Errors: the kernel's own, or bad_message for what is no netlink message.
  std::expected<dump_progress, std::error_code> add(std::span<const std::byte> datagram,
                                                    std::uint32_t sequence);

  /// Whether a table changed while it was being read (NLM_F_DUMP_INTR), so that entries may be
  /// missing or there twice.
  bool interrupted() const noexcept { return interrupted_; }

  network_facts facts() const;

 private:
  struct known_link {
    std::string name;
    bool up = false;
  };
  struct found_route {
    default_route route;
    bool in_main_table = false;
  };

  void add_link(const nlmsghdr* message);
  void add_address(const nlmsghdr* message);
  void add_route(const nlmsghdr* message);
  void keep_route(found_route found);
  bool is_up(std::uint32_t interface_index) const;

  std::map<std::uint32_t, known_link> links_;
  std::vector<interface_address> addresses_;
  std::vector<found_route> routes_;
  std::set<std::tuple<ip_address, std::uint32_t, std::uint32_t, std::optional<ip_address>, bool>>
      known_routes_;
  bool interrupted_ = false;
};

}  // namespace damson::net
