#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <system_error>

#include <boost/system/system_error.hpp>

#include <damson/client.hpp>
#include <damson/network.hpp>

#include "core/uplink.hpp"
#include "driver/endpoints.hpp"

namespace damson {

namespace {

constexpr std::uint16_t pcp_port = 5351;

/// A socket that is closed at the end.
class udp_socket {
 public:
  explicit udp_socket(int family)
      : handle_(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP)) {}
  udp_socket(const udp_socket&) = delete;
  udp_socket& operator=(const udp_socket&) = delete;
  ~udp_socket() {
    if (handle_ >= 0) ::close(handle_);
  }

  int get() const noexcept { return handle_; }

 private:
  int handle_;
};

/// Connecting a UDP socket sends nothing, but has the system choose the address to send from.
std::optional<ip_address> address_towards(const ip_address& gateway) {
  const auto remote = driver::to_asio(endpoint{gateway, pcp_port});
  const udp_socket socket{remote.protocol().family()};
  if (socket.get() < 0) return std::nullopt;
  if (::connect(socket.get(), remote.data(), static_cast<socklen_t>(remote.size())) != 0)
    return std::nullopt;
  boost::asio::ip::udp::endpoint local;
  auto length = static_cast<socklen_t>(local.capacity());
  if (::getsockname(socket.get(), local.data(), &length) != 0) return std::nullopt;
  local.resize(length);
  return driver::from_asio(local).address;
}

}  // namespace

ip_address local_address(const options& opts, error_code& error) {
  error.clear();
  if (opts.local_address) return *opts.local_address;
  if (opts.gateway) {
    // The routing table is not needed, and the system may forbid looking at it.
    const auto found = address_towards(*opts.gateway);
    if (!found) error = make_error_code(errc::network_down);
    return found.value_or(ip_address{});
  }
  std::error_code unreadable;
  const auto facts = read_network_facts(unreadable);
  if (unreadable) {
    error = unreadable;
    return {};
  }
  const auto chosen = core::choose_uplink(facts, core::choice_of(opts));
  if (!chosen) {
    error = make_error_code(errc::no_gateway);
    return {};
  }
  return chosen->local;
}

ip_address local_address(const options& opts) {
  error_code error;
  const auto found = local_address(opts, error);
  if (error) throw boost::system::system_error{error};
  return found;
}

}  // namespace damson
