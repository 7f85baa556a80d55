#pragma once

/// One router, as a value: datagrams and time in, datagrams out. No clock, no socket.
///
/// The same model serves virtual time, real sockets and a fuzzer. It is strict: nonce and source
/// must match, lifetimes are clipped, what RFC 6886 and RFC 6887 forbid is refused, and what they
/// forbid the client but ask the server to overlook is written down (see `complaints`).

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <damson/types.hpp>

#include "sim/gateway_state.hpp"
#include "sim/nat_table.hpp"
#include "sim/profile.hpp"
#include "sim/upnp_server.hpp"

namespace damson::sim {

class gateway {
 public:
  /// A router that starts at `now`, with the epoch at the profile's start. It announces nothing
  /// then: that is for restarts. `wan` is empty where there is no uplink.
  gateway(const profile& how, const ip_address& lan, const std::optional<ip_address>& wan,
          time_point now);

  /// What a datagram to the router, or to the UPnP group, makes it send. Those for other addresses
  /// or ports are ignored.
  std::vector<datagram> handle(time_point now, const datagram& in);

  /// A request to the web server, which stands at `upnp().http_port()`. The answer is due after the
  /// profile's processing time.
  http_answer handle_http(time_point now, const endpoint& from, std::string_view request);

  /// What UPnP subscribers are to be told: HTTP requests that the caller carries. To be taken after
  /// each call that may have changed something.
  std::vector<event_message> take_events(time_point now) { return upnp_.take_events(state_, now); }

  /// Ends leases that have run out and sends announcements that are due.
  std::vector<datagram> advance(time_point now);

  /// When `advance` is due next; empty: not by itself.
  std::optional<time_point> deadline() const;

  /// Starts again: the epoch from its start, announcements from now on, the web server on another
  /// port, and without `keep_table` without mappings.
  void reboot(time_point now, bool keep_table = false);

  /// A new public address, none for a lost uplink. Where the profile says so the epoch starts again
  /// and is announced; mappings stay.
  void set_public_address(time_point now, const std::optional<ip_address>& wan);

  bool has_lan_address(const ip_address& address) const { return state_.is_own(address); }
  /// The router's addresses on the LAN in IPv6, its link-local one among them. With any, it hears
  /// PCP and UPnP there as well, and lets in what its pinholes let in.
  void set_lan_v6(std::vector<ip_address> addresses) { state_.lan_v6 = std::move(addresses); }
  bool speaks_ipv6() const noexcept { return !state_.lan_v6.empty(); }

  /// A packet of `size` bytes from outside, to the router's public address or, in IPv6, straight to
  /// a host. Where it goes on to; empty: it is dropped.
  std::optional<endpoint> pass_in(time_point now, transport what, const endpoint& remote,
                                  const endpoint& to, std::size_t size = 64);
  /// One that goes out, which every host may send.
  void pass_out(std::size_t size = 64);

  /// Forgets one mapping, or all, and tells nobody.
  bool forget(transport what, const endpoint& internal);
  bool forget(transport what, std::uint16_t external_port);
  void forget_all();

  /// A rule that the household made by hand; protocols can neither change nor remove it.
  void occupy(transport what, std::uint16_t external_port, const endpoint& internal);

  const ip_address& lan_address() const noexcept { return state_.lan; }
  const std::optional<ip_address>& public_address() const noexcept { return state_.wan; }
  std::uint32_t epoch(time_point now) const { return state_.epoch(now); }

  /// By transport and external port.
  std::vector<nat_rule> rules() const { return state_.table.rules(); }
  const nat_table& table() const noexcept { return state_.table; }
  const pinhole_table& pinholes() const noexcept { return state_.pinholes; }

  /// What clients did that they must not, oldest first.
  const std::vector<complaint>& complaints() const noexcept { return state_.complaints; }

  /// The UPnP side: where it is, which actions were called. Without effect unless the profile
  /// speaks UPnP.
  const upnp_server& upnp() const noexcept { return upnp_; }
  /// Says NOTIFY alive once more.
  void announce_upnp(time_point now) { upnp_.announce(state_, now); }

  /// May be changed at any time.
  profile& behaviour() noexcept { return state_.how; }

 private:
  std::optional<bytes> answer(time_point now, const datagram& in);
  void end_leases(time_point now);
  void start_announcing(time_point now);
  void announce(time_point now, std::vector<datagram>& out) const;

  gateway_state state_;
  upnp_server upnp_;
  std::optional<time_point> next_announcement_;
  std::chrono::milliseconds announcement_pause_{};
  std::uint32_t announcements_left_ = 0;
};

}  // namespace damson::sim
