#include "wire/http_request.hpp"

namespace damson {

std::string begin_http_request(std::string_view method, const http_target& target) {
  std::string out{method};
  out += ' ';
  out += target.path;
  out += " HTTP/1.1\r\nHost: ";
  out += target.host;
  out += "\r\nConnection: close\r\n";
  return out;
}

std::string make_http_get(const http_target& target) {
  return begin_http_request("GET", target) + "\r\n";
}

std::string make_http_post(const http_target& control, const soap_request& request) {
  std::string out = begin_http_request("POST", control);
  out += "Content-Type: ";
  out += soap_content_type;
  out += "\r\nContent-Length: ";
  out += std::to_string(request.body.size());
  out += "\r\nSOAPAction: ";
  out += request.action;
  out += "\r\n\r\n";
  out += request.body;
  return out;
}

}  // namespace damson
