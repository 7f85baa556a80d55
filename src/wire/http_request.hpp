#pragma once

/// HTTP/1.1 requests, whole, as the web servers of routers like them: head and body in one string
/// so that they leave in one piece, a Host with its port, a Content-Length and
/// never chunks or "Expect", and "Connection: close".

#include <string>
#include <string_view>

#include "wire/http_target.hpp"
#include "wire/soap.hpp"

namespace damson {

/// The request line, Host and Connection; whoever calls adds the other fields and the empty line.
///
/// Without a User-Agent: it would tell everybody on the network which program this is, and there
/// are routers that show other descriptions to some.
std::string begin_http_request(std::string_view method, const http_target&);

/// For a description.
std::string make_http_get(const http_target&);

/// For an action.
std::string make_http_post(const http_target& control, const soap_request&);

}  // namespace damson
