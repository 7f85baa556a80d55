#include "proto/igd_wording.hpp"

#include <utility>

#include "wire/pinhole_actions.hpp"

namespace damson {
namespace {

constexpr std::string_view mapping_description = "damson";

template <class... Visitors>
struct overloaded : Visitors... {
  using Visitors::operator()...;
};

port_mapping_request mapping_of(const igd_wish& wish, const port_mapping_key& key,
                                std::chrono::seconds lease) {
  return {.key = key,
          .internal_port = wish.internal_port,
          .internal_client = wish.internal_client,
          .description = safe_description(mapping_description),
          .lease = lease};
}

/// Passes a success on as a result, and an error as it is.
template <class Decoded, class Into>
std::expected<any_igd_result, soap_error> taken(Decoded decoded, Into&& into) {
  if (!decoded) return std::unexpected(std::move(decoded.error()));
  return into(*decoded);
}

}  // namespace

upnp_action action_of(const any_igd_action& action) noexcept {
  using enum upnp_action;
  return std::visit(
      overloaded{[](const igd_action::query&) { return get_specific_port_mapping_entry; },
                 [](const igd_action::add&) { return add_port_mapping; },
                 [](const igd_action::add_any&) { return add_any_port_mapping; },
                 [](const igd_action::remove&) { return delete_port_mapping; },
                 [](const igd_action::firewall_status&) { return get_firewall_status; },
                 [](const igd_action::add_pinhole&) { return add_pinhole; },
                 [](const igd_action::update_pinhole&) { return update_pinhole; },
                 [](const igd_action::delete_pinhole&) { return delete_pinhole; },
                 [](const igd_action::pinhole_packets&) { return get_pinhole_packets; },
                 [](const igd_action::check_pinhole&) { return check_pinhole_working; }},
      action);
}

bool changes_something(const any_igd_action& action) noexcept {
  switch (action_of(action)) {
    case upnp_action::get_specific_port_mapping_entry:
    case upnp_action::get_firewall_status:
    case upnp_action::get_pinhole_packets:
    case upnp_action::check_pinhole_working:
      return false;
    default:
      return true;
  }
}

soap_request request_for(const any_igd_action& action, std::string_view type, const igd_wish& wish,
                         transport what) {
  const auto key = [&](std::uint16_t port) { return port_mapping_key{port, what}; };
  return std::visit(
      overloaded{[&](const igd_action::query& each) {
                   return make_get_specific_port_mapping_entry(type, key(each.external_port));
                 },
                 [&](const igd_action::add& each) {
                   return make_add_port_mapping(
                       type, mapping_of(wish, key(each.external_port), each.lease));
                 },
                 [&](const igd_action::add_any& each) {
                   return make_add_any_port_mapping(
                       type, mapping_of(wish, key(each.external_port), each.lease));
                 },
                 [&](const igd_action::remove& each) {
                   return make_delete_port_mapping(type, key(each.external_port));
                 },
                 [&](const igd_action::firewall_status&) { return make_get_firewall_status(type); },
                 [&](const igd_action::add_pinhole& each) {
                   return make_add_pinhole(type, {.transport = what,
                                                  .internal_client = wish.internal_client,
                                                  .internal_port = wish.internal_port,
                                                  .lease = each.lease});
                 },
                 [&](const igd_action::update_pinhole& each) {
                   return make_update_pinhole(type, each.id, each.lease);
                 },
                 [&](const igd_action::delete_pinhole& each) {
                   return make_delete_pinhole(type, each.id);
                 },
                 [&](const igd_action::pinhole_packets& each) {
                   return make_get_pinhole_packets(type, each.id);
                 },
                 [&](const igd_action::check_pinhole& each) {
                   return make_check_pinhole_working(type, each.id);
                 }},
      action);
}

std::expected<any_igd_result, soap_error> decode_result(const any_igd_action& action,
                                                        const http_answer& answer) {
  switch (action_of(action)) {
    case upnp_action::get_specific_port_mapping_entry:
      return taken(decode_port_mapping_entry(answer), [](const auto& entry) {
        return igd_result::entry{.internal_client = entry.internal_client,
                                 .internal_port = entry.internal_port,
                                 .lease = entry.lease};
      });
    case upnp_action::add_any_port_mapping:
      return taken(decode_reserved_port(answer),
                   [](const auto& port) { return igd_result::done{port.value_or(0)}; });
    case upnp_action::get_firewall_status:
      return taken(decode_firewall_status(answer), [](const auto& status) {
        return igd_result::firewall{status.enabled, status.allows_pinholes};
      });
    case upnp_action::add_pinhole:
      return taken(decode_pinhole_id(answer), [](auto id) { return igd_result::pinhole{id}; });
    case upnp_action::get_pinhole_packets:
      return taken(decode_pinhole_packets(answer), [](auto) { return igd_result::done{}; });
    case upnp_action::check_pinhole_working:
      return taken(decode_pinhole_working(answer), [](auto) { return igd_result::done{}; });
    default:
      break;
  }
  if (auto done = decode_acknowledgement(answer); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return igd_result::done{};
}

}  // namespace damson
