#include "demo_command.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <damson/client.hpp>
#include <damson/testing.hpp>

#include "client_options.hpp"
#include "exit_code.hpp"
#include "gateway_output.hpp"
#include "output.hpp"
#include "terminal.hpp"
#include "text.hpp"

namespace damson::cli {
namespace {

namespace asio = boost::asio;

constexpr std::uint16_t port = 8080;
constexpr ip_address first_public{ip_address::v4_bytes{198, 51, 100, 7}};
constexpr ip_address second_public{ip_address::v4_bytes{198, 51, 100, 23}};
/// Renewed after half of it, which is as long as one wants to watch.
constexpr std::chrono::seconds short_lease{3};
/// Much longer than everything together takes on a busy machine.
constexpr std::chrono::seconds patience{20};

/// Something in the demo is not as it should be.
struct demo_failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void say(const std::string& line) {
  if (!write_line(stream::out, line)) {
    throw demo_failure("standard output cannot be written to");
  }
}

void expect(bool as_it_should_be, const std::string& otherwise) {
  if (!as_it_should_be) {
    throw demo_failure(otherwise);
  }
}

/// A router, and how damson is called for it.
struct scene {
  std::string_view profile;
  std::string_view what_it_speaks;
  std::optional<std::chrono::seconds> lease;
  protocol expected{};
};

constexpr scene upnp_only{.profile = "upnp-only",
                          .what_it_speaks = "UPnP only, as many at home do",
                          .lease = std::nullopt,
                          .expected = protocol::upnp};
constexpr scene nat_pmp_only{.profile = "nat-pmp-only",
                             .what_it_speaks = "NAT-PMP only",
                             .lease = std::nullopt,
                             .expected = protocol::nat_pmp};
constexpr scene everything{.profile = "all",
                           .what_it_speaks = "PCP, NAT-PMP and UPnP",
                           .lease = short_lease,
                           .expected = protocol::pcp};

class demo {
 public:
  demo(asio::io_context& context, const demo_arguments& arguments)
      : arguments_(arguments), deadline_(context, patience) {
    deadline_.async_wait([this](const error_code& error) {
      if (!error) {
        give_up_.emit(asio::cancellation_type::terminal);
      }
    });
  }

  asio::awaitable<void> run() {
    say("Three simulated routers, one after the other, at loopback addresses. Nothing leaves this "
        "computer.");
    co_await play(upnp_only, false);
    co_await play(nat_pmp_only, false);
    co_await play(everything, true);
    deadline_.cancel();
  }

 private:
  asio::cancellation_slot_binder<asio::as_tuple_t<asio::use_awaitable_t<>>, asio::cancellation_slot>
  bounded() {
    return {give_up_.slot(), asio::as_tuple(asio::use_awaitable)};
  }

  const ip_address& address() const { return router_->address(); }

  asio::awaitable<void> play(const scene& what, bool with_restart) {
    const auto executor = co_await asio::this_coro::executor;
    start_router(what);
    say("");
    say(std::to_string(++scenes_) + ". The router at " + to_string(address()) + " speaks " +
        std::string{what.what_it_speaks} + ". Its public address is " + to_string(first_public) +
        ".");
    client_.emplace(executor, client_options(address(), std::nullopt, arguments_.level, status_));
    co_await open_port(what.lease, what.expected);
    if (with_restart) {
      co_await watch_restart();
    }
    say("> Ctrl-C");
    const auto begin = std::chrono::steady_clock::now();
    const auto [error, how] = co_await std::move(mapping_).async_release(bounded());
    check_removal(error, how, std::chrono::steady_clock::now() - begin);
    co_await client_->async_close(bounded());
    client_.reset();
    router_.reset();
  }

  void start_router(const scene& what) {
    try {
      router_.emplace(what.profile,
                      test_router_options{.public_address = first_public, .lease = what.lease});
    } catch (const std::system_error& error) {
      throw demo_failure("the router's ports on loopback cannot be opened (" +
                         std::string{error.what()} +
                         "); the demo needs an address in 127.0.0.0/8 other than 127.0.0.1");
    }
  }

  asio::awaitable<void> open_port(std::optional<std::chrono::seconds> lease, protocol expected) {
    map_request request{.internal_port = port};
    std::string command =
        "> damson map " + std::to_string(port) + "/tcp --gateway " + to_string(address());
    if (lease) {
      request.lifetime = *lease;
      command += " --lifetime " + std::to_string(lease->count());
    }
    say(command);
    auto [error, open] = co_await client_->async_map(request, bounded());
    expect(!error, "the port could not be opened: " + to_string(open.why()));
    last_ = open.info();
    for (const protocol_report& of : open.report()) {
      say("  " + human_line(of));
    }
    report told;
    told.event.kind = event_kind::mapped;
    told.event.info = last_;
    told.elapsed = last_.elapsed;
    say(human_line(told));
    show_table();
    check_grant(first_public);
    expect(last_.protocol == expected, "another protocol was taken than the best one");
    mapping_ = std::move(open);
  }

  /// A renewal that changes nothing is not worth an event, so this one finds another router.
  asio::awaitable<void> watch_restart() {
    router_->set_plugged(false);
    router_->set_public_address(second_public);
    router_->reboot();
    say("");
    say("The router is switched off and on. It forgets everything and gets another public "
        "address.");
    show_table();
    expect(router_->mappings().empty(), "the router still has the mapping");
    router_->set_plugged(true);
    say("The client finds out when it renews the lease, at the latest.");
    report what;
    do {
      const auto asked = std::chrono::steady_clock::now();
      const auto [error, event] = co_await mapping_.async_next_event(bounded());
      expect(!error, "the mapping was not made again: " + error.message());
      what = {.event = event, .before = last_, .elapsed = std::chrono::steady_clock::now() - asked};
      last_ = event.info;
      say(human_line(what));
    } while (what.event.kind != event_kind::mapped);
    expect(what.event.regained, "the loss was not noticed");
    show_table();
    check_grant(second_public);
  }

  void check_removal(const error_code& error, removal how, std::chrono::nanoseconds took) const {
    expect(!error, "the port could not be given back: " + error.message());
    report what;
    what.event.kind = event_kind::removed;
    what.event.info = last_;
    what.event.how = how;
    what.elapsed = took;
    say(human_line(what));
    show_table();
    expect(how == removal::deleted, "the router did not confirm the delete");
    expect(router_->mappings().empty(), "the router still has the mapping");
    expect(router_->complaints().empty(), "the router complains about the client");
  }

  /// The client's word against the router's table.
  void check_grant(const ip_address& public_address) const {
    expect(last_.external == endpoint{public_address, port},
           "the external address is not the router's, or the port is another one");
    const std::vector<test_router::mapping> open = router_->mappings();
    expect(open.size() == 1, "the router does not have exactly one mapping");
    expect(open.front().transport == transport::tcp && open.front().external_port == port &&
               open.front().internal == last_.internal,
           "the router's mapping is not the one that the client reports");
  }

  void show_table() const {
    const std::vector<test_router::mapping> open = router_->mappings();
    say(open.empty() ? "The router's table is empty." : "The router's table:");
    for (const test_router::mapping& each : open) {
      say("  " + human_line(each, router_->public_address()));
    }
  }

  const demo_arguments& arguments_;
  status_line status_{false};
  int scenes_ = 0;
  std::optional<test_router> router_;
  asio::steady_timer deadline_;
  asio::cancellation_signal give_up_;
  std::optional<client> client_;
  mapping mapping_;
  mapping_info last_;
};

}  // namespace

int run_demo(const demo_arguments& arguments) {
  try {
    asio::io_context context{1};
    demo demo{context, arguments};
    asio::co_spawn(context, demo.run(), [](const std::exception_ptr& error) {
      if (error) {
        std::rethrow_exception(error);
      }
    });
    context.run();
    return exit_done;
  } catch (const demo_failure& failure) {
    write_line(stream::err, "damson: the demo went wrong: " + printable(failure.what()) +
                                ". Try: damson demo -vv, which shows what was sent");
    return exit_failed;
  }
}

}  // namespace damson::cli
