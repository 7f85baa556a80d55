#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lab/net_namespace.hpp"
#include "lab/support.hpp"

namespace lab {

enum class transport : std::uint8_t { tcp, udp };

std::string_view to_string(transport which);

/// An address in text form and a port.
struct endpoint {
  endpoint() = default;
  endpoint(std::string_view its_address, std::uint16_t its_port)
      : address(its_address), port(its_port) {}

  /// From "1.2.3.4:80" or "[2001:db8::1]:80"; throws when it is neither.
  static endpoint parse(std::string_view text);

  friend bool operator==(const endpoint&, const endpoint&) = default;

  std::string address;
  std::uint16_t port = 0;
};

std::string to_string(const endpoint& where);
std::ostream& operator<<(std::ostream& stream, const endpoint& where);
std::ostream& operator<<(std::ostream& stream, transport which);

/// A server on a host of the lab. It answers each request of a probe with a token that no other
/// listener has, and with the address the request came from.
class listener {
 public:
  /// Bound when the constructor returns. Port 0 takes a free one; for IPv6 give an IPv6 address
  /// ("::").
  listener(const net_namespace& where, transport which, std::uint16_t port,
           const std::string& address = "0.0.0.0");
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  transport which() const { return which_; }
  std::uint16_t port() const { return port_; }
  const std::string& token() const { return token_; }

  /// Whether the request with this number has arrived here, even if its answer did not get back.
  bool heard(std::uint64_t request) const;

  /// How many connections or datagrams have come, from whomever: a decoy has seen none.
  std::size_t arrivals() const;

 private:
  void serve();
  void serve_stream();
  void serve_datagram();
  void count_arrival();
  std::optional<std::string> answer(std::string_view request, const endpoint& from);

  transport which_;
  std::string token_;
  unique_fd socket_;
  unique_fd stop_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::set<std::uint64_t> heard_;
  std::size_t arrivals_ = 0;
  std::thread server_;
};

/// The end of a probe.
enum class reach : std::uint8_t {
  answered,  ///< The listener was reached, and its answer came back.
  one_way,   ///< The listener was reached, but its answer did not come back.
  stranger,  ///< Somebody else answered.
  refused,   ///< TCP reset or ICMP error.
  silent     ///< Nothing within the limit.
};

struct probe_result {
  reach how = reach::silent;
  endpoint seen_from;        ///< The prober as the listener saw it; only when answered.
  milliseconds::rep ms = 0;  ///< How long it took.
};

std::ostream& operator<<(std::ostream& stream, const probe_result& result);

/// Long enough for a lost SYN or datagram to be sent again: for probes that should get through.
/// They end as soon as the answer is there.
inline constexpr milliseconds reach_limit{3'000};
/// For probes that should not get through, which cost this time on a router that is silent.
inline constexpr milliseconds cut_off_limit{300};

/// Tries to get from a host of the lab to `target` through `at`, as a new flow: each probe of the
/// program has a source port that no other had, because NAT rules are looked at for the first
/// packet of a flow only.
probe_result probe(const net_namespace& from, const listener& target, const endpoint& at,
                   milliseconds limit = reach_limit);

/// The end of a bare UDP question.
struct udp_answer {
  reach how = reach::silent;  ///< answered, refused or silent.
  std::vector<std::uint8_t> bytes;
};

/// Sends a datagram over a connected socket (so that an ICMP refusal is seen), and again after each
/// `pause`, until an answer comes or the limit is over.
udp_answer ask(const net_namespace& from, const endpoint& at,
               const std::vector<std::uint8_t>& request, milliseconds limit,
               milliseconds pause = milliseconds{50});

}  // namespace lab
