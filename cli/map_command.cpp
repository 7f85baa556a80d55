#include "map_command.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <damson/client.hpp>

#include "client_options.hpp"
#include "exit_code.hpp"
#include "reporter.hpp"
#include "stop_switch.hpp"
#include "text.hpp"

namespace damson::cli {
namespace {

namespace asio = boost::asio;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// "asking the router, 1.2 s" on a terminal, once it takes long enough to wonder.
class waiting_line {
 public:
  waiting_line(const asio::any_io_executor& executor, status_line& status)
      : timer_(executor), status_(status) {
    if (status_.enabled()) {
      wait(std::chrono::milliseconds{500});
    }
  }

  void finish() {
    finished_ = true;
    timer_.cancel();
    status_.clear();
  }

 private:
  void wait(std::chrono::milliseconds pause) {
    timer_.expires_after(pause);
    timer_.async_wait([this](const error_code& error) {
      if (!error && !finished_) {
        status_.show("asking the router, " +
                     short_duration(std::chrono::steady_clock::now() - started_));
        wait(is_long() ? std::chrono::milliseconds{1'000} : std::chrono::milliseconds{100});
      }
    });
  }

  /// Somebody who waits for minutes does not watch tenths of a second.
  bool is_long() const {
    return std::chrono::steady_clock::now() - started_ > std::chrono::seconds{10};
  }

  asio::steady_timer timer_;
  status_line& status_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  bool finished_ = false;
};

/// Whether a second failure has something new to say.
bool is_same(const failure& a, const failure& b) {
  return a.reason == b.reason && a.external_class() == b.external_class() &&
         std::ranges::equal(a.protocols, b.protocols,
                            [](const protocol_failure& x, const protocol_failure& y) {
                              return x.protocol == y.protocol && x.reason == y.reason &&
                                     x.result_code == y.result_code && x.server == y.server;
                            });
}

class map_session {
 public:
  map_session(asio::io_context& context, const map_arguments& arguments)
      : arguments_(arguments),
        status_(!arguments.json),
        reporter_(arguments.json, arguments.level <= log_level::info,
                  !arguments.request.peers.empty(), status_),
        stop_(context.get_executor()),
        waiting_(context.get_executor(), status_) {}

  auto until_stopped() { return asio::bind_cancellation_slot(stop_.slot(), as_result); }

  /// The whole of it; returns the exit code. All that runs on the context has an end after it.
  asio::awaitable<int> run() {
    options opts =
        client_options(arguments_.gateway, arguments_.upstream, arguments_.level, status_);
    opts.stun_server = arguments_.stun_server;
    opts.pcp_servers = arguments_.pcp_servers;
    opts.listens_to_events = arguments_.events;
    client_.emplace(co_await asio::this_coro::executor, opts);
    // Not one expression: GCC 12 destroys what a conditional operand of co_await holds twice.
    bool is_open = false;
    if (arguments_.wait) {
      is_open = co_await wait_for_port();
    } else {
      is_open = co_await open_port();
    }
    waiting_.finish();
    int status = exit_failed;
    if (is_open) {
      if (tell_opened() && arguments_.once && !stop_.pulled()) {
        leave_behind();
        status = exit_done;
      } else {
        co_await watch();
        last_ = as_one(mapping_);
        status_.show("giving the port back");
        const auto begin = reporter::clock::now();
        const auto [failed, how] = co_await std::move(mapping_).async_release(as_result);
        status = conclude(failed, how, reporter::clock::now() - begin);
      }
    }
    co_await client_->async_close(as_result);
    stop_.disarm();
    co_return status;
  }

 private:
  /// Returns whether the port is open; why not has been told then.
  asio::awaitable<bool> open_port() {
    auto [error, opened] = co_await client_->async_map(arguments_.request, until_stopped());
    if (error) {
      waiting_.finish();
      explain(error, opened.parts());
      co_return false;
    }
    mapping_ = std::move(opened);
    results_ = mapping_.parts();
    co_return true;
  }

  /// The same, but only a signal or a reader who went away ends the waiting.
  asio::awaitable<bool> wait_for_port() {
    mapping_ = client_->keep_open(arguments_.request);
    while (!stop_.pulled()) {
      const auto [error, event] = co_await mapping_.async_next_event(until_stopped());
      if (error) {
        explain(error, {});
        co_return false;
      }
      if (event.kind == event_kind::mapped) {
        results_.push_back({event.info, mapping_status::open, {}, event.report});
        co_return true;
      }
      if (event.kind == event_kind::failed && !tell_failed(event.info, event.why)) {
        reporter_.complain(std::string{unreadable} +
                           "so nothing is waited for any more. Try: a reader that "
                           "stays");
        co_return false;
      }
    }
    explain({}, {});
    co_return false;
  }

  /// The lease ends it, if there is one.
  void leave_behind() {
    const std::vector<mapping_part> parts = mapping_.parts();
    if (std::ranges::any_of(parts, [](const auto& each) { return each.info.permanent; })) {
      reporter_.complain(
          "damson: this router makes permanent mappings only, so the port stays open until "
          "somebody "
          "deletes it there. Try: --no-permanent, or without --once");
    }
    mapping_.detach();
  }

  /// What is tried again, unless that was told. Returns whether somebody reads.
  bool tell_failed(const mapping_info& where, const failure& why) {
    failure& told = failures_[where.part];
    if (is_same(why, told)) {
      return true;
    }
    told = why;
    return reporter_.failed(failed_with(why, where, true));
  }

  map_failure failed_with(failure why, const mapping_info& where, bool is_waiting) const {
    return {.request = arguments_.request,
            .gateway = arguments_.gateway,
            .why = std::move(why),
            .where = where,
            .is_waiting = is_waiting,
            .interrupted = stop_.pulled()};
  }

  void explain(const error_code& error, const std::vector<mapping_part>& parts) {
    const auto has_reason = [](const mapping_part& each) { return each.why.reason != errc{}; };
    if (!stop_.pulled() && std::ranges::any_of(parts, has_reason)) {
      for (const mapping_part& each : parts) {
        if (has_reason(each)) reporter_.failed(failed_with(each.why, each.info, false));
      }
    } else if (const errc reason = errc_of(error); reason != errc{} || stop_.pulled()) {
      reporter_.failed(failed_with({reason, {}}, {}, false));
    } else {
      reporter_.complain("damson: could not open the port: " + printable(error.message()) +
                         ". Try: the same again");
    }
  }

  bool tell_opened() {
    heard_ = true;
    for (const mapping_part& each : results_) {
      if (!heard_) break;
      const bool is_open = each.status == mapping_status::open;
      heard_ = is_open ? reporter_.opened(each.info, each.report, each.why)
                       : tell_failed(each.info, each.why);
    }
    return heard_;
  }

  /// Tells what happens to the mapping until a signal comes, nobody reads any more, or it is over.
  asio::awaitable<void> watch() {
    while (heard_ && !over_ && !stop_.pulled()) {
      status_.show("Ctrl-C gives the port back");
      const auto [error, event] = co_await mapping_.async_next_event(until_stopped());
      if (!error) {
        if (event.kind == event_kind::failed) {
          heard_ = tell_failed(event.info, event.why);
          continue;
        }
        failures_.erase(event.info.part);
        heard_ = reporter_.told(event);
        over_ = event.kind == event_kind::removed;
      } else if (!stop_.pulled()) {
        reporter_.complain("damson: the mapping is over: " + printable(error.message()) +
                           ". Try: the same again");
        over_ = true;
      }
    }
  }

  /// The exit code for the way it ended.
  int conclude(const error_code& error, removal how, reporter::clock::duration took) {
    if (over_) {
      return exit_failed;
    }
    if (error) {
      reporter_.complain("damson: could not give back the port: " + printable(error.message()) +
                         ". Try: nothing, its lease ends by itself");
      return exit_failed;
    }
    heard_ = heard_ && reporter_.removed(last_, how, took);
    if (!heard_) {
      reporter_.complain(std::string{unreadable} + "so the mapping was given up: " +
                         std::string{to_string(how)} + ". Try: a reader that stays");
    }
    return heard_ ? exit_done : exit_failed;
  }

  /// What is told of several parts at their end is not about one of them.
  static mapping_info as_one(const mapping& of) {
    mapping_info info = of.info();
    if (info.part != 0) {
      info.part = 0;
      info.internal.address = {};
      info.external = {};
      info.gateway = {};
      info.interface_name = {};
    }
    return info;
  }

  static errc errc_of(const error_code& error) {
    for (auto code = static_cast<unsigned>(errc::no_gateway);
         code <= static_cast<unsigned>(errc::closed); ++code) {
      if (error == make_error_code(static_cast<errc>(code))) {
        return static_cast<errc>(code);
      }
    }
    return {};
  }

  static constexpr std::string_view unreadable = "damson: could not write to standard output, ";

  const map_arguments& arguments_;
  status_line status_;
  reporter reporter_;
  stop_switch stop_;
  waiting_line waiting_;
  std::optional<client> client_;
  mapping mapping_;
  std::vector<mapping_part> results_;          ///< to be told when the port is open
  std::map<std::uint32_t, failure> failures_;  ///< as told, by part
  mapping_info last_;
  bool heard_ = false;
  bool over_ = false;
};

}  // namespace

int run_map(const map_arguments& arguments) {
  asio::io_context context{1};
  map_session session{context, arguments};
  int status = exit_failed;
  asio::co_spawn(context, session.run(), [&status](const std::exception_ptr& error, int result) {
    if (error) {
      std::rethrow_exception(error);
    }
    status = result;
  });
  context.run();
  return status;
}

}  // namespace damson::cli
