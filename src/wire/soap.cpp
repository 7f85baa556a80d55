#include "wire/soap.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "wire/ascii.hpp"
#include "wire/xml.hpp"

namespace damson {
namespace {

constexpr std::size_t most_description_bytes = 128;

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      default:
        out += c;
    }
  }
}

bool is_html(std::string_view content_type) noexcept {
  return ascii::equal_ignoring_case(ascii::trim(ascii::take_piece(content_type, ';')), "text/html");
}

bool is_success(unsigned status) noexcept { return status >= 200 && status <= 299; }

/// What the device says against the request, if it says so. An errorCode is enough: some devices
/// spell what is around it in their own way.
std::optional<soap_fault> find_fault(const pugi::xml_document& document) {
  const pugi::xml_node fault = xml::descendant(document, "Fault");
  const pugi::xml_node code = xml::descendant(document, "errorCode");
  if (!fault && !code) return std::nullopt;
  soap_fault out;
  out.code = ascii::parse_number<std::int32_t>(xml::text_of(code));
  out.description = xml::text_of(xml::descendant(document, "errorDescription"));
  if (out.description.empty()) out.description = xml::child_text(fault, "faultstring");
  out.description.resize(std::min(out.description.size(), most_description_bytes));
  return out;
}

std::expected<soap_values, decode_error> read_values(const pugi::xml_document& document) {
  const pugi::xml_node envelope = document.document_element();
  const pugi::xml_node body = xml::child(envelope, "Body");
  if (!xml::is_named(envelope, "Envelope") || !body) {
    return std::unexpected(decode_error::wrong_document);
  }
  soap_values values;
  const pugi::xml_node response =
      body.find_child([](const pugi::xml_node& n) { return n.type() == pugi::node_element; });
  for (const pugi::xml_node& value : response) {
    if (value.type() != pugi::node_element) continue;
    values.add(std::string{xml::local_name(value)}, xml::text_of(value));
  }
  return values;
}

std::expected<soap_values, soap_error> decode(const http_answer& answer, const xml::limits& most) {
  std::expected<pugi::xml_document, decode_error> document =
      std::unexpected(decode_error::wrong_document);
  const bool is_soap = !is_html(answer.content_type);
  if (is_soap) document = xml::parse(answer.body, most);
  if (document) {
    if (auto fault = find_fault(*document)) return std::unexpected(std::move(*fault));
  }
  if (!is_success(answer.status)) return std::unexpected(http_failure{answer.status});
  if (is_soap && ascii::trim(answer.body).empty()) return soap_values{};
  if (!document) return std::unexpected(document.error());
  auto values = read_values(*document);
  if (!values) return std::unexpected(values.error());
  return std::move(*values);
}

}  // namespace

soap_request make_soap_request(std::string_view service_type, std::string_view action,
                               std::span<const soap_argument> arguments) {
  DAMSON_ASSERT(ascii::is_printable(service_type));
  DAMSON_ASSERT(service_type.find_first_of("\"<>&") == std::string_view::npos);
  soap_request request;
  request.action += '"';
  request.action += service_type;
  request.action += '#';
  request.action += action;
  request.action += '"';

  std::string& body = request.body;
  body += R"(<?xml version="1.0"?>)"
          R"(<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/")"
          R"( s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:)";
  body += action;
  body += R"( xmlns:u=")";
  body += service_type;
  body += R"(">)";
  for (const soap_argument& argument : arguments) {
    body += '<';
    body += argument.name;
    body += '>';
    append_escaped(body, argument.value);
    body += "</";
    body += argument.name;
    body += '>';
  }
  body += "</u:";
  body += action;
  body += "></s:Body></s:Envelope>";
  return request;
}

std::string to_string(const soap_error& value) {
  if (const auto* const fault = std::get_if<soap_fault>(&value)) {
    std::string out = "fault ";
    out += fault->code ? std::to_string(*fault->code) : "without a number";
    if (!fault->description.empty()) out += " (" + fault->description + ")";
    return out;
  }
  if (const auto* const failure = std::get_if<http_failure>(&value)) {
    return "HTTP status " + std::to_string(failure->status);
  }
  return std::string{to_string(std::get<decode_error>(value))};
}

std::optional<std::string_view> soap_values::find(std::string_view name) const noexcept {
  for (const auto& [known, value] : values_) {
    if (ascii::equal_ignoring_case(known, name)) return value;
  }
  return std::nullopt;
}

std::expected<soap_values, soap_error> decode_soap(const http_answer& answer) {
  return decode(answer, {.bytes = soap_answer_bytes});
}

std::expected<soap_values, soap_error> decode_long_soap(const http_answer& answer,
                                                        std::size_t most_bytes) {
  return decode(answer, {.bytes = most_bytes, .text = most_bytes});
}

}  // namespace damson
