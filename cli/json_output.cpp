// Header-only here and nowhere else, so that the tool needs no Boost library at run time.
#include <boost/json.hpp>
#include <boost/json/src.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "advice.hpp"
#include "output.hpp"
#include "router_output.hpp"

namespace damson::cli {
namespace {

namespace json = boost::json;

// The library's own serializer writes 12.3 as 1.23E1: right, but not what people want to read.
std::string plain_number(double number) {
  std::array<char, 64> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return error == std::errc{} ? std::string{text.data(), end}
                              : json::serialize(json::value(number));
}

void append(std::string& out, const json::value& value);

void append(std::string& out, const json::object& object) {
  std::string_view separator = "{";
  for (const auto& [key, value] : object) {
    out += separator;
    out += json::serialize(json::string{key});
    out += ':';
    append(out, value);
    separator = ",";
  }
  out += object.empty() ? "{}" : "}";
}

void append(std::string& out, const json::array& array) {
  std::string_view separator = "[";
  for (const json::value& value : array) {
    out += separator;
    append(out, value);
    separator = ",";
  }
  out += array.empty() ? "[]" : "]";
}

void append(std::string& out, const json::value& value) {
  if (const json::object* const object = value.if_object()) {
    append(out, *object);
  } else if (const json::array* const array = value.if_array()) {
    append(out, *array);
  } else if (const double* const number = value.if_double()) {
    out += plain_number(*number);
  } else {
    out += json::serialize(value);
  }
}

std::string to_line(const json::object& object) {
  std::string out;
  append(out, object);
  return out;
}

json::string text_of(std::string_view text) { return json::string{text}; }

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text_of(text));
}

json::value endpoint_or_null(const endpoint& e, bool known) {
  return known ? json::value(text_of(to_string(e))) : json::value(nullptr);
}

/// Microseconds are exact enough, and shorter.
double milliseconds_of(std::chrono::nanoseconds duration) {
  const double microseconds = std::chrono::duration<double, std::micro>(duration).count();
  return std::round(microseconds) / 1000;
}

/// Which part it is, where there are several, and by which way out.
void add_way(json::object& out, const mapping_info& info) {
  if (info.part != 0) {
    out["part"] = info.part;
  }
  out["interface"] = info.interface_name.empty() ? json::value(nullptr)
                                                 : json::value(text_of(info.interface_name.text()));
  out["gateway"] = info.gateway.is_unspecified() ? json::value(nullptr)
                                                 : json::value(text_of(to_string(info.gateway)));
}

json::object reason_of(const protocol_failure& tried) {
  json::object out;
  out["protocol"] = text_of(to_string(tried.protocol));
  out["reason"] = text_of(name_of(tried.reason));
  out["message"] = text_of(explanation_of(tried));
  out["result_code"] = tried.result_code ? json::value(*tried.result_code) : json::value(nullptr);
  out["router_text"] =
      tried.router_text.empty() ? json::value(nullptr) : json::value(tried.router_text);
  out["server"] = endpoint_or_null(tried.server, !tried.server.address.is_unspecified());
  out["retry_after"] =
      tried.retry_after ? json::value(tried.retry_after->count()) : json::value(nullptr);
  return out;
}

void add_reasons(json::object& out, const failure& why) {
  out["reason"] = text_of(name_of(why.reason));
  if (!why.external.is_unspecified()) {
    out["external_address"] = text_of(to_string(why.external));
  }
  json::array& reasons = out["reasons"].emplace_array();
  for (const protocol_failure& tried : why.protocols) {
    reasons.emplace_back(reason_of(tried));
  }
}

void add_hops(json::object& out, const hop_list& hops) {
  json::array& all = out["hops"].emplace_array();
  for (const mapping_hop& hop : hops) {
    json::object one;
    one["protocol"] = text_of(to_string(hop.protocol));
    one["gateway"] = text_of(to_string(hop.gateway));
    one["internal"] = text_of(to_string(hop.internal));
    one["external"] = text_of(to_string(hop.external));
    all.emplace_back(std::move(one));
  }
}

json::object account_of(const protocol_report& of) {
  json::object out;
  out["protocol"] = text_of(to_string(of.protocol));
  out["standing"] = text_of(to_string(of.standing));
  out["answered_ms"] =
      of.answered_after ? json::value(milliseconds_of(*of.answered_after)) : json::value(nullptr);
  if (of.why) {
    for (const auto& [key, value] : reason_of(*of.why)) {
      out.insert_or_assign(key, value);
    }
  }
  return out;
}

void add_account(json::object& out, const std::vector<protocol_report>& report) {
  json::array& protocols = out["protocols"].emplace_array();
  for (const protocol_report& of : report) {
    protocols.emplace_back(account_of(of));
  }
}

}  // namespace

std::string json_line(const report& what) {
  const mapping_event& event = what.event;
  const mapping_info& info = event.info;
  const bool granted = event.kind != event_kind::failed;
  const bool leased = granted && info.protocol != protocol::direct && !info.permanent;
  json::object out;
  out["event"] = text_of(to_string(event.kind));
  out["transport"] = text_of(to_string(info.transport));
  out["protocol"] = granted ? json::value(text_of(to_string(info.protocol))) : json::value(nullptr);
  out["internal"] = text_of(to_string(info.internal));
  add_way(out, info);
  out["external"] = endpoint_or_null(info.external, granted && info.external.port != 0);
  out["external_class"] =
      text_of(to_string(granted ? info.external_class() : event.why.external_class()));
  if (granted && !info.seen_address.is_unspecified()) {
    out["seen_address"] = text_of(to_string(info.seen_address));
  }
  out["lifetime"] = leased ? json::value(info.lifetime.count()) : json::value(nullptr);
  if (granted && info.permanent) {
    out["permanent"] = true;
  }
  if (granted && info.filtered) {
    out["filtered"] = true;
  }
  if (granted && info.protocol == protocol::upnp) {
    out["verified"] = info.verified;
  }
  out["elapsed_ms"] = milliseconds_of(what.elapsed);
  if (granted && info.hops.size() > 1) {
    add_hops(out, info.hops);
  }
  if (event.kind == event_kind::mapped && event.regained) {
    out["regained"] = true;
  }
  if (event.kind == event_kind::mapped && !event.report.empty()) {
    add_account(out, event.report);
  }
  if (event.kind == event_kind::removed) {
    out["how"] = text_of(to_string(event.how));
  }
  if (event.gone) {
    out["gone"] = true;
  }
  const bool is_open = event.kind == event_kind::mapped || event.kind == event_kind::changed;
  if (event.kind == event_kind::lost || event.kind == event_kind::failed) {
    add_reasons(out, event.why);
  } else if (is_open && event.why.reason != errc{}) {
    add_reasons(out["upstream"].emplace_object(), event.why);
  }
  return to_line(out);
}

std::string json_line(const map_failure& what) {
  const failure why = what.interrupted ? failure{} : what.why;
  json::object out;
  out["event"] = text_of(to_string(event_kind::failed));
  // Of several ports each part is about its own.
  const bool is_known = what.where.internal.port != 0;
  out["transport"] = text_of(to_string(is_known ? what.where.transport : what.request.transport));
  out["protocol"] = nullptr;
  out["internal"] = text_of(
      to_string(endpoint{what.where.internal.address,
                         is_known ? what.where.internal.port : what.request.internal_port}));
  add_way(out, what.where);
  out["external"] = nullptr;
  out["external_class"] = text_of(to_string(why.external_class()));
  out["lifetime"] = nullptr;
  out["elapsed_ms"] = milliseconds_of(what.elapsed);
  add_reasons(out, why);
  if (what.interrupted) {
    out["reason"] = "interrupted";
  }
  if (what.is_waiting) {
    out["waiting"] = true;
  }
  return to_line(out);
}

std::string json_line(const router_entry& entry, std::string_view event) {
  json::object out;
  out["event"] = text_of(event);
  out["transport"] = text_of(to_string(entry.name.transport));
  out["external_port"] = entry.name.external_port;
  out["remote_host"] = text_or_null(entry.name.remote_host);
  out["internal"] = endpoint_or_null(entry.internal, entry.internal.port != 0);
  out["enabled"] = entry.enabled;
  out["lease"] = entry.lease ? json::value(entry.lease->count()) : json::value(nullptr);
  out["description"] = text_of(entry.description);
  return to_line(out);
}

std::string json_line(const router_status& status) {
  json::object out;
  out["event"] = "status";
  out["server"] = endpoint_or_null(status.server, !status.server.address.is_unspecified());
  out["external_address"] = status.external.is_unspecified()
                                ? json::value(nullptr)
                                : json::value(text_of(to_string(status.external)));
  out["external_class"] = text_of(to_string(classify(status.external)));
  out["connection"] = text_or_null(status.connection);
  out["last_error"] = text_or_null(status.last_error);
  out["uptime"] = status.uptime ? json::value(status.uptime->count()) : json::value(nullptr);
  out["link"] = text_or_null(status.link);
  out["access"] = text_or_null(status.access);
  const auto number = [](const std::optional<std::uint64_t>& value) {
    return value ? json::value(*value) : json::value(nullptr);
  };
  out["upstream_bits_per_second"] = number(status.upstream_bits_per_second);
  out["downstream_bits_per_second"] = number(status.downstream_bits_per_second);
  out["bytes_sent"] = number(status.bytes_sent);
  out["bytes_received"] = number(status.bytes_received);
  out["packets_sent"] = number(status.packets_sent);
  out["packets_received"] = number(status.packets_received);
  return to_line(out);
}

std::string json_line(const question_failure& what) {
  json::object out;
  out["event"] = "failed";
  add_reasons(out, what.interrupted ? failure{} : what.why);
  if (what.interrupted) {
    out["reason"] = "interrupted";
  }
  return to_line(out);
}

}  // namespace damson::cli
