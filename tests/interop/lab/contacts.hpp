#pragma once

#include <vector>

#include "lab/probe.hpp"

namespace lab {

/// Notes, from its making on, where a host of the lab sends what: each address and port that it
/// tries to connect to, whether anybody listens there or not, and each that gets a datagram of it.
/// Its own loopback counts as well. One at a time for a host.
class contacts {
 public:
  explicit contacts(const net_namespace& host);
  contacts(const contacts&) = delete;
  contacts& operator=(const contacts&) = delete;
  ~contacts();

  /// Each once, in no order.
  std::vector<endpoint> connections() const { return list(transport::tcp); }
  std::vector<endpoint> datagrams() const { return list(transport::udp); }

  /// Whether a datagram went to that port of any host.
  bool sent_to_port(std::uint16_t port) const;

 private:
  std::vector<endpoint> list(transport which) const;

  const net_namespace& host_;
};

}  // namespace lab
