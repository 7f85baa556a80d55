#pragma once

/// HTTP/1.1 requests, whole, as the web servers of routers like them: head and body in one string
/// so that they leave in one piece, a Host with its port, a Content-Length and
/// never chunks or "Expect", and "Connection: close".

#include <string>

#include "wire/http_target.hpp"
#include "wire/soap.hpp"

namespace damson {

/// For a description.
std::string make_http_get(const http_target&);

/// For an action.
std::string make_http_post(const http_target& control, const soap_request&);

}  // namespace damson
