#pragma once

/// Finds out whether a device can open ports, and through which of its services (Q-81, Q-90 to
/// one that maps them in IPv4, the one that makes pinholes in IPv6.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <damson/error.hpp>
#include <damson/types.hpp>

#include "proto/ssdp_search.hpp"
#include "wire/http_target.hpp"
#include "wire/igd_actions.hpp"
#include "wire/igd_description.hpp"
#include "wire/soap.hpp"

namespace damson {

/// One HTTP request to a device.
struct igd_question {
  http_target target;
  std::optional<soap_request> action;  ///< empty: GET
  std::size_t body_limit = 0;
};

/// A service, and where it is.
struct igd_place {
  http_target control;
  std::string service_type;
};

/// A device through which ports can be opened, and its service for it that is live.
struct igd_device {
  ip_address answered_from;
  bool is_gateway = false;
  http_target control;
  service_kind kind{};
  std::string service_type;
  std::uint16_t version = 1;
  connection_state state{};
  /// As it said: unspecified when it has none, empty when it did not say.
  std::optional<ip_address> external;
  std::optional<std::uint32_t> boot_id;
  std::string name;  ///< for people: bytes as they came
  /// What tells of the same way out as such (WANCommonInterfaceConfig), where there is one.
  std::optional<igd_place> way_out;
  /// Where to ask for the service's events; empty where it has none, or not where they may be asked
  /// for.
  std::optional<http_target> events{};
  std::string location{};     ///< the URL of the description, as it came
  std::string unique_name{};  ///< UDN of the root device; may be empty

  /// Whether it may be taken for a live one: connected, or not saying, and with an address; of
  /// pinholes, which have no address of their own, that it answered.
  bool is_live() const noexcept;
};

/// Whether `a` is the better one to map ports with: live before dead, public before not, the
/// gateway before others, then the newer version.
bool is_better(const igd_device& a, const igd_device& b) noexcept;

/// A value: whoever owns it sends `next()` and hands in what came back, until it is over.
class igd_probe {
 public:
  /// More services that open ports than these are passed over.
  static constexpr std::size_t most_services = 8;

  igd_probe(igd_candidate device, search_place where);

  const igd_candidate& candidate() const noexcept { return candidate_; }
  bool is_over() const noexcept { return step_ == step::over; }

  /// Precondition: not over.
  igd_question next() const;
  /// `asked` is where the answer came from, after redirects.
  void on_answer(const http_answer& answer, const http_target& asked);
  /// No answer, or one that is no HTTP.
  void on_failure();

  /// The best of its services; empty when it is over without one.
  const std::optional<igd_device>& best() const noexcept { return best_; }
  /// Why there is none: `not_supported` or `unusable_answer`.
  errc why() const noexcept { return why_; }

 private:
  enum class step : std::uint8_t { description, status, address, firewall, over };

  soap_request question() const;
  std::optional<igd_place> place_of(const igd_service* service, std::string_view base) const;
  void on_description(const http_answer& answer, const http_target& asked);
  void ask_next_service();
  void judge();
  igd_device& current() { return services_.at(at_); }
  const igd_device& current() const { return services_.at(at_); }

  igd_candidate candidate_;
  search_place where_;
  step step_ = step::description;
  std::vector<igd_device> services_;
  std::size_t at_ = 0;
  std::optional<igd_device> best_;
  errc why_ = errc::unusable_answer;
};

}  // namespace damson
