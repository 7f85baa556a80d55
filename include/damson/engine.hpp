#pragma once

/// The whole client as a value: no clock, no socket, no thread, no randomness of its own.
///
/// A driver owns the outside world and repeats one loop:
///
///     engine.handle(now, input);                  // one thing that happened
///     while (auto out = engine.poll()) act(*out); // what to do about it
///     wake_me_at(engine.deadline());              // and when to call handle(now, time_passed{})
///
/// The contract:
///  1. one `handle`, then `poll` until it is empty, then `deadline`;
///  2. `now` never decreases, and after a drain `deadline()` is empty or later than `now`;
///  3. an input that fails validation changes counters and nothing else (the one answer without
///     anything but opcode and length to match is a PCP server's clipped one to NAT-PMP);
///  4. an answer is parsed, then matched to an outstanding request (channel, peer, nonce, port; for
///     HTTP the exchange and its peer), and only then acted upon;
///  5. spans in inputs are borrowed for the call; outputs own their bytes;
///  6. everything is bounded (see `engine_limits`);
///  7. each created mapping ends in exactly one `removed` event, also when the engine closes.
///
/// Standard library only. One engine belongs to one thread at a time; two engines share nothing.
/// No function throws anything but std::bad_alloc.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <damson/error.hpp>
#include <damson/options.hpp>
#include <damson/router.hpp>
#include <damson/types.hpp>

namespace damson {

/// The bounds of one engine.
struct engine_limits {
  /// Every port on both transports, and 2 more. Each part of a mapping counts.
  static constexpr std::size_t mappings = 131'072;
  static constexpr std::size_t parts = 64;  ///< of one mapping, at a time
  static constexpr std::size_t datagram_bytes =
      1'100;  ///< RFC 6887 section 7: longer ones are dropped
  static constexpr std::size_t search_answer_bytes = 2'048;  ///< on search channels; the same
  static constexpr std::size_t event_bytes = 16'384;         ///< head and body
  static constexpr std::size_t router_entries = 131'072;     ///< of one table; no more are read
  static constexpr std::size_t router_questions = 64;        ///< at a time
  static constexpr std::size_t pcp_servers = 8;              ///< addresses beyond these are ignored
  static constexpr std::size_t routes = 4'096;               ///< facts beyond these are ignored
  static constexpr std::size_t interface_addresses = 4'096;
};

// ---------------------------------------------------------------------------------------------
// What the host's network looks like

/// One address of one interface that is up.
struct interface_address {
  ip_address address;
  std::uint8_t prefix_length = 0;  ///< 0..32 or 0..128
  std::uint32_t interface_index = 0;
  std::string interface_name;
  bool temporary = false;   ///< a privacy address (RFC 8981)
  bool deprecated = false;  ///< not for new connections

  friend bool operator==(const interface_address&, const interface_address&) = default;
};

/// One default route.
struct default_route {
  ip_address gateway;  ///< unspecified on links without a next hop (PPP, tunnels)
  std::uint32_t interface_index = 0;
  std::uint32_t metric = 0;                    ///< lower is preferred
  std::optional<ip_address> preferred_source;  ///< as the route says

  friend bool operator==(const default_route&, const default_route&) = default;
};

struct network_facts {
  std::vector<default_route> routes;
  std::vector<interface_address> addresses;

  friend bool operator==(const network_facts&, const network_facts&) = default;
};

// ---------------------------------------------------------------------------------------------
// Inputs

/// Names a UDP socket that the engine asked for; never used again after `close_channel`.
enum class channel_id : std::uint32_t {};

/// What can happen to a channel besides datagrams.
enum class channel_error : std::uint8_t {
  cannot_open,  ///< socket, bind, connect or group membership failed; the channel does not exist
  refused,      ///< ICMP port unreachable came back (ECONNREFUSED)
  unreachable,  ///< no route to the host, network down, or send not permitted
};

/// Nothing happened, but the deadline has come.
struct time_passed {};

/// The answer to `look_at_network`, or news.
struct network_changed {
  network_facts facts;
};

/// `local` is the address and port that the socket is bound to.
struct channel_opened {
  channel_id channel{};
  endpoint local;
};

struct channel_failed {
  channel_id channel{};
  channel_error error{};
};

/// `from` is the sender. Longer datagrams than `engine_limits::datagram_bytes` (on search channels
/// `search_answer_bytes`) are to be passed on with at least one byte more than that, so that they
/// are seen to be too long.
struct datagram_received {
  channel_id channel{};
  endpoint from;
  std::span<const std::byte> bytes;
};

/// Names an HTTP exchange that the engine asked for; never used again.
enum class http_id : std::uint64_t {};

/// Names a request that came in on a channel of `listen_for_events`; chosen by the driver, never
/// used before.
enum class event_id : std::uint64_t {};

/// A whole answer. `local` and `peer` are the endpoints really used; `location` is the field of
/// that name, empty where there is none; `content_type`, `subscription` (SID) and `timeout`
/// likewise.
struct http_response {
  http_id id{};
  std::uint16_t status = 0;
  endpoint local;
  endpoint peer;
  std::string_view location;
  std::string_view content_type;
  std::string_view body;
  std::string_view subscription{};
  std::string_view timeout{};
};

/// How an HTTP exchange failed.
enum class http_error : std::uint8_t {
  refused,      ///< the connection was refused
  unreachable,  ///< no route, network down, or the local address cannot be bound
  timed_out,    ///< the exchange's deadline passed
  too_large,    ///< head or body beyond the bounds
  malformed,    ///< not HTTP
  broken,       ///< the connection ended before the answer was whole
};

struct http_failed {
  http_id id{};
  http_error error{};
};

/// The program wants a port. `id` is chosen by the caller, above 0, below 2^63 and never used
/// before. The first result is `mapped` or `failed`; after `failed` the engine tries again by
/// itself until the mapping is released, except for what can never be served (an invalid request, a
/// limit).
///
/// Requests for the same transport and internal port share one mapping on the router, which is
/// deleted with the last of them. The first decides which external port, address and lifetime are
/// asked for; the protocols are those that any of them allows. One that forbids the way in which
/// the port is open fails with `errc::already_mapped`, and has its turn when the others are gone. A
/// request for a port whose delete is under way waits for that.
///
/// What holds for a request holds for each part of one that has parts: it is shared or waits, fails
/// and is tried again without the others. Requests share a mapping where they name the same way
/// out, or none; with `map_request::every_uplink` each part names its own.
struct create_mapping {
  mapping_id id{};
  map_request request;
};

/// The program no longer wants it. Unknown ids, and ids being released, are ignored.
/// `keep_lease` forgets the mapping and leaves it to its lease instead of deleting it.
struct release_mapping {
  mapping_id id{};
  bool keep_lease = false;
};

/// Names one discovery of one engine; chosen by the caller, never used before.
enum class discovery_id : std::uint64_t {};

/// The program wants to know who is there. Questions only: no mapping is made by it.
struct discover {
  discovery_id id{};
  protocol_filter protocols = protocol_filter::any;
};

/// The answer is not wanted any more; none will be.
struct cancel_discovery {
  discovery_id id{};
};

/// The program wants to know what a UPnP router has in its table, or to change what is there.
/// Questions are asked one after another, of the router on the way out, and each is answered within
/// 5 min from when it is its turn. While the engine closes none is taken.
struct ask_router {
  router_question_id id{};
  router_question what;
};

/// The answer is not wanted any more; none will be. What was asked to be deleted may be.
struct cancel_router_question {
  router_question_id id{};
};

/// The peer has connected to a channel of `listen_for_events` and sent a whole HTTP request. Fields
/// that it does not have are empty. `answer_event` comes out before the drain is over, whatever the
/// request is worth.
struct event_received {
  channel_id channel{};
  event_id id{};
  endpoint from;
  std::string_view method;
  std::string_view target;
  std::string_view notification_type;      ///< the field NT
  std::string_view notification_sub_type;  ///< NTS
  std::string_view subscription;           ///< SID
  std::string_view sequence;               ///< SEQ
  std::string_view body;
};

/// Releases everything, within the release bound (2 s); then `engine_closed` comes out, and nothing
/// more. What is created meanwhile fails with `errc::closed` and is removed at once. Discoveries
/// and questions after the router end without an answer.
///
/// `at_once`: nothing will come in any more. One delete goes out for each PCP and NAT-PMP mapping,
/// and everything has ended when the outputs are taken.
struct close_engine {
  bool at_once = false;
};

using input = std::variant<time_passed, network_changed, channel_opened, channel_failed,
                           datagram_received, http_response, http_failed, create_mapping,
                           release_mapping, discover, cancel_discovery, ask_router,
                           cancel_router_question, event_received, close_engine>;

// ---------------------------------------------------------------------------------------------
// Outputs

/// Read routes and addresses and answer with `network_changed`.
struct look_at_network {};

/// A UDP socket for talking to one peer: bound to `local` (unspecified: the system's choice),
/// connected to `remote`, so that only its datagrams and its ICMP errors arrive.
struct connected_channel {
  ip_address local;
  endpoint remote;
};

/// A UDP socket for listening to a group: bound to `group` with the address shared, joined on the
/// interface, never sending.
struct multicast_channel {
  endpoint group;
  ip_address local;  ///< the interface's own address, which names the interface for IPv4
  std::uint32_t interface_index = 0;  ///< 0: by address
};

/// A UDP socket for asking a group and anybody else on the link: bound to `local` and a port of the
/// system's choice, multicast leaving through the interface with `multicast_hops`.
struct search_channel {
  ip_address local;
  std::uint32_t interface_index = 0;  ///< 0: by address
  std::uint8_t multicast_hops = 2;
};

/// Answer with `channel_opened` or `channel_failed`, now or later.
struct open_channel {
  channel_id channel{};
  std::variant<connected_channel, multicast_channel, search_channel> what;
};

/// A TCP socket that takes events: bound to `local` and a port of the system's choice. Connections
/// from anybody but `peer` are closed at once; the others may send one HTTP request each, of
/// `engine_limits::event_bytes` at most, and have 5 s for it. A few at a time; more have to wait.
/// Answer with `channel_opened` or `channel_failed`; `close_channel` ends it.
struct listen_for_events {
  channel_id channel{};
  ip_address local;
  ip_address peer;
};

struct close_channel {
  channel_id channel{};
};

/// To the channel's peer, or, on a search channel, to `to`. Comes after `channel_opened` only.
struct send_datagram {
  channel_id channel{};
  std::vector<std::byte> bytes;
  std::optional<endpoint> to{};
};

/// One HTTP/1.1 exchange over a connection of its own: connect to `remote` from `local`
/// (unspecified: the system's choice), send `head_and_body` as it is in one piece, read one answer
/// (any transfer coding), close. Redirects are not followed. Answer with `http_response` or
/// `http_failed`, never both.
struct send_http {
  http_id id{};
  endpoint remote;
  ip_address local;
  std::string head_and_body;
  std::size_t body_limit = 0;            ///< of the answer, in bytes
  std::chrono::milliseconds deadline{};  ///< for the whole exchange, connecting included
};

/// The answer is not wanted any more; none will be.
struct cancel_http {
  http_id id{};
};

/// The answer to an `event_received`: an empty one with this status, then the connection closes.
struct answer_event {
  event_id id{};
  std::uint16_t status = 200;
};

/// One router that a mapping leads through.
struct mapping_hop {
  damson::protocol protocol{};
  ip_address gateway{};
  endpoint internal{};  ///< of the host, or of the router before it
  endpoint external{};

  friend bool operator==(const mapping_hop&, const mapping_hop&) = default;
};

/// The routers that a mapping leads through, that next to the host first.
class hop_list {
 public:
  static constexpr std::size_t capacity = 2;

  constexpr hop_list() noexcept = default;

  /// Ignored beyond `capacity`.
  constexpr void push_back(const mapping_hop& hop) noexcept {
    if (size_ < capacity) hops_[size_++] = hop;
  }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr const mapping_hop* begin() const noexcept { return hops_.data(); }
  constexpr const mapping_hop* end() const noexcept { return hops_.data() + size_; }

  friend bool operator==(const hop_list&, const hop_list&) = default;

 private:
  std::array<mapping_hop, capacity> hops_{};
  std::uint8_t size_ = 0;
};

/// A mapping as the router granted it; where it leads through two (`options::upstream`), as the one
/// next to the host did, unless it says otherwise.
struct mapping_info {
  mapping_id id{};
  /// Which part of the mapping it is about, where the request is for several addresses or ports
  /// (`ip_families::both`, `every_uplink`, `both_transports`, `port_count`): counted from 1, and
  /// never another one's. 0: the mapping as a whole.
  std::uint32_t part = 0;
  damson::transport transport{};
  damson::protocol protocol{};
  endpoint internal;
  /// As the outermost router says that granted it: where somebody outside has to knock. An
  /// unspecified address where it granted the port but does not know (yet).
  endpoint external;
  /// As granted; 0 s for `direct` and where `permanent`, which have none.
  std::chrono::seconds lifetime{};
  /// A UPnP router that knows no leases, or one of two, keeps it until it is deleted.
  bool permanent = false;
  /// The entry was read back from the router (UPnP), of two from each that has one; the answers of
  /// PCP and NAT-PMP are taken as they are. Whether packets get through is a third thing, which
  /// only a peer outside can tell.
  bool verified = false;
  /// The router, or one of two, took `map_request::peers`, so that nobody else should get in.
  bool filtered = false;
  /// Who granted it, or of a `failed` who was asked; unspecified for `direct` and where there is
  /// none.
  ip_address gateway;
  /// The routers that granted it; empty for `direct`.
  hop_list hops{};
  /// From where `options::stun_server` sees this host; unspecified where it was not asked, or has
  /// not answered (yet). Another address than that of `external` means another NAT in between, or a
  /// router that does not know its own.
  ip_address seen_address{};
  /// The way out that it is for; empty where that is not known.
  damson::interface_name interface_name{};
  /// From creation, or the part's beginning, to the first `mapped`.
  std::chrono::nanoseconds elapsed{};

  /// What the external address is worth. Only `public_address` can be reached as it is. Behind a
  /// second NAT (double NAT) it is `private_address`, behind a provider's `carrier_nat`, unless
  /// that one was asked and has granted as well (`hops`): the port is open on this router then, and
  /// whether packets get as far as that is for somebody outside to find out.
  address_class external_class() const noexcept { return classify(external.address); }

  friend bool operator==(const mapping_info&, const mapping_info&) = default;
};

enum class event_kind : std::uint8_t {
  mapped,   ///< the port is open: the first time, again after `lost`, or still, as the first
            ///< confirmation after the router was out of reach or has restarted
  changed,  ///< address, port or router is another one now
  lost,     ///< the port is not open any more as far as is known; work on it goes on
  failed,  ///< could not be opened; work on it goes on until it is released. Again when the reasons
           ///< are others than the last time
  removed,  ///< the last event of every mapping; parts have none of their own
};

/// "mapped", "changed", …
std::string_view to_string(event_kind) noexcept;

/// How a mapping ended.
enum class removal : std::uint8_t {
  deleted,         ///< the router confirmed the delete
  already_gone,    ///< there was nothing to delete
  left_to_expire,  ///< not confirmed, or wanted so: the router may keep it until its lease ends
  still_shared,    ///< another request of this client for the same port keeps it open
};

/// "deleted", "already gone", "left to expire", "still shared".
std::string_view to_string(removal) noexcept;

/// How far one protocol got before a mapping was made, or in a discovery.
enum class protocol_standing : std::uint8_t {
  not_asked,  ///< the mapping was made before it was its turn
  asked,      ///< nothing was heard until then
  answered,   ///< it is there (and another one was taken for the mapping)
  taken,      ///< it made the mapping
  failed,     ///< see `protocol_report::why`
};

/// "not asked", "asked", "answered", "taken", "failed".
std::string_view to_string(protocol_standing) noexcept;

/// One line of the account of how a mapping came about, or of what a discovery found.
struct protocol_report {
  damson::protocol protocol{};
  protocol_standing standing{};
  /// Who was asked, and for UPnP, who was found; unspecified where nobody was.
  endpoint server{};
  std::optional<protocol_failure> why{};  ///< failed
  /// From the attempt's beginning to the protocol's first answer, or to its failure; empty where
  /// neither came.
  std::optional<std::chrono::nanoseconds> answered_after{};

  friend bool operator==(const protocol_report&, const protocol_report&) = default;
};

/// What the program is told. Which members mean something depends on `kind`.
struct mapping_event {
  event_kind kind{};
  /// All kinds; before the first grant the request's own facts and, once tried, the way out.
  mapping_info info{};
  bool regained = false;  ///< mapped: not the first time
  /// failed and lost; mapped and changed: why `options::upstream` is none of the hops, `reason` 0
  /// where it is, or is not named
  failure why{};
  removal how{};  ///< removed
  /// mapped: one entry for each protocol that the request allows, in the order of preference.
  std::vector<protocol_report> report{};
  /// lost: the way out of the part is gone, and the part with it, also one that was never open.
  /// Nothing was sent where nobody would hear. It comes back as the same part if the way out does
  /// so while the router may still have the mapping, else as another one.
  bool gone = false;
  /// How many of the parts that the mapping began with have had no event yet.
  std::size_t awaited = 0;
};

/// Who is there, and what it speaks.
struct discovery {
  ip_address gateway;   ///< the router on the way out; unspecified where there is none
  ip_address local;     ///< the host's address as that router sees it; unspecified likewise
  ip_address external;  ///< as the router said; unspecified where it did not
  /// From where `options::stun_server` sees this host; unspecified where it was not asked, or has
  /// not answered.
  ip_address seen{};
  /// One entry for each protocol that was asked, in the order of preference: `answered`, or
  /// `failed` with the reason. Empty where there is no router to ask.
  std::vector<protocol_report> protocols;

  /// What the external address is worth, as in `mapping_info`.
  address_class external_class() const noexcept { return classify(external); }

  friend bool operator==(const discovery&, const discovery&) = default;
};

/// The answer to `discover`, after 4 s where nobody speaks and `options::discovery_timeout` at the
/// latest.
struct discovered {
  discovery_id id{};
  discovery found;
};

/// The last output of an engine that was told to close.
struct engine_closed {};

using output = std::variant<look_at_network, open_channel, close_channel, send_datagram, send_http,
                            cancel_http, listen_for_events, answer_event, mapping_event, discovered,
                            router_answered, engine_closed>;

// ---------------------------------------------------------------------------------------------
// The engine

/// What was dropped and why; for tests, logs and reports. They only ever grow.
struct engine_counters {
  std::uint64_t datagrams_received = 0;
  std::uint64_t datagrams_malformed = 0;  ///< too short, too long, not a response, unknown shape
  std::uint64_t datagrams_unmatched = 0;  ///< well formed, but no request of ours asked for it
  std::uint64_t datagrams_stranger = 0;   ///< not from the gateway
  std::uint64_t announcements = 0;        ///< hints accepted for a check, those of UPnP as well
  std::uint64_t datagrams_sent = 0;
  std::uint64_t reboots_seen = 0;    ///< confirmed epoch losses
  std::uint64_t inputs_ignored = 0;  ///< for a channel or mapping that is not known
  std::uint64_t events_received = 0;
  std::uint64_t events_refused = 0;        ///< of no subscription of ours, or not to be understood
  std::uint64_t subscriptions_failed = 0;  ///< requests for events, refused or not answered

  friend bool operator==(const engine_counters&, const engine_counters&) = default;
};

/// Settings that only tests and simulations have a reason to touch.
struct engine_tuning {
  /// The upper end of the random wait before mappings are made again on a restarted router
  /// (RFC 6887 section 14.1.3 asks for up to 5 s, so that hosts do not answer in chorus).
  std::chrono::milliseconds restart_wait{5'000};
};

class engine {
 public:
  /// `seed` feeds nonces, jitter and waits: real randomness in a program, anything in a test.
  engine(const options& opts, std::span<const std::uint64_t, 4> seed, engine_tuning tuning = {});
  engine(engine&&) noexcept;
  engine& operator=(engine&&) noexcept;
  ~engine();

  void handle(time_point now, const input& what);

  /// The next thing to do, oldest first; empty when all was taken.
  std::optional<output> poll();

  /// When `handle(now, time_passed{})` is due; empty: not before something else happens.
  std::optional<time_point> deadline() const;

  const engine_counters& counters() const noexcept;

  /// Mappings created and not yet removed.
  std::size_t mapping_count() const noexcept;

  /// Whether it has something to look after: a mapping, a discovery, a question after the router,
  /// its own closing, or for some seconds a request that was called off and may have been obeyed.
  /// Else nothing that comes in needs to reach it soon.
  bool is_busy() const noexcept;

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace damson
