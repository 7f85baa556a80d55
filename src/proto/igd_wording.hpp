#pragma once

/// The actions of a ladder as SOAP requests, and what comes back as its results.

#include <expected>
#include <string_view>

#include "proto/igd_ladder.hpp"
#include "wire/igd_actions.hpp"
#include "wire/soap.hpp"

namespace damson {

upnp_action action_of(const any_igd_action& action) noexcept;

/// Whether it does more than ask.
bool changes_something(const any_igd_action& action) noexcept;

soap_request request_for(const any_igd_action& action, std::string_view service_type,
                         const igd_wish& wish, transport what);

/// What a success says; `igd_result::fault` never comes of it.
std::expected<any_igd_result, soap_error> decode_result(const any_igd_action& action,
                                                        const http_answer& answer);

}  // namespace damson
