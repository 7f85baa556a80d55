#include "router_output.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "advice.hpp"

namespace damson::cli {
namespace {

template <class... Functions>
struct overloaded : Functions... {
  using Functions::operator()...;
};

using row = std::array<std::string, 6>;

std::string lease_of(const router_entry& entry) {
  return entry.lease ? std::to_string(entry.lease->count()) + " s" : "none told";
}

/// "192.168.1.20:8080"; a name that the router has instead of the address is not told.
std::string inside_of(const router_entry& entry) {
  return entry.internal.address.is_unspecified() ? "?:" + std::to_string(entry.internal.port)
                                                 : to_string(entry.internal);
}

row row_of(const router_entry& entry) {
  return {std::string{to_string(entry.name.transport)},
          std::to_string(entry.name.external_port),
          inside_of(entry) + (entry.enabled ? "" : " (off)"),
          entry.name.remote_host.empty() ? "anybody" : entry.name.remote_host,
          lease_of(entry),
          entry.description};
}

/// "tcp 8080" or "tcp 8080 for 203.0.113.5"
std::string name_of(const router_entry_name& name) {
  return std::string{to_string(name.transport)} + " " + std::to_string(name.external_port) +
         (name.remote_host.empty() ? "" : " for " + name.remote_host);
}

std::string aim_of(const router_question& asked) {
  using namespace router_questions;
  return std::visit(
      overloaded{[](const list_entries&) -> std::string { return "list what the router has open"; },
                 [](const find_entry& of) { return "find " + name_of(of.name); },
                 [](const read_status&) -> std::string { return "read the router's status"; },
                 [](const delete_entry& of) { return "delete " + name_of(of.name); },
                 [](const delete_range& of) {
                   return "delete " + std::string{to_string(of.transport)} + " " +
                          std::to_string(of.first) + "-" + std::to_string(of.last);
                 }},
      asked);
}

std::string account_of(const failure& why) {
  if (why.protocols.empty()) return std::string{describe(why.reason)};
  const protocol_failure& tried = why.protocols.front();
  std::string out{explanation_of(tried)};
  if (why.reason == errc::mapping_gone) out = "it has no such entry";
  if (tried.result_code) out += ", error " + std::to_string(*tried.result_code);
  if (!tried.router_text.empty()) out += " (\"" + tried.router_text + "\")";
  return out;
}

std::string advice_of(const question_failure& what) {
  switch (what.why.reason) {
    case errc::mapping_gone:
      return "damson list";
    case errc::not_authorized:
      return "the same from the host that the entry leads to, or in the router's settings";
    case errc::timed_out:
    case errc::limit_reached:
      return "the same again";
    default:
      return advice_for(what.why, protocol_filter::upnp, what.is_named);
  }
}

std::string place_of(const failure& why) {
  if (why.protocols.empty() || why.protocols.front().server.address.is_unspecified()) return {};
  return " at " + to_string(why.protocols.front().server.address);
}

void add(std::string& out, std::string_view what, const std::string& value) {
  if (value.empty()) return;
  constexpr std::size_t width = 18;
  if (!out.empty()) out += '\n';
  out.append(what).append(width - what.size(), ' ').append(value);
}

template <class Number>
std::string text_of(const std::optional<Number>& number, std::string_view unit) {
  return number ? std::to_string(*number) + std::string{unit} : std::string{};
}

}  // namespace

std::string human_table(const std::vector<router_entry>& entries) {
  if (entries.empty()) return "the router has no entries";
  std::vector<row> rows{{"", "OUTSIDE", "INSIDE", "FROM", "LEASE", "DESCRIPTION"}};
  for (const router_entry& each : entries) rows.push_back(row_of(each));
  std::array<std::size_t, 6> widths{};
  for (const row& each : rows) {
    for (std::size_t i = 0; i < each.size(); ++i) widths[i] = std::max(widths[i], each[i].size());
  }
  std::string out;
  for (const row& each : rows) {
    if (!out.empty()) out += '\n';
    std::string line;
    for (std::size_t i = 0; i < each.size(); ++i) {
      line.append(each[i]).append(widths[i] - each[i].size() + 2, ' ');
    }
    out.append(line, 0, line.find_last_not_of(' ') + 1);
  }
  return out;
}

std::string human_text(const router_status& status) {
  std::string out;
  const auto known = [](const ip_address& address) {
    return address.is_unspecified() ? std::string{"not told"} : to_string(address);
  };
  add(out, "router", to_string(status.server));
  add(out, "outside address", known(status.external));
  add(out, "connection", status.connection);
  add(out, "last error", status.last_error);
  if (status.uptime) add(out, "up for", std::to_string(status.uptime->count()) + " s");
  add(out, "link", status.link);
  add(out, "access", status.access);
  add(out, "upstream", text_of(status.upstream_bits_per_second, " bit/s"));
  add(out, "downstream", text_of(status.downstream_bits_per_second, " bit/s"));
  add(out, "bytes sent", text_of(status.bytes_sent, ""));
  add(out, "bytes received", text_of(status.bytes_received, ""));
  add(out, "packets sent", text_of(status.packets_sent, ""));
  add(out, "packets received", text_of(status.packets_received, ""));
  return out;
}

std::string human_deleted(const router_entry& entry) {
  const bool is_known = entry.internal.port != 0;
  return name_of(entry.name) + " is deleted" +
         (is_known ? ": it led to " + inside_of(entry) : std::string{}) +
         (entry.description.empty() ? "" : " (\"" + entry.description + "\")");
}

std::string human_line(const question_failure& what) {
  const std::string aim = aim_of(what.asked);
  if (what.interrupted) {
    return "damson: interrupted before it could " + aim + ". Try: the same again";
  }
  return "damson: could not " + aim + place_of(what.why) + ": " + account_of(what.why) +
         ". Try: " + advice_of(what);
}

}  // namespace damson::cli
