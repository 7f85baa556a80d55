#pragma once

/// SOAP 1.1 as UPnP uses it (UPnP Device Architecture 1.1 section 3): the one builder and the one
/// reader that all actions go through.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "wire/decode_error.hpp"

namespace damson {

inline constexpr std::string_view soap_content_type = R"(text/xml; charset="utf-8")";
inline constexpr std::size_t soap_answer_bytes = std::size_t{64} * 1024;  ///< Q-132

// Asking
// ----------------------------------------------------------------------------------------

struct soap_argument {
  std::string_view name;
  std::string value;  ///< any text; escaped when it is written
};

/// What to POST to a control URL, besides the headers that every request has. The body is one line
/// and small enough to leave in one segment with its headers (Q-102, Q-104).
struct soap_request {
  std::string action;  ///< the SOAPAction header, with the quotes that are part of it (Q-103)
  std::string body;

  friend bool operator==(const soap_request&, const soap_request&) = default;
};

/// Arguments are written in the order given, which must be the service definition's, and outside of
/// any namespace (Q-104); only `<`, `>` and `&` are escaped, because routers know no other entities
/// (Q-105).
///
/// Precondition: `service_type` comes out of `decode_igd_description`, names are plain.
soap_request make_soap_request(std::string_view service_type, std::string_view action,
                               std::span<const soap_argument> arguments);

// What comes back
// ----------------------------------------------------------------------------------------

/// An HTTP response, whole. Borrows everything.
struct http_answer {
  unsigned status = 0;
  std::string_view content_type;  ///< empty when the header is missing
  std::string_view body;
};

/// The device refused.
struct soap_fault {
  /// UPnP's errorCode, which may be negative (Q-186); empty when the fault has none that can be
  /// read.
  std::optional<std::int32_t> code;
  /// For people, cut to 128 bytes; bytes as they came.
  std::string description;

  friend bool operator==(const soap_fault&, const soap_fault&) = default;
};

/// A status that is no success, and no fault that explains it.
struct http_failure {
  unsigned status = 0;

  friend bool operator==(const http_failure&, const http_failure&) = default;
};

/// Why an action has no result; `decode_error` where a success cannot be read.
using soap_error = std::variant<soap_fault, http_failure, decode_error>;

/// "fault 718 (ConflictInMappingEntry)", "HTTP status 404", "not XML". For the log, which makes it
/// printable.
std::string to_string(const soap_error&);

/// The out arguments of an action, by name.
class soap_values {
 public:
  /// Trimmed; empty when there is no such argument. Case does not matter (Q-100).
  std::optional<std::string_view> find(std::string_view name) const noexcept;

  void add(std::string name, std::string value) {
    values_.emplace_back(std::move(name), std::move(value));
  }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

/// A fault is a fault whatever the status, and whatever the envelope looks like; success is a
/// status of 200..299 without one (Q-101, Q-109). Neither the namespace nor the name of the
/// response element is looked at, and an empty body is a success without values. What is sent as
/// text/html is not SOAP.
std::expected<soap_values, soap_error> decode_soap(const http_answer&);

/// The same for an answer that may be longer than usual, in bytes; then so may be any text in it.
std::expected<soap_values, soap_error> decode_long_soap(const http_answer&, std::size_t most_bytes);

}  // namespace damson
