#pragma once

/// Looking for gateways by SSDP: what is sent and when, and which answers are worth following, in
/// which order (UPnP Device Architecture 1.1 section 1.3, Q-70 to Q-84).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <damson/types.hpp>

#include "wire/http_target.hpp"
#include "wire/ssdp.hpp"

namespace damson {

/// One of the host's own addresses on the link, and how long its network's prefix is.
struct link_address {
  ip_address address;
  std::uint8_t prefix_length = 0;

  friend bool operator==(const link_address&, const link_address&) = default;
};

/// Where a search looks, and whom it believes.
struct search_place {
  /// Asked directly, besides the group; its answers count wherever it stands.
  ip_address gateway;
  /// The host's own address to ask from. Over IPv6 answers come from an address of the same scope
  /// (UPnP Device Architecture 2.0 annex A), so it is what a gateway is known by that the host
  /// knows by its link-local address only.
  ip_address from{};
  /// The interface; 0: not known. Link-local addresses of IPv6 are on the link if they are of it.
  std::uint32_t interface_index = 0;
  /// The host's own addresses on the link: answers from elsewhere than their networks are dropped.
  std::vector<link_address> on_link;
  /// All of the host's own addresses: no device is to be found at them.
  std::vector<ip_address> own_addresses;
  /// What the user named: not asked for anything else.
  std::vector<ip_address> user_addresses;
  /// It is not on the link, so nobody else is asked or heard.
  bool only_gateway = false;

  /// What the URLs of a device are judged by that answered from there. Borrows this place.
  url_rule rule_for(const ip_address& answered_from) const noexcept {
    return {answered_from, own_addresses, user_addresses};
  }
};

/// A device that answered.
struct igd_candidate {
  ip_address answered_from;
  http_target description;
  device_rank rank;
  bool is_gateway = false;  ///< it answered from the address of the gateway
  std::optional<std::uint32_t> boot_id;
  std::string server;  ///< as it calls itself; bytes as they came
};

class ssdp_search {
 public:
  struct message {
    endpoint to;
    std::vector<std::byte> bytes;
  };

  /// What became of a datagram.
  enum class heard : std::uint8_t {
    candidate,  ///< a device not heard of before
    duplicate,  ///< nothing new
    unusable,   ///< well formed, but it leads nowhere: URL, kind of device, too many of them
    malformed,  ///< not an answer to a search
    off_link,   ///< from outside of the link (Q-131)
  };

  static constexpr std::size_t most_candidates = 32;             ///< Q-80
  static constexpr std::size_t most_candidates_of_one_host = 8;  ///< so that one cannot crowd out

  /// `brief`: one round only, for searches that are repeated for as long as nobody answers.
  ssdp_search(search_place where, time_point start, bool brief = false);

  /// When something is to be sent next; empty after the last round.
  std::optional<time_point> next_due() const noexcept { return next_send_; }
  /// What is to be sent now, to the gateway and to the group: one target at a time, because some
  /// devices are confused by more.
  std::vector<message> due(time_point now);
  /// Answers may come until then (MX and a second: Q-77).
  time_point ends_at() const noexcept;
  time_point began() const noexcept { return start_; }

  heard on_datagram(const endpoint& from, std::span<const std::byte> bytes);

  /// Whether a device has answered that was not taken yet.
  bool has_candidate() const noexcept;
  /// Takes the most promising one: the gateway itself first, then by what it calls itself.
  std::optional<igd_candidate> take();
  /// It was not looked at after all: it may be taken again.
  void give_back(const igd_candidate& device);

  const search_place& where() const noexcept { return where_; }

 private:
  struct known_device {
    igd_candidate device;
    bool taken = false;
  };

  std::vector<ip_address> destinations() const;
  bool is_on_link(const ip_address& from) const;
  bool make_room(const igd_candidate& newcomer);

  search_place where_;
  time_point start_;
  std::optional<time_point> next_send_;
  std::size_t rounds_left_;
  std::size_t target_ = 0;
  std::vector<known_device> known_;
};

}  // namespace damson
