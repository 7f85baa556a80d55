#pragma once

/// The web server of a UPnP gateway model: descriptions, control and subscriptions.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <damson/types.hpp>

#include "sim/gateway_state.hpp"
#include "sim/message_text.hpp"
#include "sim/upnp_events.hpp"
#include "sim/upnp_soap.hpp"
#include "sim/upnp_tree.hpp"

namespace damson::sim {

struct http_answer {
  std::uint16_t status = 0;
  text_message message;

  std::string text() const { return message.text(); }
};

/// One action that a client called, whatever came of it.
struct upnp_call {
  static constexpr std::size_t most_kept = 200;

  time_point when;
  endpoint from;
  std::string action;
  soap_arguments arguments;
  int code = 0;  ///< of the fault; 0 is success

  /// Empty where there is no such argument.
  std::string argument(std::string_view name) const;
};

/// The connections as Layer3Forwarding names them (Layer3Forwarding:1 section 2.2.1), in the order
/// of the profile.
std::vector<std::string> connection_names(const upnp_device& root);

/// Answers one request. Strict: CR LF, HTTP/1.1, a numeric Host (404, Q-107), a Content-Length
/// (411, Q-106) that is right, text/xml, a quoted SOAPAction (fault 401, Q-103), a path that exists
/// (404).
class web_visit {
 public:
  web_visit(gateway_state& state, const upnp_site& where, time_point booted, time_point now,
            const endpoint& from, std::deque<upnp_call>& calls, upnp_events& events);

  http_answer answer(std::string_view request);
  /// A 500 that says nothing.
  http_answer overwhelmed() const { return bare(500); }

 private:
  http_answer get(const std::string& path);
  http_answer post(const text_message& request, const std::string& path);
  http_answer control(const text_message& request, const upnp_service& service);
  http_answer fault(const upnp_service& service, int code) const;
  http_answer bare(std::uint16_t status) const;
  http_answer with_body(std::uint16_t status, std::string_view type, std::string body) const;
  bool host_is_good(const text_message& request);
  http_answer eventing(const text_message& request, std::string_view method,
                       const std::string& path);

  gateway_state& state_;
  const upnp_profile& how_;
  const upnp_site& where_;
  time_point booted_;
  time_point now_;
  endpoint from_;
  std::deque<upnp_call>& calls_;
  upnp_events& events_;
  upnp_device root_;
};

}  // namespace damson::sim
