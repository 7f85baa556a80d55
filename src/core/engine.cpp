#include <damson/engine.hpp>

#include <algorithm>
#include <deque>

#include "base/check.hpp"
#include "core/chains.hpp"
#include "core/context.hpp"
#include "core/discoveries.hpp"
#include "core/inquiries.hpp"
#include "core/keepers.hpp"
#include "core/requests.hpp"
#include "core/spread.hpp"

namespace damson {
namespace {

/// What is released has ended by then, so that all that could be waited for are routers' events.
constexpr std::chrono::seconds close_bound{2};

options within_bounds(options opts) {
  using namespace std::chrono_literals;
  opts.recheck_period = std::clamp<std::chrono::milliseconds>(opts.recheck_period, 1s, 24h);
  opts.discovery_timeout = std::clamp<std::chrono::milliseconds>(opts.discovery_timeout, 1ms, 1h);
  opts.mapping_timeout = std::clamp<std::chrono::milliseconds>(opts.mapping_timeout, 1ms, 1h);
  return opts;
}

}  // namespace

class engine::impl {
 public:
  impl(const options& opts, std::span<const std::uint64_t, 4> seed, engine_tuning tuning)
      : opts_(within_bounds(opts)), tuning_(tuning), random_(seed), log_(opts_.level, opts_.log) {}

  void handle(time_point now, const input& what) {
    DAMSON_ASSERT(outputs_.empty());
    DAMSON_ASSERT(now >= now_);
    if (closed_) return;
    now_ = std::max(now_, now);
    core::context ctx{opts_, tuning_,        random_,         timers_,        outputs_, counters_,
                      log_,  channels_used_, exchanges_used_, gateways_used_, now_};
    std::visit([&](const auto& each) { on(ctx, each); }, what);
    do {
      keepers_.drain_gateways(ctx);
      requests_.pass_on(ctx);
      while (const auto due = timers_.take_due(now_)) on_timer(ctx, *due);
    } while (spread_.pass_on(ctx));
    keepers_.tidy_up();
    if (closing_ && requests_.size() == 0 && !(ends_events_ && keepers_.is_unsubscribing())) {
      keepers_.stop_tidying(ctx);
      timers_.cancel(core::timer::close_end);
      closed_ = true;
      outputs_.emplace_back(engine_closed{});
    }
  }

  std::optional<output> poll() {
    if (outputs_.empty()) return std::nullopt;
    std::optional<output> next{std::move(outputs_.front())};
    outputs_.pop_front();
    return next;
  }

  std::optional<time_point> deadline() const {
    DAMSON_ASSERT(!timers_.next() || *timers_.next() > now_);
    return timers_.next();
  }

  const engine_counters& counters() const noexcept { return counters_; }
  std::size_t mapping_count() const noexcept {
    return requests_.size() - spread_.request_count() + spread_.size();
  }
  bool is_busy() const noexcept {
    return mapping_count() != 0 || keepers_.is_tidying() || !discoveries_.empty() ||
           !inquiries_.empty() || (closing_ && !closed_);
  }

 private:
  static void ignore(core::context& ctx) { ++ctx.counters.inputs_ignored; }
  void on_timer(core::context& ctx, const core::timer_key& due) {
    if (spread_.on_timer(ctx, due)) return requests_.pass_on(ctx);
    if (discoveries_.on_timer(ctx, due) || inquiries_.on_timer(ctx, due)) return;
    if (due.name == core::timer::timeout) {
      requests_.on_timeout(ctx, due.mapping);
    } else if (due.name == core::timer::close_end) {
      ends_events_ = false;
    } else if (due.name == core::timer::orphaned) {
      chains_.on_orphaned(ctx, due.mapping);
    } else {
      keepers_.on_timer(ctx, due);
    }
    requests_.pass_on(ctx);
  }

  void on(core::context&, const time_passed&) {}
  void on(core::context& ctx, const network_changed& what) {
    keepers_.on_network(ctx, what.facts);
    spread_.on_network(ctx);
    discoveries_.on_network(ctx, what.facts);
    inquiries_.on_network(ctx, what.facts);
  }
  void on(core::context& ctx, const channel_opened& what) {
    if (discoveries_.on_channel_opened(ctx, what) || inquiries_.on_channel_opened(ctx, what))
      return;
    keepers_.on_channel_opened(ctx, what);
  }
  void on(core::context& ctx, const channel_failed& what) {
    if (discoveries_.on_channel_failed(ctx, what) || inquiries_.on_channel_failed(ctx, what))
      return;
    keepers_.on_channel_failed(ctx, what);
  }
  void on(core::context& ctx, const datagram_received& what) {
    if (discoveries_.on_datagram(ctx, what) || inquiries_.on_datagram(ctx, what)) return;
    keepers_.on_datagram(ctx, what);
  }
  void on(core::context& ctx, const http_response& what) {
    if (discoveries_.on_response(ctx, what) || inquiries_.on_response(ctx, what)) return;
    keepers_.on_response(ctx, what);
  }
  void on(core::context& ctx, const http_failed& what) {
    if (discoveries_.on_exchange_failed(ctx, what) || inquiries_.on_exchange_failed(ctx, what))
      return;
    keepers_.on_exchange_failed(ctx, what);
  }
  void on(core::context& ctx, const release_mapping& what) {
    if (spread_.owns(what.id)) return spread_.release(ctx, what.id, what.keep_lease);
    if (core::is_part(what.id)) return ignore(ctx);
    requests_.release(ctx, what.id, what.keep_lease);
  }
  void on(core::context& ctx, const create_mapping& what) {
    if (core::is_part(what.id) || spread_.owns(what.id)) return ignore(ctx);
    const bool is_spread = core::is_spread(what.request) && core::is_valid(what.request);
    if (is_spread && !closing_ && what.id != mapping_id::none && !requests_.owns(what.id)) {
      return spread_.create(ctx, what.id, what.request);
    }
    if (closing_) return requests_.turn_away(ctx, what.id, what.request);
    requests_.create(ctx, what.id, what.request);
  }
  void on(core::context& ctx, const discover& what) {
    if (!closing_) discoveries_.begin(ctx, what);
  }
  void on(core::context& ctx, const cancel_discovery& what) { discoveries_.cancel(ctx, what.id); }
  void on(core::context& ctx, const ask_router& what) {
    if (!closing_) inquiries_.ask(ctx, what);
  }
  void on(core::context& ctx, const cancel_router_question& what) {
    inquiries_.cancel(ctx, what.id);
  }
  void on(core::context& ctx, const event_received& what) { keepers_.on_event_received(ctx, what); }
  void on(core::context& ctx, const close_engine& how) {
    closing_ = true;
    ends_events_ = opts_.listens_to_events && !how.at_once;
    if (ends_events_) timers_.set(core::timer::close_end, now_ + close_bound);
    discoveries_.cancel_all(ctx);
    inquiries_.cancel_all(ctx);
    spread_.release_all(ctx);
    requests_.release_all(ctx, how.at_once);
  }

  options opts_;
  engine_tuning tuning_;
  random_source random_;
  timer_table<core::timer_key, core::timer_hash> timers_;
  std::deque<output> outputs_;
  engine_counters counters_;
  logger log_;
  std::uint32_t channels_used_ = 0;
  std::uint64_t exchanges_used_ = 0;
  std::uint32_t gateways_used_ = 0;
  core::keepers keepers_;
  core::chains chains_{keepers_};
  core::requests requests_{keepers_, chains_};
  core::spread spread_{keepers_.network(), requests_};
  core::discoveries discoveries_;
  core::inquiries inquiries_;
  time_point now_{};
  bool closing_ = false;
  bool ends_events_ = false;  ///< there is time to end subscriptions
  bool closed_ = false;
};

engine::engine(const options& opts, std::span<const std::uint64_t, 4> seed, engine_tuning tuning)
    : impl_(std::make_unique<impl>(opts, seed, tuning)) {}
engine::engine(engine&&) noexcept = default;
engine& engine::operator=(engine&&) noexcept = default;
engine::~engine() = default;

void engine::handle(time_point now, const input& what) { impl_->handle(now, what); }
std::optional<output> engine::poll() { return impl_->poll(); }
std::optional<time_point> engine::deadline() const { return impl_->deadline(); }
const engine_counters& engine::counters() const noexcept { return impl_->counters(); }
std::size_t engine::mapping_count() const noexcept { return impl_->mapping_count(); }
bool engine::is_busy() const noexcept { return impl_->is_busy(); }

}  // namespace damson
