#pragma once

/// Carries the events of a gateway model to their subscribers, over TCP.

#include <chrono>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <damson/types.hpp>

#include "sim/upnp_events.hpp"

namespace damson::sim {

/// Sends the events of one subscription one after another, each over a connection of its own, and
/// the next when the last one was answered or given up. An event that does not arrive is lost, and
/// nobody is told: its number is missing from the order then, and the subscription stays (UDA 1.0
/// section 4.2.1). Bounded in subscriptions, in what waits for each, and in time.
///
/// Everything happens on the executor, which must run one handler at a time; all calls come from
/// there, or while nobody runs it.
class socket_event_carrier {
 public:
  /// What waits for one subscriber behind the event that is on its way; the oldest gives way.
  static constexpr std::size_t waiting_limit = 32;

  /// Connections come from the address `lan`. `patience` is what an event may take, from the
  /// connection to the answer.
  socket_event_carrier(const boost::asio::any_io_executor& executor, const ip_address& lan,
                       std::chrono::milliseconds patience);
  socket_event_carrier(const socket_event_carrier&) = delete;
  socket_event_carrier& operator=(const socket_event_carrier&) = delete;
  ~socket_event_carrier();

  void carry(std::vector<event_message> events);

  /// Gives up all that has not arrived.
  void drop();

 private:
  class carrier;
  std::shared_ptr<carrier> carrier_;
};

}  // namespace damson::sim
