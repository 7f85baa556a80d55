#include "sim/upnp_http.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "sim/upnp_actions.hpp"
#include "sim/upnp_codes.hpp"
#include "sim/upnp_description.hpp"
#include "sim/upnp_scpd.hpp"

namespace damson::sim {

namespace {

constexpr std::string_view xml_type = "text/xml; charset=\"utf-8\"";
constexpr std::string_view server_name = "Linux/6.1 UPnP/1.1 damson-sim/1.0";
constexpr std::uint32_t longest_body = 65'536;

std::string_view reason_of(std::uint16_t status) {
  struct entry {
    std::uint16_t status;
    std::string_view text;
  };
  static constexpr std::array entries{
      entry{200, "OK"},
      entry{302, "Found"},
      entry{307, "Temporary Redirect"},
      entry{400, "Bad Request"},
      entry{404, "Not Found"},
      entry{405, "Method Not Allowed"},
      entry{411, "Length Required"},
      entry{412, "Precondition Failed"},
      entry{413, "Payload Too Large"},
      entry{415, "Unsupported Media Type"},
      entry{500, "Internal Server Error"},
      entry{503, "Service Unavailable"},
      entry{505, "HTTP Version Not Supported"},
  };
  const auto* const found = std::ranges::find(entries, status, &entry::status);
  return found == entries.end() ? std::string_view{"Unknown"} : found->text;
}

/// "type#action" out of the field's value; both empty where the quotes are missing.
std::pair<std::string_view, std::string_view> named_action(std::string_view field) {
  if (field.size() < 2 || !field.starts_with('"') || !field.ends_with('"')) return {};
  field = field.substr(1, field.size() - 2);
  const std::size_t mark = field.find('#');
  if (mark == std::string_view::npos) return {};
  return {field.substr(0, mark), field.substr(mark + 1)};
}

bool is_xml(const std::string* content_type) {
  if (content_type == nullptr) return false;
  const std::string_view type = *content_type;
  return same_word(trimmed(type.substr(0, type.find(';'))), "text/xml");
}

std::string user_agent(const text_message& request) {
  const std::string* const agent = request.field("User-Agent");
  return agent == nullptr ? std::string{} : *agent;
}

}  // namespace

std::vector<std::string> connection_names(const upnp_device& root) {
  std::vector<std::string> out;
  for (const upnp_service& service : root.services) {
    if (service.role != upnp_role::connection) continue;
    out.push_back(root.uuid + ":WANConnectionDevice:" + std::to_string(root.version) + "," +
                  service.id);
  }
  for (const upnp_device& inner : root.devices) {
    const auto more = connection_names(inner);
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

std::string upnp_call::argument(std::string_view name) const {
  const auto found = std::ranges::find(arguments, name, &soap_arguments::value_type::first);
  return found == arguments.end() ? std::string{} : found->second;
}

web_visit::web_visit(gateway_state& state, const upnp_site& where, time_point booted,
                     time_point now, const endpoint& from, std::deque<upnp_call>& calls,
                     upnp_events& events)
    : state_(state),
      how_(state.how.upnp),
      where_(where),
      booted_(booted),
      now_(now),
      from_(from),
      calls_(calls),
      events_(events) {}

http_answer web_visit::answer(std::string_view request) {
  const auto message = read_message(request);
  if (!message) return bare(400);
  const auto words = words_of(message->start_line);
  if (words.size() != 3 || !words[1].starts_with('/')) return bare(400);
  if (words[2] != "HTTP/1.1") return bare(505);
  if (!host_is_good(*message)) return bare(404);
  root_ = device_tree(how_, where_, shown_version(how_, user_agent(*message)));
  const std::string path{words[1]};
  if (words[0] == "GET") return get(path);
  if (words[0] == "POST") return post(*message, path);
  if (words[0] == "SUBSCRIBE" || words[0] == "UNSUBSCRIBE") {
    return eventing(*message, words[0], path);
  }
  return bare(405);
}

/// a name could be somebody's who wants to reach the router through a browser.
bool web_visit::host_is_good(const text_message& request) {
  const std::string* const host = request.field("Host");
  if (host == nullptr || host->empty()) return false;
  const bool numeric =
      std::ranges::all_of(*host,
                          [](char c) {
                            constexpr std::string_view allowed = "0123456789abcdefABCDEF.:[]";
                            return allowed.contains(c);
                          }) &&
      (host->starts_with('[') || host->find_first_of("abcdefABCDEF") == std::string::npos);
  const auto is_it = [&](const ip_address& own) {
    return same_word(*host, to_string(endpoint{ip_address{own.to_v6()}, where_.port}));
  };
  if (numeric && !is_it(state_.lan) && std::ranges::none_of(state_.lan_v6, is_it)) {
    state_.complain(now_, "HTTP Host is " + *host + " at " + where_.authority() + " (Q-107)");
  }
  return numeric;
}

http_answer web_visit::get(const std::string& path) {
  if (path == where_.description_path()) {
    if (how_.redirects_descriptions) {
      http_answer out = bare(302);
      out.message.fields.push_back({"Location", *how_.redirects_descriptions});
      return out;
    }
    const bool page = how_.fault == description_fault::html;
    return with_body(200, page ? "text/html" : xml_type, description_text(how_, where_, root_));
  }
  if (path == where_.wifi_path() && how_.only_first_device_for_all) {
    return with_body(200, xml_type, wifi_description_text(where_));
  }
  const auto services = services_of(root_);
  const auto described = std::ranges::find(services, path, &upnp_service::scpd_path);
  if (described != services.end()) return with_body(200, xml_type, scpd_text(how_, *described));
  return bare(std::ranges::count(services, path, &upnp_service::path) != 0 ? 405 : 404);
}

http_answer web_visit::post(const text_message& request, const std::string& path) {
  const auto services = services_of(root_);
  const auto service = std::ranges::find(services, path, &upnp_service::path);
  if (service == services.end()) return bare(path == where_.description_path() ? 405 : 404);
  if (request.field("Expect") != nullptr) {
    state_.complain(now_, "HTTP request with Expect (Q-106)");
  }
  const std::string* const length = request.field("Content-Length");
  if (length == nullptr || request.field("Transfer-Encoding") != nullptr) return bare(411);
  const auto size = read_decimal(*length, longest_body);
  if (!size) return bare(413);
  if (*size != request.body.size()) return bare(400);
  if (!is_xml(request.field("Content-Type"))) return bare(415);
  if (how_.redirects_control) {
    http_answer out = bare(307);
    out.message.fields.push_back({"Location", *how_.redirects_control});
    return out;
  }
  return control(request, *service);
}

http_answer web_visit::control(const text_message& request, const upnp_service& service) {
  const std::string* const field = request.field("SOAPAction");
  const auto [type, action] = named_action(field == nullptr ? std::string_view{} : *field);
  if (type != service.type) return fault(service, upnp_code::invalid_action);
  const auto read = read_call(how_, request.body, type, action,
                              [this](const std::string& what) { state_.complain(now_, what); });
  if (const auto* refusal = std::get_if<soap_refusal>(&read)) {
    return refusal->code == 0 ? bare(refusal->status) : fault(service, refusal->code);
  }
  const auto& call = std::get<soap_call>(read);
  const action_context context{now_, booted_, from_.address, service, connection_names(root_)};
  const action_outcome result = perform(state_, context, call);
  calls_.push_back({now_, from_, call.action, call.arguments, result.code});
  if (calls_.size() > upnp_call::most_kept) calls_.pop_front();
  if (result.code != 0) return fault(service, result.code);
  return with_body(200, xml_type, soap_answer(how_, type, action, result.out));
}

/// UDA 1.0 sections 4.1.1 to 4.1.3.
http_answer web_visit::eventing(const text_message& request, std::string_view method,
                                const std::string& path) {
  const auto services = services_of(root_);
  const bool exists = std::ranges::any_of(services, [&path](const upnp_service& one) {
    return !one.event_path.empty() && one.event_path == path;
  });
  if (!exists) return bare(404);
  const upnp_events::reply reply = method == "SUBSCRIBE"
                                       ? events_.subscribe(how_, now_, from_.address, path, request)
                                       : events_.unsubscribe(now_, path, request);
  http_answer out = bare(reply.status);
  out.message.fields.insert(out.message.fields.end(), reply.fields.begin(), reply.fields.end());
  return out;
}

http_answer web_visit::fault(const upnp_service& service, int code) const {
  const std::uint16_t status = how_.faults_with_200 ? 200 : 500;
  return with_body(status, xml_type, soap_fault(how_, service.kind, code));
}

http_answer web_visit::bare(std::uint16_t status) const {
  return with_body(status, "text/html", {});
}

http_answer web_visit::with_body(std::uint16_t status, std::string_view type,
                                 std::string body) const {
  http_answer out;
  out.status = status;
  out.message.start_line =
      "HTTP/1.1 " + std::to_string(status) + " " + std::string{reason_of(status)};
  auto& fields = out.message.fields;
  if (!body.empty()) {
    const std::string shown = how_.content_type.value_or(std::string{type});
    if (!shown.empty()) fields.push_back({"Content-Type", shown});
  }
  fields.push_back({"Content-Length", std::to_string(body.size())});
  fields.push_back({"Connection", "close"});
  fields.push_back({"Server", std::string{server_name}});
  fields.push_back({"Ext", ""});
  out.message.body = std::move(body);
  return out;
}

}  // namespace damson::sim
