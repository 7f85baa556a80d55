#include <damson/error.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <system_error>

namespace damson {
namespace {

struct error_entry {
  errc code;
  next_step step;
  std::string_view text;
};

using enum next_step;

constexpr std::array error_table{
    error_entry{errc::no_gateway, tell_owner,
                "this host has no default route with a router behind it"},
    error_entry{errc::network_down, retry, "the router cannot be reached from this host"},
    error_entry{errc::port_closed, fall_back, "nothing listens on the router's port"},
    error_entry{errc::no_answer, fall_back, "the router did not answer"},
    error_entry{errc::version_refused, fall_back,
                "the router does not speak this version of the protocol"},
    error_entry{errc::not_supported, fall_back, "the router does not support what was asked"},
    error_entry{errc::not_authorized, tell_owner, "the router's settings do not allow it"},
    error_entry{errc::malformed_request, fall_back, "the router could not read the request"},
    error_entry{errc::network_failure, tell_owner,
                "the router has no public address of its own: no uplink, or another NAT before it"},
    error_entry{errc::no_resources, retry,
                "the router has no room for the mapping, or the external port is taken"},
    error_entry{errc::quota_exceeded, retry, "the router's quota for this host is used up"},
    error_entry{errc::external_not_available, fix_call,
                "the external address or port that was wanted cannot be had"},
    error_entry{errc::address_mismatch, tell_owner,
                "there is another NAT between this host and the router"},
    error_entry{errc::lease_not_supported, fix_call,
                "the router makes permanent mappings only, and those were not wanted"},
    error_entry{errc::unusable_answer, fall_back, "the router's answer cannot be used"},
    error_entry{errc::lease_expired, retry, "the lease ran out and was not renewed"},
    error_entry{errc::gateway_restarted, retry, "the router has restarted and lost its mappings"},
    error_entry{errc::mapping_gone, retry, "the router no longer has the mapping"},
    error_entry{errc::network_changed, retry, "the router or this host's address has changed"},
    error_entry{errc::protocol_excluded, fix_call, "the request does not allow this protocol"},
    error_entry{errc::not_tried, retry, "it was not asked before the attempt ended"},
    error_entry{errc::timed_out, retry, "the time allowed for the request has passed"},
    error_entry{errc::invalid_argument, fix_call, "the request makes no sense"},
    error_entry{errc::already_mapped, fix_call,
                "this client has the port mapped in a way that the request does not allow"},
    error_entry{errc::limit_reached, fix_call, "the client holds as many mappings as it can"},
    error_entry{errc::busy, fix_call, "somebody is already waiting for the next event"},
    error_entry{errc::closed, fix_call, "the client or the mapping is closed"},
};

const error_entry* find_entry(errc code) noexcept {
  const auto* const entry = std::ranges::find(error_table, code, &error_entry::code);
  return entry == error_table.end() ? nullptr : entry;
}

class errc_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "damson"; }

  std::string message(int value) const override {
    return std::string{describe(static_cast<errc>(value))};
  }

  /// This is what makes every code equivalent to its next step, and to no other.
  std::error_condition default_error_condition(int value) const noexcept override {
    if (find_entry(static_cast<errc>(value)) == nullptr) return {value, *this};
    return make_error_condition(next_step_of(static_cast<errc>(value)));
  }
};

class step_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "damson.next_step"; }

  std::string message(int value) const override {
    switch (static_cast<next_step>(value)) {
      case retry:
        return "try again later";
      case fall_back:
        return "use another protocol or a relay";
      case fix_call:
        return "correct the call";
      case tell_owner:
        return "have the settings of the router or of the network changed";
    }
    return "unknown next step";
  }
};

}  // namespace

const std::error_category& category() noexcept {
  // Never destroyed: threads may still use it when the program's statics go.
  static const auto* const instance = new errc_category;
  return *instance;
}

const std::error_category& next_step_category() noexcept {
  static const auto* const instance = new step_category;
  return *instance;
}

std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), category()}; }

std::error_condition make_error_condition(next_step step) noexcept {
  return {static_cast<int>(step), next_step_category()};
}

next_step next_step_of(errc code) noexcept {
  const error_entry* const entry = find_entry(code);
  return entry == nullptr ? retry : entry->step;
}

std::string_view describe(errc code) noexcept {
  if (code == errc{}) return "no error";
  const error_entry* const entry = find_entry(code);
  return entry == nullptr ? "unknown error" : entry->text;
}

std::string to_string(const protocol_failure& value) {
  std::string facts;
  const auto add = [&facts](std::string_view fact) {
    if (!facts.empty()) facts += ", ";
    facts += fact;
  };
  if (!value.server.address.is_unspecified()) add(to_string(value.server));
  if (value.result_code) add("result " + std::to_string(*value.result_code));
  if (!value.router_text.empty()) add('"' + value.router_text + '"');
  if (value.retry_after) add("not again for " + std::to_string(value.retry_after->count()) + " s");

  std::string out{to_string(value.protocol)};
  out += ": ";
  out += describe(value.reason);
  if (!facts.empty()) out += " (" + facts + ")";
  return out;
}

std::string to_string(const failure& value) {
  std::string out{describe(value.reason)};
  for (const protocol_failure& p : value.protocols) out += "; " + to_string(p);
  if (!value.external.is_unspecified()) {
    out += "; the outside address is " + to_string(value.external) + " (";
    out += to_string(value.external_class());
    out += ')';
  }
  return out;
}

}  // namespace damson
