#pragma once

/// The client's side of UPnP with one router: finds the device, keeps to the one that it chose, and
/// runs actions on it one at a time, because many web servers of routers can do no more.
///
/// A control URL does not last: the device may have restarted on another port. Whatever shows that
/// (a refused connection, 404) leads to a new search, after which the action is sent again.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include <damson/engine.hpp>

#include "base/random.hpp"
#include "proto/igd_ladder.hpp"
#include "proto/igd_pinhole.hpp"
#include "proto/igd_probe.hpp"
#include "proto/igd_reader.hpp"
#include "proto/map_purpose.hpp"
#include "proto/ssdp_search.hpp"

namespace damson {

/// What comes of the client's work, for its owner.
namespace igd_event {
/// A device was found; `moved` when it is not where it was, which a restart may be behind.
struct found {
  bool moved = false;
  bool is_another = false;  ///< at another address; what the one before has made stays there
  ip_address before{};      ///< where that was, if so
};
struct not_found {
  errc reason{};  ///< nobody answered, or nobody of use
};
struct granted {
  mapping_id mapping{};
  map_purpose asked{};
  igd_grant grant;
  ip_address external;  ///< unspecified where the router has none
};
struct refused {
  mapping_id mapping{};
  map_purpose asked{};
  igd_refusal why;
};
/// The device did not answer, not even after it was searched again.
struct unanswered {
  mapping_id mapping{};
  map_purpose asked{};
  errc reason{};
  std::uint16_t held_port = 0;  ///< the external port of what was perhaps made all the same
};
struct removed {
  mapping_id mapping{};
  igd_removal how{};
};
struct verified {
  mapping_id mapping{};
  igd_verdict verdict{};
};
/// The device answered the question after its address and state.
struct checked {
  bool restarted = false;  ///< its uptime has fallen
};
/// It did not.
struct check_failed {};
/// The answer to a question after its table, or after itself: see `take_reading`.
struct read {};
}  // namespace igd_event

using any_igd_event =
    std::variant<igd_event::found, igd_event::not_found, igd_event::granted, igd_event::refused,
                 igd_event::unanswered, igd_event::removed, igd_event::verified, igd_event::checked,
                 igd_event::check_failed, igd_event::read>;

/// What is wanted for a mapping. In IPv6 it is a pinhole, which leads from the internal port to
/// itself, whatever is suggested.
struct igd_map_request {
  damson::transport transport{};
  endpoint internal{};              ///< whom the mapping leads to, as the device sees it (Q-10)
  std::uint16_t external_port = 0;  ///< suggested, or held; 1..65535
  std::chrono::seconds lease{};     ///< 1 s or more
  bool allow_permanent = true;
  bool exact_port = false;  ///< see `igd_wish`
  /// To create: what an earlier request perhaps made that was not answered; 0: nothing.
  std::uint16_t held_port = 0;
  std::chrono::seconds held_lease{};  ///< to renew: of the last grant
};

class igd_client {
 public:
  /// `local`: the address to ask from. `exchanges` is where the ids of HTTP exchanges are
  /// counted, by all clients of an engine. An action that is not answered within `patience` has
  /// failed.
  igd_client(search_place where, const ip_address& local, std::uint64_t& exchanges,
             std::chrono::milliseconds patience = std::chrono::seconds{5});

  // ---- The device

  /// Wants a search, unless a device is known or a search is under way. `brief`: with one round.
  void find(bool brief = false) noexcept;
  /// Whether a search is wanted for which there is no channel yet: open one, then `begin_search`.
  bool wants_search() const noexcept { return search_wanted_ && !search_; }
  void begin_search(time_point now);
  /// There cannot be one.
  void on_no_channel();
  /// Nobody is waiting for the device any more; goes on if an action is. Whether it was ended.
  bool stop_search();
  /// The network looks different now; a search under way goes on with what it knew.
  void move_to(search_place where) { where_ = std::move(where); }
  const search_place& where() const noexcept { return where_; }
  /// It may be another device by now: it is searched again before the next action.
  void forget_device();
  /// The next search takes another device than the gateway only at its end.
  void welcome_rivals() noexcept { rivals_welcome_ = true; }
  bool is_searching() const noexcept { return search_wanted_; }
  const std::optional<igd_device>& device() const noexcept { return device_; }
  /// As the device said last: unspecified when it has none, empty while it has not said, as of
  /// pinholes it never does.
  const std::optional<ip_address>& external_address() const noexcept { return external_; }

  // ---- Mappings: at most one request is open for each

  /// Opens a port, or extends its lease.
  void ask_map(mapping_id mapping, map_purpose why, const igd_map_request& request);
  void ask_remove(mapping_id mapping, const port_mapping_key& key);
  void ask_verify(mapping_id mapping, const port_mapping_key& key, const endpoint& internal);
  void ask_check();
  /// One at a time; `read` follows.
  void ask(const router_question& what);
  /// Ends what `ask` began, with what is known until then; nothing follows.
  igd_reading stop_asking(errc reason);
  /// What `read` tells of.
  igd_reading take_reading() { return std::exchange(reading_, {}); }

  /// Whether any request is open.
  bool has_jobs() const noexcept { return !jobs_.empty(); }
  /// Whether a request to map is open for the mapping.
  bool is_mapping(mapping_id mapping) const noexcept;
  /// Whether a delete of the mapping is open that will be told of.
  bool is_removing(mapping_id mapping) const noexcept;
  /// Whether the device is being asked to delete something just now.
  bool is_deleting() const noexcept {
    return open_ && !open_->for_probe && jobs_.front().kind == job_kind::remove;
  }
  /// Takes a request to map back. False: nothing of it had been sent, and nothing will come of it.
  /// True: once the answer under way is there, what was made is deleted, unless its external port
  /// is `keep_port`; then `removed` follows.
  bool withdraw(mapping_id mapping, std::uint16_t keep_port);
  /// Nothing of the mapping is of interest any more; a request that is under way is still cleaned
  /// up after, without a word, unless its external port is `keep_port`.
  void forget(mapping_id mapping, std::uint16_t keep_port = 0);

  // ---- In

  ssdp_search::heard on_datagram(const endpoint& from, std::span<const std::byte> bytes);
  /// False when no such exchange is open.
  bool on_response(const http_response& response, time_point now, random_source& random);
  bool on_failed(const http_failed& failed, time_point now);

  // ---- Out

  /// Does what is due; call it after everything above, and then take what is to be done.
  void pump(time_point now);
  std::optional<time_point> next_due() const noexcept;
  std::vector<ssdp_search::message> take_messages() { return std::exchange(messages_, {}); }
  std::vector<std::variant<send_http, cancel_http>> take_exchanges() {
    return std::exchange(outgoing_, {});
  }
  std::vector<any_igd_event> take_events() { return std::exchange(events_, {}); }
  /// Ends the exchange that is open, if there is one.
  void abort();

 private:
  enum class job_kind : std::uint8_t { map, remove, verify, check, ask };
  enum class check_step : std::uint8_t { address, status };

  struct job {
    job_kind kind{};
    mapping_id mapping{};
    map_purpose asked{};
    port_mapping_key key{};
    igd_wish wish{};
    std::unique_ptr<igd_ladder> ladder{};  ///< under way; none for what is one question
    std::uint16_t held_port = 0;           ///< what an earlier ladder may have made
    bool address_due = false;  ///< map: granted, and the external address is to be asked
    bool address_asked = false;
    check_step step{};
    std::optional<endpoint> internal{};  ///< verify: what the entry has to lead to
    std::uint16_t first_port = 0;        ///< to renew: what is to be extended
    bool withdrawn = false;
    bool muted = false;
    std::uint16_t keep_port = 0;
    unsigned failures = 0;  ///< exchanges that brought nothing, in a row
    unsigned failures_in_all = 0;
    bool searched_again = false;
    std::optional<router_question> question{};  ///< ask
    std::unique_ptr<igd_reader> reader{};       ///< ask: under way
    bool reader_is_behind = false;              ///< the device was found anew since

    /// The external ports of what may be on the router; 0: nothing.
    std::uint16_t may_hold() const noexcept { return ladder ? ladder->may_hold() : held_port; }
    std::uint16_t may_also_hold() const noexcept {
      return ladder ? ladder->may_also_hold() : wish.also_held;
    }
    /// map: whether the action that is due does more than ask.
    bool may_change_something() const noexcept;
    void begin_anew();
    void forget_ports() noexcept;
  };

  /// What the device holds of a local port, and when that has ended at the latest.
  struct pinhole {
    held_pinhole what;
    time_point until;
  };
  using pinhole_key = std::pair<transport, std::uint16_t>;

  /// The one that is open.
  struct exchange {
    http_id id{};
    igd_question asked;
    ip_address answered_from;
    unsigned redirects = 0;
    bool for_probe = false;
  };

  // Searching
  void pump_search(time_point now);
  void pump_probe(time_point now);
  void on_probe_over(time_point now);
  void choose(igd_device device, time_point now);
  void give_up_search(errc reason);
  void leave_alone_what_was_made();
  void end_search();
  time_point decision_at() const noexcept;
  bool is_decided(time_point now) const noexcept;

  // Acting
  void pump_jobs(time_point now);
  /// Whether the first of the jobs is under way.
  bool is_begun() const noexcept {
    return !jobs_.empty() && ((open_ && !open_->for_probe) || jobs_.front().ladder);
  }
  std::unique_ptr<igd_ladder> ladder_for(const job& what, time_point now);
  soap_request request_for(const job& what) const;
  void on_job_answer(const http_answer& answer, time_point now, random_source& random);
  void on_ladder_answer(job& what, const http_answer& answer, time_point now,
                        random_source& random);
  void on_remove_answer(const job& what, const http_answer& answer, time_point now);
  void on_verify_answer(const job& what, const http_answer& answer, time_point now);
  void on_check_answer(job& what, const http_answer& answer, time_point now);
  void on_read_answer(job& what, const http_answer& answer, time_point now);
  void follow_device(job& what);
  void settle_reading();
  void on_address_answer(const http_answer& answer, time_point now);
  void on_firewall_answer(const http_answer& answer, time_point now);
  bool is_trouble(const soap_error& error, time_point now);
  void on_job_failed(bool stale, errc reason, time_point now);
  void settle(job& what, time_point now);
  void settle_map(job& what, time_point now);
  /// Of pinholes it has none.
  bool has_address_of_its_own() const noexcept {
    return device_->kind != service_kind::wan_ipv6_firewall_control;
  }
  static pinhole_key key_of(const job& what);
  void note_pinhole(const job& what, time_point now);
  void leave_to(const job& owner, std::uint16_t port, random_source& random);
  void clean_up(const job& what);
  job take_job();
  void insert_remove(mapping_id mapping, const port_mapping_key& key, bool muted);
  igd_wish wish_to_find(const port_mapping_key& key) const;
  void fail(const job& what, errc reason);
  any_igd_result result_of(const soap_error& error, upnp_action action) const;

  // Exchanges
  void start(igd_question asked, const ip_address& answered_from, unsigned redirects = 0);
  bool follow(const http_response& response);
  void on_exchange_failed(http_error error, time_point now);
  void slow_down(time_point now);
  bool is_paused(time_point now);
  bool repeat_for_probe(time_point now);
  bool is_for_probe() const noexcept { return open_ && open_->for_probe; }
  std::deque<job>::iterator find_map(mapping_id mapping) noexcept;

  search_place where_;
  ip_address local_;
  std::uint64_t& exchanges_;
  std::chrono::milliseconds patience_;

  bool search_wanted_ = false;
  bool search_briefly_ = false;
  bool rivals_welcome_ = false;  ///< for as long as the search lasts
  bool probe_repeats_ = false;   ///< its question was too much for the device, and is asked again
  std::optional<ssdp_search> search_;
  std::optional<igd_probe> probe_;
  std::optional<igd_device> fallback_;  ///< of the search under way
  errc search_reason_ = errc::no_answer;

  std::optional<igd_device> device_;
  igd_habits habits_;
  std::optional<http_target> last_control_;  ///< of the device before
  std::optional<std::uint32_t> last_boot_id_;
  /// Between actions, where the device showed that it wants pauses.
  std::chrono::milliseconds pause_{0};

  std::optional<ip_address> external_;
  std::optional<time_point> external_at_;
  std::optional<std::chrono::seconds> uptime_;
  bool has_status_ = true;
  std::map<pinhole_key, pinhole> pinholes_;

  igd_reading reading_;
  std::deque<job> jobs_;
  std::optional<exchange> open_;
  std::optional<time_point> not_before_;  ///< the end of the pause before the next action

  std::vector<ssdp_search::message> messages_;
  std::vector<std::variant<send_http, cancel_http>> outgoing_;
  std::vector<any_igd_event> events_;
};

}  // namespace damson
