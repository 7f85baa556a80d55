#pragma once

/// What a program may ask for. Standard library only; plain values.

#include <array>
#include <chrono>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <vector>

#include <damson/types.hpp>

namespace damson {

/// Which protocols a mapping may be made with; a request never falls outside its filter.
enum class protocol_filter : std::uint8_t {
  any,           ///< PCP, NAT-PMP, UPnP, or none where the host's own address is public
  pcp,           ///< PCP, then NAT-PMP
  upnp,          ///< UPnP-IGD only
  pcp_only,      ///< PCP, never NAT-PMP
  nat_pmp_only,  ///< NAT-PMP, never PCP
};

/// Peers outside: those of a network, and of one port of theirs or of all.
struct peer_range {
  ip_address address;
  /// How many bits of the address count: 0..32, or 1..128 of an IPv6 one.
  std::uint8_t prefix_length = 0;
  /// 0: whatever port they send from.
  std::uint16_t port = 0;

  friend bool operator==(const peer_range&, const peer_range&) = default;
};

/// A few `peer_range`s.
class peer_list {
 public:
  static constexpr std::size_t capacity = 4;

  constexpr peer_list() noexcept = default;
  /// Throws std::length_error beyond `capacity`.
  constexpr peer_list(std::initializer_list<peer_range> peers) {
    for (const peer_range& each : peers) push_back(each);
  }

  /// Throws std::length_error beyond `capacity`.
  constexpr void push_back(const peer_range& peers) {
    if (size_ == capacity) throw std::length_error{"more than four ranges of peers"};
    peers_[size_++] = peers;
  }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr const peer_range* begin() const noexcept { return peers_.data(); }
  constexpr const peer_range* end() const noexcept { return peers_.data() + size_; }

  friend bool operator==(const peer_list&, const peer_list&) = default;

 private:
  std::array<peer_range, capacity> peers_{};
  std::uint8_t size_ = 0;
};

/// The name of a network interface, for example "eth0".
class interface_name {
 public:
  static constexpr std::size_t longest = 15;  ///< as Linux allows them

  constexpr interface_name() noexcept = default;
  /// Throws std::length_error for more than `longest` bytes.
  template <class Text>
    requires std::convertible_to<const Text&, std::string_view>
  // NOLINTNEXTLINE(google-explicit-constructor): it is text
  constexpr interface_name(const Text& name) {
    const std::string_view text = name;
    if (text.size() > longest) throw std::length_error{"the name of an interface is too long"};
    for (const char each : text) name_[size_++] = each;
  }

  constexpr std::string_view text() const noexcept { return {name_.data(), size_}; }
  constexpr bool empty() const noexcept { return size_ == 0; }

  friend constexpr auto operator<=>(const interface_name&,
                                    const interface_name&) noexcept = default;

 private:
  std::array<char, longest> name_{};
  std::uint8_t size_ = 0;
};

/// Which of the host's addresses a request is about.
enum class ip_families : std::uint8_t {
  v4,    ///< its IPv4 address, behind the router's NAT
  v6,    ///< an IPv6 one, behind the router's firewall, which is asked in PCP
  both,  ///< the one and the other, each with a result of its own
};

/// One port to open, or several that belong together.
struct map_request {
  damson::transport transport = damson::transport::tcp;
  /// Whether the same ports are opened for the other transport as well. Each transport is a part of
  /// the mapping (see `mapping_info::part`).
  bool both_transports = false;

  /// The port that the program listens on, 1..65535; of several the first.
  std::uint16_t internal_port = 0;
  /// How many ports in a row, from `internal_port` on: 1..64, for both transports half as many, and
  /// over both families again. Each port is a part of the mapping (see `mapping_info::part`). A PCP
  /// server that knows port sets (RFC 7753) is asked for them in one request.
  std::uint16_t port_count = 1;

  /// The port wanted outside; of several the first. A wish: the router decides, and
  /// `mapping_info::external` says what it decided. 0 leaves the choice to the router; the internal
  /// port is suggested then.
  std::uint16_t external_port = 0;

  /// Of several ports, only all of them will do, and only where they are outside as they are
  /// inside: the same for both transports, and in a row. Where one cannot be had so, those that can
  /// are given back, and the request fails with the reason of that one. Without it they are wished
  /// so, and each part has its own result.
  bool all_or_nothing = false;

  /// Which of the host's addresses to open: its IPv4 address, behind the router's NAT, or an IPv6
  /// one, behind its firewall, by PCP or by a pinhole of UPnP. NAT-PMP knows IPv4 only. With `both`
  /// the mapping has parts, as with `every_uplink`.
  ip_families families = ip_families::v4;
  /// Whether to go out by every way that there is, instead of the one that each family's traffic
  /// takes: every default route of the families, with one way for each interface and own address,
  /// and in IPv6 one for each stable global address. Where a router is named that is the only way
  /// of its family. It stays one mapping, and each way is a part of it, with events of its own (see
  /// `mapping_info::part`). Parts come and go with the network, `engine_limits::parts` at most at a
  /// time: those whose routes have the lowest metrics.
  bool every_uplink = false;
  /// The way out of the host: the interface of this name; empty: the one that the family's traffic
  /// takes, which is the default route with the lowest metric, or with `every_uplink` any.
  damson::interface_name interface_name{};
  /// The router to ask, of one of the families; unspecified, and for the other family:
  /// `options::gateway` where that is of the family, else found through the routing table.
  ip_address gateway{};
  /// The host's own address to map to, of one of the families; unspecified, and for the other
  /// family: `options::local_address` where that is of the family, else the one from which the
  /// router is reached. In IPv6 that is a stable global address, not a temporary one (RFC 8981).
  ip_address local_address{};
  /// Another host behind the router to open the port for, of the one family that is asked for;
  /// unspecified: this one.
  /// Seldom allowed: PCP servers have to take THIRD_PARTY (RFC 6887 section 13.1), and UPnP routers
  /// to let one host map for another; `errc::not_authorized` is what most answer. NAT-PMP does not
  /// know such mappings.
  ip_address third_party{};
  /// The address wanted outside; unspecified leaves the choice to the router.
  ip_address external_address{};

  /// Only the wanted external port will do, which is not 0 then, and the wanted address where one
  /// is named: what the router grants instead is given back, and the request fails with
  /// `errc::external_not_available` (some routers call a taken port `errc::no_resources`). An entry
  /// that a UPnP router has there for another port of this host is not taken over. A mapping that
  /// is another one after a renewal is `lost`. PCP servers are told so with PREFER_FAILURE (RFC
  /// 6887 section 13.2); with the others, and those that refuse the option, the wrong port may be
  /// open for as long as the delete takes.
  bool prefer_failure = false;

  /// Who may come in; empty: everybody. A wish, which only PCP can carry (FILTER, RFC 6887 section
  /// 13.3): where the router will not have it the port is opened to everybody, and
  /// `mapping_info::filtered` says so. Some routers take a filter and do not apply it, so a program
  /// goes on checking who comes. Requests of one client share a mapping only where this is the
  /// same.
  peer_list peers{};

  /// The one endpoint outside that an outbound flow of the internal port goes to; unspecified: the
  /// port is opened for whoever comes. With it nothing is opened: the router is asked for the
  /// mapping that the flow has, to learn its external endpoint and to have it live as long as
  /// `lifetime` without keepalives (PEER, RFC 6887 section 12). Only PCP can; nothing is deleted at
  /// the end, for a flow ends with its traffic.
  endpoint remote_peer{};

  /// The lifetime to ask for, 1 s..2^32-1 s (RFC 6887 section 15 advises against more than a day).
  /// The router grants what it likes; renewals follow the lifetime granted. UPnP routers are asked
  /// for 300 s at least and a week at most, or a day in IPv6.
  std::chrono::seconds lifetime{7200};

  /// Whether a UPnP router that refuses every lease may be asked for a mapping without an end. It
  /// stays on the router if the program ends without releasing it.
  bool allow_permanent = true;

  /// Beside `options::protocols`: both have to allow a protocol.
  protocol_filter protocols = protocol_filter::any;

  /// After this the request, or a part of it, has failed, whatever is still going on. Above 0; at
  /// most a day.
  std::chrono::milliseconds timeout{30'000};
};
// GCC 12 destroys what owns memory twice when a request is written as a braced operand of co_await.
static_assert(std::is_trivially_copyable_v<map_request>);

enum class log_level : std::uint8_t { trace, debug, info, warning, error, none };

/// "trace", "debug", …
std::string_view to_string(log_level) noexcept;

/// Called with one line of text, without a line end and free of control characters, on the thread
/// that drives the engine. Must not call back into damson. Lines never contain a nonce; external
/// addresses appear at `debug` and below only.
using log_sink = std::function<void(log_level, std::string_view)>;

/// What holds for all mappings of a client.
struct options {
  /// The router's address, for networks where it is not the default route's next hop or where the
  /// system forbids looking. Unset: found through the routing table.
  std::optional<ip_address> gateway{};

  /// The host's own address to map to. Unset: the one from which the router is reached.
  std::optional<ip_address> local_address{};

  /// The router beyond the first one, where that one's own address outside is not public (double
  /// NAT, a carrier's NAT). It is asked as any other, through the first one and for the endpoint
  /// that the first one has granted, so that a port leads through both: `mapping_info::hops`. The
  /// first result of a mapping waits for its answer; where it makes nothing the mapping is `mapped`
  /// as far as the first router, and `mapping_event::why` says why. Serves mappings of its family.
  std::optional<ip_address> upstream{};

  /// Whether, behind an address that is private or a carrier's, PCP servers of the provider are
  /// asked at their anycast addresses (RFC 7723) where no `upstream` is named. A mapping that is
  /// there is told without waiting, and `changed` follows if such a server grants; its silence is
  /// not told. While nobody answers one mapping asks for all, at the longest every recheck period.
  bool asks_anycast = true;

  /// PCP servers to ask instead of the gateway, for example those that DHCP has given (RFC 7291):
  /// the addresses of one server, in the order in which they are tried (RFC 7488 section 3.1).
  /// Those of the mapping's family count; none of it: the gateway. The other protocols ask the
  /// gateway.
  std::vector<ip_address> pcp_servers{};

  /// A STUN server (RFC 8489) on the internet, which is asked over UDP from which address it sees
  /// this host. Unset: nobody is asked. Each router's mappings are compared with its answer, at
  /// first and when the router's address changes: `mapping_info::seen_address`.
  std::optional<endpoint> stun_server{};

  /// Whether UPnP routers are asked to tell of changes (GENA; in IPv4, at a TCP port for the router
  /// alone), which some stop answering for, and their multicast announcements are listened
  /// to. What they tell is a hint only, upon which the router is asked.
  bool listens_to_events = false;

  /// How long a router that answers something, but not what was asked, is waited for; an upper
  /// bound, not a wait. A router that answers nothing at all is given up after 4 s. Between 1 ms
  /// and an hour.
  std::chrono::milliseconds discovery_timeout{10'000};

  /// How long a router that has answered in a protocol is waited for when it is asked in it for a
  /// mapping, if that is longer than the 4 s of silence; of UPnP, for each of its answers (at most
  /// 5 s). Between 1 ms and an hour.
  std::chrono::milliseconds mapping_timeout{10'000};

  /// How often the router is asked whether it still is the one that was known (one packet a
  /// router), and the longest pause between two tries at a mapping that could not be made, unless
  /// the router itself asked for a longer one (at most a day), or its policy refused (half an hour
  /// in PCP and NAT-PMP). Between 1 s and a day.
  std::chrono::milliseconds recheck_period{300'000};

  /// For every mapping of the client, beside `map_request::protocols`.
  protocol_filter protocols = protocol_filter::any;

  /// Lines below this level are not made. The sink may be empty.
  log_level level = log_level::warning;
  log_sink log{};
};

}  // namespace damson
