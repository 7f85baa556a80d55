#pragma once

/// The client's side of NAT-PMP with one server: a queue of requests of which one is in flight
/// (RFC 6886 section 3.1).

#include <array>
#include <bitset>
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
#include "proto/unanswered_copies.hpp"
#include "wire/natpmp.hpp"

namespace damson {

/// Sends nothing and holds no timer: whoever owns it sends what `due` gives and calls again at
/// `next_due`.
class natpmp_client {
 public:
  /// For a mapping or, with `mapping_id::none`, the question for the external address.
  struct request {
    mapping_id mapping{};
    map_purpose why{};
    natpmp_map_request map{};

    bool is_address_question() const noexcept { return mapping == mapping_id::none; }
  };

  /// What to do now: send these bytes, or give up this request.
  struct action {
    std::vector<std::byte> send;
    std::optional<request> silent;
  };

  struct answer {
    request asked;
    natpmp_response response;
  };

  /// Queues a request, in place of the mapping's earlier one (of the earlier address question).
  /// What is needed earlier goes earlier, and the address question first.
  void ask(const request& what, const retransmit_schedule& schedule, time_point needed_by,
           time_point now);

  /// Takes the mapping's request out of the queue; false when there was none. One in flight is
  /// dropped as well: its answer will match nothing.
  bool forget(mapping_id mapping);

  /// Something of the router was heard: waits on until then (see `retransmit::extend`).
  void extend(mapping_id mapping, time_point until);

  bool is_open(mapping_id mapping) const;
  /// How often the mapping's request was sent; 0 when there is none.
  std::size_t tries(mapping_id mapping) const;
  /// Whose request is in flight, and sent already (`none`: the address question).
  std::optional<mapping_id> in_flight() const;
  /// How long it is, in bytes; 0: none is.
  std::size_t in_flight_bytes() const;
  bool address_open() const { return is_open(mapping_id::none); }
  bool any_open() const noexcept { return !queue_.empty(); }

  /// Whether the server may get a request for the port yet that was sent before its delete.
  bool may_be_overtaken(transport which, std::uint16_t internal_port, time_point now) const;

  /// Empty when nothing is queued.
  std::optional<time_point> next_due() const;
  action due(time_point now, random_source& random);

  /// Takes out the request in flight if the response answers it: the same opcode; a grant's
  /// lifetime above 0, a delete's 0; and the same internal port, or one that was never asked for,
  /// which some servers answer with. One that was asked for is a second answer to an earlier
  /// request. Refusals and grants of other ports name no request, so of one that was sent several
  /// times as many are taken for second answers, if they come within 4 s; and one as well that is
  /// the same as the one before if the request was sent once.
  std::optional<answer> match(const natpmp_response& response, time_point now);

  /// Takes out the request in flight because the server answered it in another protocol, with this
  /// opcode.
  std::optional<request> take_in_flight(natpmp_opcode answered, time_point now);

  epoch_verdict observe_epoch(std::uint32_t epoch, time_point now) {
    return epoch_.observe(epoch, now);
  }
  void forget_epoch() noexcept { epoch_.forget(); }

 private:
  struct entry {
    request what;
    const retransmit_schedule* schedule = nullptr;
    time_point needed_by;
    time_point asked_at;
    std::optional<time_point> wait_until;  ///< as extended
    std::optional<retransmit> tries;       ///< once it is in flight
    time_point sent_at;                    ///< last
  };
  struct late_answers {
    std::size_t count = 0;  ///< how many may still come
    time_point until;       ///< and until when
  };

  using port_key = std::uint32_t;
  static port_key key_of(natpmp_opcode opcode, std::uint16_t internal_port) noexcept {
    return static_cast<port_key>(opcode) << 16 | internal_port;
  }
  static port_key key_of(const natpmp_map_request& map) noexcept {
    return key_of(map_opcode(map.transport), map.internal_port);
  }

  bool answers(const natpmp_response& response, time_point now);
  bool is_second_answer(natpmp_opcode opcode, time_point now);
  bool repeats_last_unnamed(const natpmp_response& response, time_point now);
  void note_answer(port_key of);
  void note_late_answer(const natpmp_response& response);
  void start_next(time_point now);
  void expect_late_answers(const entry& gone, std::size_t answered);
  request take_front(time_point now, std::size_t answered);

  std::deque<entry> queue_;
  std::bitset<65'536> ports_asked_for_;
  std::array<late_answers, 3> late_{};           ///< by opcode
  std::optional<natpmp_response> last_unnamed_;  ///< the last answer that named no request
  time_point last_unnamed_until_;                ///< it may come again until then
  std::unordered_map<port_key, unanswered_copies> grants_due_;
  natpmp_epoch epoch_;
};

}  // namespace damson
