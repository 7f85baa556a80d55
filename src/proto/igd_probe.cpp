#include "proto/igd_probe.hpp"

#include <tuple>
#include <utility>

#include "wire/pinhole_actions.hpp"

namespace damson {
namespace {

auto worth(const igd_device& device) noexcept {
  const bool is_public =
      device.external && classify(*device.external) == address_class::public_address;
  return std::tuple{device.is_live(), is_public, device.is_gateway, device.version};
}

bool opens_ports(service_kind service, ip_family family) noexcept {
  return family == ip_family::v4 ? is_mapping_service(service)
                                 : service == service_kind::wan_ipv6_firewall_control;
}

std::string name_of(const igd_description& description) {
  return description.friendly_name.empty() ? description.model_name : description.friendly_name;
}

}  // namespace

bool igd_device::is_live() const noexcept {
  if (kind == service_kind::wan_ipv6_firewall_control) return state == connection_state::connected;
  return state != connection_state::not_connected && external && !external->is_unspecified();
}

bool is_better(const igd_device& a, const igd_device& b) noexcept { return worth(a) > worth(b); }

igd_probe::igd_probe(igd_candidate device, search_place where)
    : candidate_(std::move(device)), where_(std::move(where)) {}

igd_question igd_probe::next() const {
  if (step_ == step::description) {
    return {.target = candidate_.description, .action = {}, .body_limit = description_bytes};
  }
  return {.target = current().control, .action = question(), .body_limit = soap_answer_bytes};
}

soap_request igd_probe::question() const {
  const std::string& type = current().service_type;
  switch (step_) {
    case step::status:
      return make_get_status_info(type);
    case step::firewall:
      return make_get_firewall_status(type);
    default:
      return make_get_external_ip_address(type);
  }
}

void igd_probe::on_answer(const http_answer& answer, const http_target& asked) {
  switch (step_) {
    case step::description:
      return on_description(answer, asked);
    case step::status:
      // Only for choosing: a device need not know the action.
      if (const auto status = decode_status_info(answer)) current().state = status->state;
      step_ = step::address;
      return;
    case step::address:
      if (const auto address = decode_external_ip_address(answer)) current().external = *address;
      return judge();
    case step::firewall:
      // What it says is asked again when something is to be opened; here it is that it answers.
      current().state = decode_firewall_status(answer) ? connection_state::connected
                                                       : connection_state::not_connected;
      return judge();
    case step::over:
      return;
  }
}

void igd_probe::on_failure() {
  if (step_ == step::description) {
    step_ = step::over;
  } else if (step_ != step::over) {
    judge();
  }
}

std::optional<igd_place> igd_probe::place_of(const igd_service* service,
                                             std::string_view base) const {
  if (service == nullptr) return std::nullopt;
  auto control = resolve_url(service->control_url, base, where_.rule_for(candidate_.answered_from));
  if (!control) return std::nullopt;
  return igd_place{std::move(*control), service->type};
}

void igd_probe::on_description(const http_answer& answer, const http_target& asked) {
  step_ = step::over;
  if (answer.status < 200 || answer.status > 299) return;
  const auto description = decode_igd_description(answer.body);
  if (!description) return;
  why_ = errc::not_supported;
  const url_rule rule = where_.rule_for(candidate_.answered_from);
  const std::string base = description_base(description->url_base, asked.url, rule);
  // Of several ways out each stands before its own connections.
  const igd_service* way_out = nullptr;
  for (const igd_service& each : description->services) {
    if (each.kind == service_kind::wan_common_interface_config) way_out = &each;
    if (!opens_ports(each.kind, where_.gateway.family())) continue;
    if (services_.size() == most_services) break;
    auto control = resolve_url(each.control_url, base, rule);
    if (!control) {
      why_ = errc::unusable_answer;
      continue;
    }
    std::optional<http_target> events;
    if (!each.event_url.empty()) {
      if (auto target = resolve_url(each.event_url, base, rule)) events = std::move(*target);
    }
    services_.push_back({.answered_from = candidate_.answered_from,
                         .is_gateway = candidate_.is_gateway,
                         .control = std::move(*control),
                         .kind = each.kind,
                         .service_type = each.type,
                         .version = each.version,
                         .state = connection_state::unknown,
                         .external = {},
                         .boot_id = candidate_.boot_id,
                         .name = name_of(*description),
                         .way_out = place_of(way_out, base),
                         .events = std::move(events),
                         .location = candidate_.description.url,
                         .unique_name = description->unique_name});
  }
  ask_next_service();
}

/// One that stands alone is used as it is, whatever its status.
void igd_probe::ask_next_service() {
  if (at_ == services_.size()) {
    step_ = step::over;
  } else {
    step_ = services_.size() > 1 ? step::status : step::address;
    if (current().kind == service_kind::wan_ipv6_firewall_control) step_ = step::firewall;
  }
}

/// The first that is connected with a public address ends the questions.
void igd_probe::judge() {
  const igd_device& asked = current();
  if (!best_ || is_better(asked, *best_)) best_ = asked;
  ++at_;
  const bool settled = asked.is_live() && (!asked.external || classify(*asked.external) ==
                                                                  address_class::public_address);
  if (settled) {
    step_ = step::over;
  } else {
    ask_next_service();
  }
}

}  // namespace damson
