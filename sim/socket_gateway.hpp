#pragma once

/// A gateway model on real sockets, for demonstrations and for tests of the driver.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include <damson/types.hpp>

#include "sim/gateway.hpp"

namespace damson::sim {

/// What a router runs on its ports, each to be stopped and started by itself.
enum class socket_service : std::uint8_t {
  mapping,  ///< PCP and NAT-PMP
  search,   ///< SSDP
  web,      ///< descriptions and control
};

/// What came in and went out.
struct socket_counters {
  std::uint64_t pcp_requests = 0;
  std::uint64_t nat_pmp_requests = 0;
  std::uint64_t other_requests = 0;  ///< to the mapping port, in neither protocol
  std::uint64_t searches = 0;        ///< whatever comes to port 1900
  std::uint64_t http_requests = 0;
  std::uint64_t datagrams_sent = 0;  ///< answers and announcements
  std::uint64_t unheard = 0;         ///< datagrams and requests that came without the cable
};

struct socket_settings {
  /// In place of 5351; 0: any that is free.
  std::uint16_t mapping_port = server_port;
  /// Whether it hears searches that are sent to the group, if that can be joined, and announces
  /// itself to that.
  bool joins_group = true;
  /// How long a UPnP subscriber may take for an event (UDA 1.0 section 4.2.1).
  std::chrono::milliseconds event_patience{30'000};
  /// Called on the executor after anything has happened to the router.
  std::function<void()> on_event{};
};

/// Serves, at the model's LAN address, for instance one in 127.0.0.0/8: UDP port 5351, unless the
/// profile has it closed; and where the profile speaks UPnP UDP port 1900, also for the group if it
/// can be joined on that interface, and the model's web server. Sends the announcements from there
/// to the hosts of that link, and events to their subscribers.
///
/// Everything happens on the executor, which must run one handler at a time; all calls come from
/// there, or while nobody runs it. Its pending operations keep an io_context running until it is
/// destroyed.
class socket_gateway {
 public:
  /// Throws std::system_error when a port cannot be opened; its text names the port.
  /// Where it is the web server's, and taken, the model starts again on the next one, if its
  /// profile lets that move.
  socket_gateway(const boost::asio::any_io_executor& executor, gateway model,
                 socket_settings settings = {});
  socket_gateway(const socket_gateway&) = delete;
  socket_gateway& operator=(const socket_gateway&) = delete;
  ~socket_gateway();

  /// The model's time: a steady clock of the system.
  static time_point now();

  const gateway& model() const noexcept;
  const socket_counters& counters() const noexcept;

  /// The port of PCP and NAT-PMP, 0 where it is closed.
  std::uint16_t mapping_port() const noexcept;
  /// The web server's, 0 where it is closed.
  std::uint16_t web_port() const noexcept;

  /// Lets something happen to the router, and sends what it has to say about it. A restart cuts
  /// the web server's connections. Throws as the constructor does.
  void change(const std::function<void(gateway&, time_point now)>& what);

  /// Closes the ports of a service, so that they refuse, or opens them again where the profile has
  /// them; nothing else changes. Throws as the constructor does, and leaves it stopped then.
  void set_serving(socket_service which, bool serving);

  /// Without its cable the router hears nothing and says nothing; its time goes on. TCP connections
  /// are taken, because the system takes them, and get no answer. Events are lost.
  void set_plugged(bool plugged);
  bool is_plugged() const noexcept;

 private:
  class server;
  std::shared_ptr<server> server_;
};

}  // namespace damson::sim
