#include "gateway_output.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdint>

#include "text.hpp"

namespace damson::cli {
namespace {

namespace json = boost::json;

/// As it is, or, where it is no UTF-8, with '?' for each byte that is not ASCII.
json::value text_of(std::string_view text) {
  json::value out(json::string{text});
  boost::system::error_code error;
  json::parse(json::serialize(out), error);
  if (error) {
    std::ranges::replace_if(out.get_string(), [](char c) { return c < 0; }, '?');
  }
  return out;
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : text_of(text);
}

std::string to_text(const std::optional<ip_address>& address) {
  return address ? to_string(*address) : std::string{};
}

json::object object_of(const test_router::mapping& open) {
  json::object out;
  out["transport"] = text_of(to_string(open.transport));
  out["external_port"] = open.external_port;
  out["internal"] = text_of(to_string(open.internal));
  out["protocol"] = open.made_with ? text_of(to_string(*open.made_with)) : json::value(nullptr);
  out["time_left"] = open.time_left ? json::value(open.time_left->count()) : json::value(nullptr);
  out["description"] = text_of(open.description);
  return out;
}

void add_status(json::object& out, const test_router& router) {
  const std::uint16_t port = router.mapping_port();
  const endpoint mapping{router.address(), port};
  out["profile"] = text_of(router.profile());
  out["address"] = text_of(to_string(router.address()));
  out["mapping"] = port == 0 ? json::value(nullptr) : text_of(to_string(mapping));
  out["description_url"] = text_or_null(router.description_url());
  out["public_address"] = text_or_null(to_text(router.public_address()));
  out["plugged"] = router.is_plugged();
}

json::object accepted() { return {{"ok", true}}; }

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

}  // namespace

std::string human_summary(const test_router& router, const std::string& control) {
  const std::uint16_t port = router.mapping_port();
  const std::string url = router.description_url();
  const std::string outside = to_text(router.public_address());
  std::string out = "A router (" + router.profile() + ") at " + to_string(router.address());
  const auto add = [&out](std::string name, const std::string& value) {
    out += "\n  " + padded(std::move(name), 18) + value;
  };
  add("PCP and NAT-PMP", port == 0 ? "closed" : to_string(endpoint{router.address(), port}));
  add("UPnP", url.empty() ? "closed" : url);
  add("public address", outside.empty() ? "none" : outside);
  if (!control.empty()) {
    add("control socket", printable(control));
  }
  return out;
}

std::string human_table(const std::vector<router_profile>& profiles) {
  std::size_t name = 0;
  std::size_t quirks = 0;
  for (const router_profile& each : profiles) {
    name = std::max(name, each.name.size());
    quirks = std::max(quirks, each.quirks.size());
  }
  std::string out;
  for (const router_profile& each : profiles) {
    out += out.empty() ? "" : "\n";
    out += padded(each.name, name + 2) + padded(each.quirks, quirks + 2) + each.says;
  }
  return out;
}

std::string human_line(const test_router::mapping& open,
                       const std::optional<ip_address>& public_address) {
  const std::string port = std::to_string(open.external_port);
  return std::string{to_string(open.transport)} + " " +
         (public_address ? to_string(endpoint{*public_address, open.external_port})
                         : "port " + port) +
         " -> " + to_string(open.internal) +
         (open.made_with ? " with " + std::string{to_string(*open.made_with)} : ", set by hand") +
         (open.time_left ? ", ends in " + std::to_string(open.time_left->count()) + " s" : "");
}

std::string json_line(const router_profile& what) {
  return json::serialize(json::object{{"name", text_of(what.name)},
                                      {"quirks", text_of(what.quirks)},
                                      {"says", text_of(what.says)}});
}

std::string json_serving(const test_router& router, const std::string& control) {
  json::object out{{"event", "serving"}};
  add_status(out, router);
  out["control"] = text_or_null(control);
  return json::serialize(out);
}

std::string json_event(std::string_view event, const test_router::mapping& what) {
  json::object out{{"event", text_of(event)}};
  for (const auto& [key, value] : object_of(what)) {
    out.insert_or_assign(key, value);
  }
  return json::serialize(out);
}

std::string json_status(const test_router& router) {
  json::object out = accepted();
  add_status(out, router);
  return json::serialize(out);
}

std::string json_mappings(const std::vector<test_router::mapping>& open) {
  json::object out = accepted();
  json::array& all = out["mappings"].emplace_array();
  for (const test_router::mapping& each : open) {
    all.emplace_back(object_of(each));
  }
  return json::serialize(out);
}

std::string json_traffic(const test_router::counters& all) {
  json::object out = accepted();
  out["pcp_requests"] = all.pcp_requests;
  out["nat_pmp_requests"] = all.nat_pmp_requests;
  out["other_requests"] = all.other_requests;
  out["searches"] = all.searches;
  out["http_requests"] = all.http_requests;
  out["datagrams_sent"] = all.datagrams_sent;
  out["unheard"] = all.unheard;
  return json::serialize(out);
}

std::string json_list(std::string_view name, const std::vector<std::string>& texts) {
  json::object out = accepted();
  json::array& all = out[name].emplace_array();
  for (const std::string& each : texts) {
    all.emplace_back(text_of(each));
  }
  return json::serialize(out);
}

std::string json_error(std::string_view what) {
  return json::serialize(json::object{{"ok", false}, {"error", text_of(what)}});
}

}  // namespace damson::cli
