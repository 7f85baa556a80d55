#pragma once

/// The event side of a UPnP gateway model (GENA; UPnP Device Architecture 1.0 section 4).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <damson/types.hpp>

#include "sim/message_text.hpp"
#include "sim/upnp_profile.hpp"
#include "sim/upnp_soap.hpp"

namespace damson::sim {

/// A NOTIFY that the router wants to send: a whole HTTP request, which somebody carries there over
/// a connection of its own. The router does not care about the answer: a subscription stays until
/// its time is over.
struct event_message {
  endpoint to;
  std::string sid;
  std::uint32_t sequence = 0;
  std::string request;
};

/// Subscriptions, and what each has been told.
class upnp_events {
 public:
  struct reply {
    std::uint16_t status = 0;
    std::vector<message_field> fields{};
  };

  /// SUBSCRIBE, new or to renew, and UNSUBSCRIBE for the service whose event URL has this path.
  reply subscribe(const upnp_profile& how, time_point now, const ip_address& sender,
                  const std::string& path, const text_message& request);
  reply unsubscribe(time_point now, const std::string& path, const text_message& request);

  /// The evented values of the service with this event path; none where there is no such service
  /// any more.
  using values = std::function<std::optional<soap_arguments>(const std::string& path)>;

  /// What is to be sent now: all values to new subscribers, what has changed to the others.
  std::vector<event_message> take(time_point now, const values& of);

  /// All of them, as a restart does.
  void forget() { subscriptions_.clear(); }
  std::size_t size() const noexcept { return subscriptions_.size(); }

 private:
  struct callback {
    endpoint to;
    std::string path;
  };
  struct subscription {
    std::string sid;
    std::string path;
    callback target;
    time_point expires;
    std::uint32_t sequence = 0;
    std::optional<soap_arguments> told;
  };

  static std::optional<callback> read_callback(std::string_view field);
  subscription* find(time_point now, const std::string& path, const text_message& request);

  std::vector<subscription> subscriptions_;
  std::uint32_t made_ = 0;
};

}  // namespace damson::sim
