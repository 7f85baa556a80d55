#include "sim/upnp_soap.hpp"

#include <algorithm>

#include "sim/upnp_codes.hpp"
#include "sim/xml_text.hpp"

namespace damson::sim {

namespace {

constexpr std::string_view envelope_space = "http://schemas.xmlsoap.org/soap/envelope/";
constexpr std::string_view encoding_style = "http://schemas.xmlsoap.org/soap/encoding/";

bool is_envelope_part(const xml_element& element, std::string_view name) {
  return element.space == envelope_space && element.name == name;
}

bool padded_anywhere(const xml_element& element) {
  return element.padded || std::ranges::any_of(element.children, padded_anywhere);
}

struct envelope_names {
  std::string declared;  ///< what stands between "xmlns" and "="
  std::string prefix;    ///< with the colon
};

envelope_names names_of(envelope_prefix how) {
  switch (how) {
    case envelope_prefix::upper_case:
      return {":SOAP-ENV", "SOAP-ENV:"};
    case envelope_prefix::none:
      return {"", ""};
    case envelope_prefix::s:
      break;
  }
  return {":s", "s:"};
}

std::string enveloped(const upnp_profile& how, const std::string& content) {
  const envelope_names names = names_of(how.prefix);
  std::string out = "<?xml version=\"1.0\"?>\r\n<" + names.prefix + "Envelope xmlns";
  out += names.declared + "=\"" + std::string{envelope_space} + "\" ";
  out += names.prefix + "encodingStyle=\"" + std::string{encoding_style} + "\">";
  out += "<" + names.prefix + "Body>" + content + "</" + names.prefix + "Body>";
  return out + "</" + names.prefix + "Envelope>\r\n";
}

}  // namespace

std::variant<soap_call, soap_refusal> read_call(
    const upnp_profile& how, std::string_view body, std::string_view service_type,
    std::string_view action, const std::function<void(const std::string&)>& complain) {
  const auto envelope = read_xml(body, how.entities);
  if (!envelope) return soap_refusal{400, 0};
  // another version of SOAP is a fault without a UPnP code.
  if (!is_envelope_part(*envelope, "Envelope")) return soap_refusal{500, 0};
  if (how.refuses_white_space && padded_anywhere(*envelope)) return soap_refusal{500, 0};
  const bool styled = std::ranges::any_of(envelope->attributes, [](const xml_attribute& one) {
    return one.name.ends_with(":encodingStyle") && one.value == encoding_style;
  });
  if (!styled) complain("SOAP envelope without encodingStyle (UDA 1.0 section 3.2.1)");
  if (envelope->children.size() != 1 || !is_envelope_part(envelope->children[0], "Body")) {
    return soap_refusal{400, 0};
  }
  const xml_element& inside = envelope->children[0];
  if (inside.children.size() != 1) return soap_refusal{400, 0};
  const xml_element& call = inside.children[0];
  if (call.space != service_type || call.name != action)
    return soap_refusal{500, upnp_code::invalid_action};
  soap_call out{call.name, {}};
  for (const auto& argument : call.children) {
    if (!argument.space.empty() || !argument.children.empty()) {
      return soap_refusal{500, upnp_code::invalid_args};
    }
    out.arguments.emplace_back(argument.name, argument.text);
  }
  return out;
}

std::string soap_answer(const upnp_profile& how, std::string_view service_type,
                        std::string_view action, const soap_arguments& out) {
  const std::string name = "u:" + std::string{action} + "Response";
  const std::string_view space = how.wrong_response_namespace ? action : service_type;
  std::string text = "<" + name + " xmlns:u=\"" + std::string{space} + "\">";
  for (const auto& [key, value] : out) {
    text.append("<").append(key).append(">").append(xml_escaped(value));
    text.append("</").append(key).append(">");
  }
  return enveloped(how, text + "</" + name + ">");
}

std::string soap_fault(const upnp_profile& how, std::string_view service_kind, int code) {
  const std::string prefix = names_of(how.prefix).prefix;
  const std::string code_name = how.camel_case_faults ? "faultCode" : "faultcode";
  const std::string text_name = how.camel_case_faults ? "faultString" : "faultstring";
  std::string out = "<" + prefix + "Fault><" + code_name + ">" + prefix + "Client</" + code_name;
  out += "><" + text_name + ">UPnPError</" + text_name + "><detail>";
  out += "<UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>";
  out += std::to_string(code) + "</errorCode><errorDescription>";
  out += std::string{upnp_error_text(service_kind, code)} +
         "</errorDescription></UPnPError></detail></";
  return enveloped(how, out + prefix + "Fault>");
}

}  // namespace damson::sim
