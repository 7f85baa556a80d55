#pragma once

/// The client's side of PCP with one server: which requests are open, when to repeat them, and what
/// an answer belongs to.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include <damson/types.hpp>

#include "base/random.hpp"
#include "proto/epoch.hpp"
#include "proto/map_purpose.hpp"
#include "proto/retransmit.hpp"
#include "proto/send_window.hpp"
#include "proto/unanswered_copies.hpp"
#include "wire/pcp.hpp"

namespace damson {

/// Sends nothing and holds no timer: whoever owns it sends what `due` and `check_due` give, and
/// calls again at `next_due` and `check_next_due`.
///
/// One MAP or PEER request per mapping is open at most. Requests wait for their turn where there
/// are many; the first try of one is due when `admit` has named it. An answer is matched by nonce,
/// transport, internal port and the peer of the one or none of the other, also after its
/// request was given up unanswered, so that a grant that comes late is known for ours. A request
/// that was answered is over: a second answer matches nothing.
class pcp_client {
 public:
  /// What to do now about a request: send these bytes, or stop waiting for its answer.
  struct action {
    std::vector<std::byte> send;
    bool silent = false;
  };

  /// A MAP answer of ours.
  struct answer {
    mapping_id mapping{};
    map_purpose asked{};
    bool late = false;  ///< nobody was waiting for it any more
    pcp_result result{};
    std::chrono::seconds lifetime{};  ///< granted (0 in the answer to a delete), or of the error
    endpoint external;
    /// How many ports are mapped, from that of the mapping on; as many as were asked for at most.
    std::uint16_t port_count = 1;
  };

  /// Puts a request in the line, in place of the mapping's earlier one. Deletes go before all else:
  /// there may be little time left for them.
  void ask(mapping_id mapping, map_purpose why, const pcp_map_request& request,
           const retransmit_schedule& schedule);

  /// Opens the request whose turn it is; empty while none may be sent.
  std::optional<mapping_id> admit(time_point now);
  bool has_room() const noexcept { return window_.has_room(); }
  /// Whether the mapping's request waits for its turn.
  bool is_waiting(mapping_id mapping) const;
  /// Whether any does.
  bool any_waiting() const noexcept { return waiting_ > 0; }
  /// Takes out all that wait.
  std::vector<mapping_id> give_up_waiting();

  /// Stops repeating a request; its answer will still be recognised, as a late one.
  void give_up(mapping_id mapping);

  /// The mapping's answers are no longer known.
  void forget(mapping_id mapping);

  /// Something of the router was heard: waits on until then (see `retransmit::extend`).
  void extend(mapping_id mapping, time_point until);

  bool is_open(mapping_id mapping) const;
  /// Why the mapping's last request was sent. Precondition: there was one, and it is not forgotten.
  map_purpose asked_for(mapping_id mapping) const { return exchanges_.at(mapping).why; }
  std::optional<time_point> next_due(mapping_id mapping) const;
  action due(mapping_id mapping, time_point now, random_source& random);

  /// Opens the cheap question for the epoch (RFC 6887 section 14.1), unless it is open already.
  void check(const ip_address& client, const retransmit_schedule& schedule, time_point now);
  void stop_check() noexcept { check_.reset(); }
  bool check_open() const noexcept { return check_.has_value(); }
  std::optional<time_point> check_next_due() const;
  action check_due(time_point now, random_source& random);

  /// Whether any request was sent and waits for an answer.
  bool any_open() const noexcept { return open_ > 0 || check_open(); }

  /// Those whose requests wait for answers, in the order of their names.
  std::vector<mapping_id> open_mappings() const;

  /// How often the mapping's last request was sent; 0 when there is none.
  std::size_t tries(mapping_id mapping) const;

  /// Whether the server may get a request for the mapping yet that was sent before its delete.
  bool may_be_overtaken(mapping_id mapping, time_point now) const;

  /// The mapping and request that a MAP response answers; empty when it answers none of ours.
  /// Closes the request, unless it is a delete answered with a grant (that is a late answer to an
  /// earlier request) or a create or renewal answered with a delete's lifetime of 0.
  std::optional<answer> match(const pcp_response& response);

  /// To be called with the epoch of every response that was matched.
  epoch_verdict observe_epoch(std::uint32_t epoch, time_point now) {
    return epoch_.observe(epoch, now);
  }
  void forget_epoch() noexcept { epoch_.forget(); }

 private:
  enum class stage : std::uint8_t { waiting, open, given_up, answered };

  struct exchange {
    map_purpose why{};
    pcp_map_request request;
    const retransmit_schedule* schedule;
    retransmit tries;
    stage at = stage::waiting;
    bool is_in_window = false;
    /// What the request before this one suggested: its refusal echoes that, and may come twice.
    std::optional<endpoint> suggested_before;
    bool had_options_before = false;  ///< the same
    unanswered_copies grants_due;     ///< of all requests for the mapping but deletes
  };

  std::optional<mapping_id> take_from(std::deque<mapping_id>& line);
  void close(exchange& what, stage as) noexcept;
  void leave_window(exchange& what, void (send_window::*how)() noexcept) noexcept;

  std::unordered_map<mapping_id, exchange> exchanges_;
  std::unordered_map<pcp_nonce, mapping_id> by_nonce_;
  send_window window_;
  /// In the order of their turns; some may have been closed, or sent before it.
  std::deque<mapping_id> deletes_;
  std::deque<mapping_id> line_;
  std::size_t waiting_ = 0;
  std::size_t open_ = 0;

  struct check_exchange {
    ip_address client;
    retransmit tries;
  };
  std::optional<check_exchange> check_;
  pcp_epoch epoch_;
};

}  // namespace damson
