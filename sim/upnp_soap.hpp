#pragma once

/// Envelopes: what a UPnP gateway model accepts as one, and how it writes its own (UPnP Device
/// Architecture 1.0 section 3.2).

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sim/upnp_profile.hpp"

namespace damson::sim {

/// In the order in which they stand in the message.
using soap_arguments = std::vector<std::pair<std::string, std::string>>;

struct soap_call {
  std::string action;
  soap_arguments arguments;
};

struct soap_refusal {
  std::uint16_t status = 500;
  int code = 0;  ///< of the UPnP fault; 0: an answer without a body
};

/// Checks the envelope, its one action against the service's type and against the action that the
/// SOAPAction field named, and that arguments have no namespace. What is only bad manners is passed
/// to `complain`.
std::variant<soap_call, soap_refusal> read_call(
    const upnp_profile& how, std::string_view body, std::string_view service_type,
    std::string_view action, const std::function<void(const std::string&)>& complain);

std::string soap_answer(const upnp_profile& how, std::string_view service_type,
                        std::string_view action, const soap_arguments& out);

/// `service_kind` decides what a number means.
std::string soap_fault(const upnp_profile& how, std::string_view service_kind, int code);

}  // namespace damson::sim
