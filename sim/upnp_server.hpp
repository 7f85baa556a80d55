#pragma once

/// The UPnP side of a gateway model: discovery, descriptions, control and events (UPnP Device
/// Architecture 1.0 and 1.1, InternetGatewayDevice:1 and :2).
///
/// Strict, as the other servers are, and without clock or socket: datagrams and whole requests in,
/// datagrams and whole answers out. What only concerns the way of bytes over a connection
/// (segments, chunks, slow drips) is not the model's.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include <damson/types.hpp>

#include "sim/gateway_state.hpp"
#include "sim/upnp_events.hpp"
#include "sim/upnp_http.hpp"
#include "sim/upnp_ssdp.hpp"

namespace damson::sim {

class upnp_server {
 public:
  /// Starts for the first time, without announcing it.
  upnp_server(const gateway_state& state, time_point now);

  /// A datagram to port 1900, of an address of the router or of a group. What it answers comes
  /// out of `advance`, at once or after the profile's delay.
  void handle(const gateway_state& state, time_point now, const datagram& in);

  /// A whole request to the web server's port. Its answer is due after the profile's `processing`.
  http_answer handle_http(gateway_state& state, time_point now, const endpoint& from,
                          std::string_view request);

  /// Answers and announcements that are due.
  std::vector<datagram> advance(const gateway_state& state, time_point now);
  std::optional<time_point> deadline() const;

  /// Says goodbye, starts again on another port where the profile says so, and says hello.
  void restart(const gateway_state& state, time_point now);

  /// Says what it is again, as it does from time to time anyway (UDA 1.1 section 1.2.2).
  void announce(const gateway_state& state, time_point now);

  /// Of the web server; it moves at a restart.
  std::uint16_t http_port() const noexcept { return where_.port; }
  /// What the description's URL and all control URLs stand below.
  const upnp_site& site() const noexcept { return where_; }
  std::uint32_t boot_id() const noexcept { return starts_; }

  /// The NOTIFYs to subscribers that are due: what has changed since the last call. Somebody takes
  /// them after each call that may have changed something, and carries them.
  std::vector<event_message> take_events(const gateway_state& state, time_point now);
  std::size_t subscriptions() const noexcept { return events_.size(); }

  /// The last actions called, `upnp_call::most_kept` at most, oldest first.
  const std::deque<upnp_call>& calls() const noexcept { return calls_; }

 private:
  void settle(const gateway_state& state, time_point now);
  void post(time_point due, const endpoint& from, const endpoint& to, std::vector<bytes> packets);
  void notify(const gateway_state& state, time_point now, bool alive);
  /// The same site, as a client sees it that came to `own`.
  upnp_site site_at(const ip_address& own) const;

  upnp_site where_;
  std::uint32_t starts_ = 0;
  time_point booted_;
  std::multimap<time_point, datagram> outbox_;
  std::optional<time_point> next_notify_;
  std::optional<time_point> last_search_;
  std::optional<time_point> last_request_;
  std::deque<upnp_call> calls_;
  upnp_events events_;
};

}  // namespace damson::sim
