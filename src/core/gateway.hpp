#pragma once

/// The conversation with one router over one interface and family: its channel, what it speaks, and
/// whether it still is the one that it was.

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <damson/engine.hpp>

#include "core/context.hpp"
#include "core/uplink.hpp"
#include "proto/map_purpose.hpp"
#include "proto/natpmp_client.hpp"
#include "proto/pcp_client.hpp"

namespace damson::core {

enum class availability : std::uint8_t {
  unknown,
  present,  ///< it answered in this protocol
  absent,   ///< it answered that it does not speak it
};

struct map_outcome {
  enum class kind : std::uint8_t { granted, deleted, refused, silent };
  kind what{};
  endpoint external{};              ///< granted; NAT-PMP leaves the address unspecified
  std::chrono::seconds lifetime{};  ///< granted
  errc reason{};                    ///< refused
  std::uint16_t result_code = 0;    ///< refused
  std::chrono::seconds
      retry_after{};  ///< refused: as asked by the router, not below the floors (Q-34)
};

/// What a gateway tells the engine.
namespace gateway_event {
struct channel_ready {};
struct channel_broken {
  channel_error error{};
};
/// What it speaks is known better than before.
struct learnt {};
struct map_answered {
  mapping_id mapping{};
  damson::protocol protocol{};
  map_purpose asked{};
  bool late = false;
  map_outcome outcome;
};
/// The NAT-PMP address question is answered, or will not be.
struct address_asked {
  bool answered = false;
};
/// It lost its state: the epoch says so (RFC 6887 section 8.5, RFC 6886 section 3.6).
struct restarted {};
/// The PCP ANNOUNCE question is answered, or will not be.
struct checked {
  bool answered = false;
};
}  // namespace gateway_event

using any_gateway_event =
    std::variant<gateway_event::channel_ready, gateway_event::channel_broken, gateway_event::learnt,
                 gateway_event::map_answered, gateway_event::address_asked,
                 gateway_event::restarted, gateway_event::checked>;

/// Which protocols the requests of its mappings allow.
struct allowed_protocols {
  bool pcp = false;
  bool nat_pmp = false;
};

class gateway {
 public:
  /// Precondition: the uplink has a gateway.
  gateway(uplink where, channel_id requests, channel_id announcements);

  void open(context& ctx);
  void close(context& ctx);

  bool is_ready() const noexcept { return ready_; }
  const uplink& where() const noexcept { return where_; }
  /// The address from which it is reached; unspecified until `is_ready`.
  const ip_address& local() const noexcept { return local_; }
  endpoint server() const noexcept { return {*where_.gateway, pcp_server_port}; }

  availability pcp() const noexcept { return pcp_availability_; }
  availability nat_pmp() const noexcept { return nat_pmp_availability_; }
  /// When it last answered anything at all.
  std::optional<time_point> last_answer() const noexcept { return last_answer_; }
  /// As the last NAT-PMP answer said; empty while it is not known.
  const std::optional<ip_address>& external_address() const noexcept { return external_address_; }
  /// Whether the external address is unknown, and an answer that will tell it under way (the
  /// question is asked if need be, but not again when the last answer was that there is none).
  bool must_wait_for_address(context& ctx);

  /// It may be another device by now.
  void forget_what_it_speaks() noexcept;
  void allow(allowed_protocols more) noexcept;

  void ask_pcp(context& ctx, mapping_id mapping, map_purpose why, const pcp_map_request& request);
  void ask_nat_pmp(context& ctx, mapping_id mapping, map_purpose why,
                   const natpmp_map_request& request);
  void ask_address(context& ctx);
  /// The cheap question whether it is still there and has kept its state, in the protocol that it
  /// speaks.
  void check(context& ctx);

  /// Stops repeating the mapping's PCP request; a grant will still be recognised.
  void give_up_pcp(context& ctx, mapping_id mapping);
  /// Waits for the mapping's answer until then.
  void extend_pcp(context& ctx, mapping_id mapping, time_point until);
  void extend_nat_pmp(context& ctx, mapping_id mapping, time_point until);
  /// Whether the mapping's NAT-PMP request waits for its answer, or for others to be answered.
  bool nat_pmp_open(mapping_id mapping) const { return nat_pmp_.is_open(mapping); }
  /// Takes the mapping's NAT-PMP request back if it was not sent yet; false if it was, or there is
  /// none.
  bool withdraw_nat_pmp(context& ctx, mapping_id mapping);
  void forget_nat_pmp(context& ctx, mapping_id mapping);
  bool pcp_open(mapping_id mapping) const { return pcp_.is_open(mapping); }
  /// How often the mapping's last PCP request was sent.
  std::size_t pcp_tries(mapping_id mapping) const { return pcp_.tries(mapping); }
  /// Drops everything about the mapping.
  void forget(context& ctx, mapping_id mapping);

  /// Whether the channel is one of its own.
  bool owns(channel_id channel) const noexcept;
  void on_opened(context& ctx, const channel_opened& what);
  void on_failed(context& ctx, const channel_failed& what);
  void on_datagram(context& ctx, const datagram_received& what);
  void on_timer(context& ctx, const timer_key& due);

  /// What has happened since the last call.
  std::vector<any_gateway_event> take_events() { return std::exchange(events_, {}); }

 private:
  void on_pcp(context& ctx, std::span<const std::byte> bytes);
  void on_natpmp(context& ctx, std::span<const std::byte> bytes);
  void on_pcp_refused_by_version(context& ctx, std::span<const std::byte> bytes);
  bool on_answer_of_a_pcp_server(context& ctx, std::span<const std::byte> bytes);
  void on_announcement(context& ctx, const datagram_received& what);
  void on_address_answer(context& ctx, const natpmp_response& response);
  void end_questions();
  void heard_in_pcp(context& ctx, std::uint32_t epoch);
  void heard_in_nat_pmp(context& ctx, std::uint32_t epoch);
  void on_restarted(context& ctx);
  void learn(availability& which, availability what);

  void send(context& ctx, std::vector<std::byte> bytes);
  void pump_pcp(context& ctx, mapping_id mapping);
  void pump_check(context& ctx);
  void pump_nat_pmp(context& ctx);

  uplink where_;
  channel_id requests_;
  channel_id announcements_;
  bool ready_ = false;
  bool never_opened_ = false;
  ip_address local_;

  allowed_protocols allowed_;
  availability pcp_availability_ = availability::unknown;
  availability nat_pmp_availability_ = availability::unknown;
  pcp_client pcp_;
  natpmp_client nat_pmp_;
  std::optional<ip_address> external_address_;
  std::chrono::seconds address_pause_{1};
  std::optional<time_point> last_answer_;
  std::optional<time_point> last_check_;
  std::vector<any_gateway_event> events_;
};

}  // namespace damson::core
