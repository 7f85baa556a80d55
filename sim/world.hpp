#pragma once

/// A small world in virtual time: one LAN with one host that runs a `damson::engine`, and routers.
///
/// All times are counted from the beginning of the world. The same scene gives the same run.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <damson/engine.hpp>
#include <damson/options.hpp>
#include <damson/types.hpp>

#include "base/random.hpp"
#include "sim/contract.hpp"
#include "sim/gateway.hpp"
#include "sim/profile.hpp"
#include "sim/stun_server.hpp"
#include "sim/world_trace.hpp"

namespace damson::sim {

enum class direction : std::uint8_t { to_router, to_host };

/// What became of a packet.
enum class fate : std::uint8_t {
  delivered,
  lost,     ///< on the way
  refused,  ///< ICMP port unreachable: the router is up, its port is closed
  unheard,  ///< nobody is there, or no socket takes it
};

struct packet_record {
  std::chrono::nanoseconds at{};  ///< when it was sent
  direction way{};
  fate end{};
  sim::datagram datagram;  ///< as it was sent
  bool damaged = false;    ///< and arrives as something else
};

struct event_record {
  std::chrono::nanoseconds at{};
  mapping_event event;
};

struct discovery_record {
  std::chrono::nanoseconds at{};
  discovered what;
};

struct answer_record {
  std::chrono::nanoseconds at{};
  router_answered what;
};

/// One HTTP exchange that the engine asked for. Times are those of the world.
struct http_record {
  std::chrono::nanoseconds at{};  ///< when it was asked for
  http_id id{};
  endpoint local;
  endpoint remote;
  std::string request;
  /// When the whole request was at a server; empty: it was at none.
  std::optional<std::chrono::nanoseconds> served_at;
  /// When the engine got its answer; empty: under way, or cancelled.
  std::optional<std::chrono::nanoseconds> ended_at;
  std::uint16_t status = 0;         ///< of the answer
  std::optional<http_error> error;  ///< or why there was none
  bool cancelled = false;
};

/// An event that a router sent to a subscriber (GENA).
struct notify_record {
  std::chrono::nanoseconds at{};  ///< when it was sent
  ip_address from;
  event_message what;
  /// As the host answered; empty: it never arrived, or nobody listened, or not to the sender.
  std::optional<std::uint16_t> status{};
};

/// How the network and the server treat one HTTP exchange.
struct http_treatment {
  enum class outcome : std::uint8_t {
    answered,
    refused,        ///< nobody listens
    unanswered,     ///< connecting meets silence
    breaks_before,  ///< the connection ends before the request was read
    breaks_after,   ///< the request is obeyed, the answer lost with the connection
    hangs,          ///< the request is obeyed, and no answer ever comes
  };
  outcome end = outcome::answered;
  std::chrono::nanoseconds connecting{0};  ///< longer than usual
  std::chrono::nanoseconds processing{0};  ///< longer than the profile's
};

/// Sees everything as it happens. It must not act upon the world while it looks.
class witness {
 public:
  witness() = default;
  witness(const witness&) = delete;
  witness& operator=(const witness&) = delete;
  witness(witness&&) = delete;
  witness& operator=(witness&&) = delete;
  virtual ~witness() = default;

  virtual void on_packet(const packet_record& record) = 0;
  virtual void on_request(const http_record& record) = 0;
  virtual void on_event(const event_record& record) = 0;
};

/// The link between the host and the routers.
struct link_settings {
  std::chrono::nanoseconds latency = std::chrono::milliseconds{1};  ///< one way
  unsigned loss_percent = 0;
  unsigned duplicate_percent = 0;
  unsigned reorder_percent = 0;  ///< held back for one to three latencies, so that others overtake
  /// How often a packet begins a burst, in which everything is lost for `burst`.
  unsigned burst_percent = 0;
  std::chrono::nanoseconds burst{0};
  /// A bit flips, or the end is cut off, and the checksum does not show it.
  unsigned damage_percent = 0;
  bool multicast_lost = false;  ///< in both directions (Q-73)
};

/// One more router, or a device that is none, on the LAN.
struct device_settings {
  profile how;
  ip_address lan;
  std::optional<ip_address> wan;
};

/// A router beyond the first one: that one's public address is a host of its LAN.
struct upstream_settings {
  profile how;
  ip_address lan;
  std::optional<ip_address> wan;
  /// There is one more NAT in between, with this address, which nobody can ask.
  std::optional<ip_address> nat_between{};
};

/// A STUN server on the internet, beyond all routers.
struct stun_settings {
  stun_habits how{};
  endpoint at{ip_address{ip_address::v4_bytes{203, 0, 113, 1}}, stun_port};
  /// As whom the internet sees all who come by the routers, where that is not as they believe: a
  /// carrier's NAT that is beyond them, or a router that does not know its own address.
  std::optional<ip_address> carrier{};
  bool is_there = true;  ///< else its port refuses
};

/// What a world begins with. The router stands at 192.168.1.1/24, the host is 192.168.1.100.
struct scene {
  profile router;
  /// The router's public address; empty: no uplink.
  std::optional<ip_address> public_address = ip_address{ip_address::v4_bytes{198, 51, 100, 7}};
  /// How long it has been running.
  std::chrono::seconds uptime{3'600};
  options client;
  engine_tuning tuning;
  link_settings link;
  std::vector<device_settings> devices;
  std::optional<upstream_settings> upstream;
  std::optional<stun_settings> stun;
  std::uint64_t seed = 1;
  bool has_ipv6 = false;        ///< the host and the router have addresses, and a route, in both
  bool multicast_works = true;  ///< else the multicast channel cannot be opened (Q-12)
  /// Whether packets, exchanges and events can be looked at afterwards. A world that lasts for
  /// years is better watched as it goes.
  bool keeps_records = true;
};

class world {
 public:
  explicit world(const scene& what);

  // ---- The program

  mapping_id create(const map_request& request);
  void release(mapping_id id, bool keep_lease = false);
  discovery_id discover(protocol_filter protocols = protocol_filter::any);
  void cancel(discovery_id id);
  router_question_id ask(const router_question& what);
  void cancel(router_question_id id);
  void close(bool at_once = false);

  // ---- Time

  std::chrono::nanoseconds now() const noexcept { return now_ - beginning; }
  /// The same as the models and the engine see it.
  time_point clock() const noexcept { return now_; }
  void run_for(std::chrono::nanoseconds span);
  /// Stops as soon as `done` holds, checked after every step. False when it did not within `limit`.
  bool run_until(const std::function<bool()>& done, std::chrono::nanoseconds limit);
  /// One thing happens, if one is due by then; else it is then, and the answer is false.
  bool step(std::chrono::nanoseconds until);
  /// Whether the engine's deadline is what happens next.
  bool is_before_deadline() const;
  /// Then it is, and the engine has not been told so yet.
  void skip_to_deadline();
  /// The host sleeps: its packets are lost, its timers come late, all else goes on.
  void suspend(std::chrono::nanoseconds span);

  // ---- The network

  static constexpr ip_address router_address{ip_address::v4_bytes{192, 168, 1, 1}};
  static constexpr ip_address host_address{ip_address::v4_bytes{192, 168, 1, 100}};
  /// fe80::1 on the host's interface, 2001:db8:1::100, and fe80::100 on that interface.
  static constexpr ip_address router_address_v6{
      ip_address::v6_bytes{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 2};
  static constexpr ip_address host_address_v6{
      ip_address::v6_bytes{0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}};
  static constexpr ip_address host_link_local{
      ip_address::v6_bytes{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 2};

  gateway& router() noexcept {
    ++router_changes_;
    return *routers_.front().model;
  }
  const gateway& router() const noexcept { return *routers_.front().model; }
  /// One more router on the LAN; it stays where it is.
  gateway& add_router(const profile& how, const ip_address& lan,
                      const std::optional<ip_address>& wan);
  /// The router beyond the first one. Precondition: the scene has one.
  gateway& upstream();
  /// The STUN server. Precondition: the scene has one.
  stun_settings& stun() { return stun_.value(); }
  /// The model at an address; null when there is none.
  gateway* device_at(const ip_address& lan);
  const gateway* device_at(const ip_address& lan) const;
  /// All of them, in the order in which they came.
  std::vector<const gateway*> routers() const;

  /// Whether the router's server runs; its port refuses with ICMP while it does not.
  void set_serving(bool serving) noexcept { routers_.front().serving = serving; }
  /// Whether the router is there at all; silence while it is not.
  void set_plugged(bool plugged) noexcept { routers_.front().plugged = plugged; }
  /// The same for the router beyond the first one.
  void set_upstream_plugged(bool plugged);
  /// Whether its web server runs; connections are refused while it does not.
  void set_http_serving(bool serving) noexcept { routers_.front().http_serving = serving; }
  /// Whether the host can reach the router in all that it speaks, as far as the network goes.
  bool is_in_reach(const ip_address& router = router_address) const;
  /// Restarts the router and delivers its first announcement, if any, after the link's latency.
  void reboot_router(bool keep_table = false);
  void set_public_address(const std::optional<ip_address>& wan);

  /// The facts that `look_at_network` is answered with; a change is told at once.
  void set_network(const network_facts& facts);
  const network_facts& network() const noexcept { return facts_; }
  /// Whether the host has it now.
  bool has_address(const ip_address& address) const;
  /// One default route and one address; what the world begins with for the standard addresses.
  static network_facts one_route(const ip_address& gateway, const ip_address& host);
  /// The same for the standard addresses, in IPv4 and IPv6.
  static network_facts both_families();

  link_settings& link() noexcept { return link_; }
  /// Asked for every packet before chance is: how long it travels, or empty when it is lost. Unset:
  /// the link's latency.
  std::function<std::optional<std::chrono::nanoseconds>(const packet_record&)> courier;
  /// Asked for every HTTP exchange when it begins. Unset: connecting takes one round trip, request
  /// and answer take another and the profile's processing time.
  std::function<http_treatment(const http_record&)> http_courier;
  /// Whether connected and search channels can be opened; else the answer is `cannot_open`.
  bool sockets_work = true;

  /// A forged packet, delivered after no time at all: to the host's channel bound to `to.port`,
  /// also where a connected socket would have filtered it out; or to the group. False when none
  /// takes it.
  bool inject(const datagram& forged);
  /// Anything at all, as a driver that has lost count might say it.
  void tell(const input& what) { feed(what); }
  /// Does what a driver would do if the engine said this, which then is told the outcome.
  void order(const output& what) { act(what); }
  /// The local port of the newest open connected channel.
  std::optional<std::uint16_t> client_port() const;
  /// The address and port of the newest open search channel.
  std::optional<endpoint> search_endpoint() const;
  /// Where the host listens for events.
  std::optional<endpoint> event_endpoint() const;
  /// A forged event, a whole HTTP request, that comes to where the host listens after no time at
  /// all. The status that it is answered with; empty: nobody listens there, or not to the sender.
  std::optional<std::uint16_t> post_event(const ip_address& from, const endpoint& to,
                                          std::string_view request);
  /// Whether events arrive.
  bool events_work = true;

  // ---- What was seen

  /// Told from now on of what happens; null: nobody.
  void set_witness(witness* who) noexcept { witness_ = who; }
  /// Of every packet, exchange and event with its time.
  std::uint64_t trace_hash() const noexcept { return trace_.value(); }
  /// How many those were.
  std::uint64_t happenings() const noexcept { return noted_; }
  /// Goes up whenever a router may have changed.
  std::uint64_t router_changes() const noexcept { return router_changes_; }

  // Empty where the scene keeps no records.
  const std::vector<event_record>& events() const noexcept { return events_; }
  const std::vector<discovery_record>& discoveries() const noexcept { return discoveries_; }
  const std::vector<answer_record>& answers() const noexcept { return answers_; }
  const std::vector<packet_record>& packets() const noexcept { return packets_; }
  const std::vector<http_record>& requests() const noexcept { return requests_; }
  const std::vector<notify_record>& notifies() const noexcept { return notifies_; }
  std::size_t event_count() const noexcept { return event_count_; }
  std::size_t count_events(event_kind kind) const;
  /// The last event of a mapping; null when it has had none.
  const event_record* last_event(mapping_id id) const;
  /// Packets that the host sent and that `what` holds for.
  std::vector<packet_record> sent(
      const std::function<bool(std::span<const std::byte>)>& what) const;
  std::size_t sent_count() const noexcept { return sent_count_; }

  const engine_counters& counters() const noexcept { return engine_.counters(); }
  std::size_t mapping_count() const noexcept { return engine_.mapping_count(); }
  std::chrono::nanoseconds recheck_period() const noexcept { return recheck_period_; }
  std::optional<time_point> engine_deadline() const { return engine_.deadline(); }
  bool closed() const noexcept { return watch_.closed(); }
  std::size_t open_channels() const noexcept { return channels_.size(); }

  /// Every packet, HTTP exchange and event with its time, one a line.
  std::string transcript() const;

 private:
  struct router_node {
    std::unique_ptr<gateway> model;
    bool serving = true;
    bool plugged = true;
    bool http_serving = true;
    bool is_upstream = false;  ///< beyond the first router
    std::optional<ip_address> nat_between{};
  };
  enum class channel_kind : std::uint8_t { connected, multicast, search, events };
  struct channel {
    channel_kind kind = channel_kind::connected;
    endpoint local;
    endpoint remote;
  };
  struct to_router {
    datagram packet;
    std::size_t node = 0;  ///< index of the router
  };
  /// What an HTTP exchange comes to next: at the router, then at the host, and so on.
  enum class http_stage : std::uint8_t { knock, connected, request, answer, refused, broken, late };
  struct http_step {
    http_stage stage{};
    std::size_t exchange = 0;  ///< index of its record
  };
  /// What the record does not say.
  struct http_exchange {
    std::size_t body_limit = 0;
    http_treatment treatment;
    http_answer answer;
    std::uint32_t boot_id = 0;  ///< of the server that answered
    bool open = true;           ///< the engine waits for it
  };
  struct to_host {
    datagram packet;
  };
  struct to_stun {
    datagram packet;
  };
  struct look {};
  struct to_listener {
    ip_address from;
    event_message what;
    std::size_t record = 0;  ///< index, where records are kept
  };
  using happening = std::variant<to_router, to_host, to_stun, look, channel_opened, channel_failed,
                                 http_step, to_listener>;
  /// Where a happening stands in the queue: by time, then in the order in which it was scheduled.
  struct appointment {
    time_point at;
    std::uint64_t number = 0;
    std::size_t slot = 0;

    friend bool operator>(const appointment& one, const appointment& other) noexcept {
      return std::tie(one.at, one.number) > std::tie(other.at, other.number);
    }
  };

  static constexpr time_point beginning{std::chrono::hours{1'000}};

  void feed(const input& what);
  void act(const output& what);
  void act(const open_channel& what);
  void act(const send_datagram& what);
  void act(const send_http& what);
  void act(const cancel_http& what);
  void act(const listen_for_events& what);
  bool step_until(time_point until);
  happening take_next();
  std::optional<time_point> next_time() const;
  void happen(const happening& what);
  void arrive_at_router(const to_router& arrived);
  void refuse(const endpoint& sender);
  bool arrive_at_host(const datagram& packet, bool filtered);
  void carry(direction way, datagram packet);
  /// How long a packet travels; empty: it is lost.
  std::optional<std::chrono::nanoseconds> travel_time(const packet_record& record);
  void carry_to_router(packet_record record, std::chrono::nanoseconds travel);
  void carry_to_group(packet_record record, std::chrono::nanoseconds travel);
  void carry_to_host(packet_record record, std::chrono::nanoseconds travel);
  datagram as_it_arrives(packet_record&& record);
  void carry_from_routers(std::vector<datagram> packets);
  bool is_heard_by_host(const endpoint& group) const;
  void schedule(std::chrono::nanoseconds after, happening what);
  bool chance(unsigned percent);
  static constexpr std::size_t nobody = ~std::size_t{0};
  std::size_t index_of(const ip_address& address) const;
  router_node* node_at(const ip_address& address);
  void note(const packet_record& record);
  void note(event_record record);
  void note_begin(const http_record& record);
  void note_end(const http_record& record);
  void forget_ended_requests();
  static bool refuses(const router_node& node, const datagram& packet);
  static bool listens_to(const router_node& node, const ip_address& group);
  bool has_route_to(const ip_address& address) const;
  ip_address own_address(const ip_address& wanted) const;

  // The router beyond the first one, in world_upstream.cpp
  void add_upstream(const upstream_settings& what);
  /// Whether the way to it is open, as far as other routers go.
  bool is_linked(const router_node& node) const;
  /// As whom the router, which is beyond the first one, sees the host.
  ip_address host_beyond(const router_node& node) const;
  /// The host's endpoint as the router sees it, and back.
  endpoint as_seen(const router_node& node, const endpoint& from);
  std::optional<datagram> translated_back(datagram packet) const;

  // The internet, in world_outside.cpp
  const router_node& outermost() const;
  /// Empty: the packet does not get there.
  std::optional<endpoint> seen_from_outside(const endpoint& host) const;
  void carry_to_stun(packet_record record, std::chrono::nanoseconds travel);
  void happen(const to_stun& arrived);
  // Events, in world_events.cpp
  void carry_events();
  void arrive_at_listener(const to_listener& arrived);
  void note(const notify_record& record);

  // HTTP, in world_http.cpp
  void happen(const http_step& what);
  void knock(std::size_t index);
  void serve(std::size_t index);
  void deliver(std::size_t index);
  void fail(std::size_t index, http_error why);
  void end(std::size_t index);
  void stop_waiting(std::size_t index);
  void travel(http_stage to, std::size_t index, std::chrono::nanoseconds wait = {});

  time_point now_ = beginning;
  link_settings link_;
  bool multicast_works_;
  random_source dice_;
  network_facts facts_;
  std::vector<router_node> routers_;
  std::optional<stun_settings> stun_;
  /// The host's ports that the first router translates; it keeps their numbers.
  std::map<std::uint16_t, endpoint> flows_;
  std::chrono::nanoseconds recheck_period_;
  engine engine_;
  contract_watch watch_;
  std::vector<appointment> queue_;  ///< a heap, the next one in front
  std::vector<happening> slots_;    ///< what the queue is about
  std::vector<std::size_t> free_slots_;
  std::uint64_t scheduled_ = 0;
  std::size_t http_steps_ = 0;  ///< of the queue
  std::optional<time_point> asleep_until_;
  std::map<channel_id, channel> channels_;
  std::uint16_t next_ephemeral_port_ = 40'000;
  std::uint64_t next_id_ = 1;
  std::uint64_t next_discovery_ = 1;
  std::uint64_t next_question_ = 1;
  std::vector<event_record> events_;
  std::vector<discovery_record> discoveries_;
  std::vector<answer_record> answers_;
  std::vector<packet_record> packets_;
  std::vector<http_record> requests_;
  std::vector<http_exchange> exchanges_;  ///< one for each request
  std::vector<notify_record> notifies_;
  std::uint64_t next_event_ = 1;
  std::optional<std::uint16_t> event_answer_;  ///< to the event that the engine is told of
  bool keeps_records_;
  witness* witness_ = nullptr;
  class trace trace_;
  std::uint64_t noted_ = 0;
  std::uint64_t router_changes_ = 0;
  std::size_t sent_count_ = 0;
  std::size_t event_count_ = 0;
  std::optional<time_point> burst_until_;
};

}  // namespace damson::sim
