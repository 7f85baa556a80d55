#include "demo_command.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <damson/client.hpp>

#include "client_options.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "sim/gateway.hpp"
#include "sim/socket_gateway.hpp"
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
  std::string_view what_it_speaks;
  sim::profile how;
  std::optional<std::chrono::seconds> lease;
  protocol expected{};
};

scene upnp_only() {
  sim::profile how;
  how.speaks_pcp = how.speaks_nat_pmp = false;
  how.speaks_upnp = true;
  return {.what_it_speaks = "UPnP only, as many at home do",
          .how = how,
          .lease = std::nullopt,
          .expected = protocol::upnp};
}

scene nat_pmp_only() {
  sim::profile how;
  how.speaks_pcp = false;
  return {.what_it_speaks = "NAT-PMP only",
          .how = how,
          .lease = std::nullopt,
          .expected = protocol::nat_pmp};
}

scene everything() {
  sim::profile how;
  how.speaks_upnp = true;
  how.min_lifetime = std::chrono::seconds{1};
  // Long enough that a restart shows, and told to nobody: the renewal has to find out.
  how.epoch_start = 86'400;
  how.announcements = 0;
  return {.what_it_speaks = "PCP, NAT-PMP and UPnP",
          .how = how,
          .lease = short_lease,
          .expected = protocol::pcp};
}

ip_address random_loopback_address() {
  std::random_device random;
  std::uniform_int_distribution<unsigned> byte{1, 254};
  const auto next = [&] { return static_cast<std::uint8_t>(byte(random)); };
  return ip_address{ip_address::v4_bytes{127, next(), next(), next()}};
}

/// On a loopback address that nobody else has a router on.
std::unique_ptr<sim::socket_gateway> start_router(const asio::any_io_executor& executor,
                                                  const sim::profile& how) {
  constexpr int tries = 16;
  for (int i = 1;; ++i) {
    const ip_address address = random_loopback_address();
    try {
      return std::make_unique<sim::socket_gateway>(
          executor, sim::gateway{how, address, first_public, sim::socket_gateway::now()});
    } catch (const boost::system::system_error& error) {
      if (i == tries || error.code() != asio::error::address_in_use) {
        throw demo_failure("the router's ports on the loopback address " + to_string(address) +
                           " cannot be opened (" + error.code().message() +
                           "); the demo needs an address in 127.0.0.0/8 other than 127.0.0.1");
      }
    }
  }
}

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

  const sim::gateway& model() const { return router_->model(); }
  const ip_address& address() const { return model().lan_address(); }

  asio::awaitable<void> play(scene (*make)(), bool with_restart) {
    scene_ = make();
    const auto executor = co_await asio::this_coro::executor;
    router_ = start_router(executor, scene_.how);
    say("");
    say(std::to_string(++scenes_) + ". The router at " + to_string(address()) + " speaks " +
        std::string{scene_.what_it_speaks} + ". Its public address is " + to_string(first_public) +
        ".");
    client_.emplace(executor, client_options(address(), arguments_.level, status_));
    co_await open_port(scene_.lease, scene_.expected);
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
    router_->change([](sim::gateway& router, time_point now) {
      router.behaviour().epoch_start = 0;
      router.set_public_address(now, second_public);
      router.reboot(now);
    });
    say("");
    say("The router is switched off and on. It forgets everything and gets another public "
        "address.");
    show_table();
    expect(model().rules().empty(), "the router still has the mapping");
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
    expect(model().rules().empty(), "the router still has the mapping");
    expect(model().complaints().empty(), "the router complains about the client");
  }

  /// The client's word against the router's table.
  void check_grant(const ip_address& public_address) const {
    expect(last_.external == endpoint{public_address, port},
           "the external address is not the router's, or the port is another one");
    const std::vector<sim::nat_rule> rules = model().rules();
    expect(rules.size() == 1, "the router does not have exactly one mapping");
    expect(rules.front().transport == transport::tcp && rules.front().external_port == port &&
               rules.front().internal == last_.internal,
           "the router's mapping is not the one that the client reports");
  }

  void show_table() const {
    const std::vector<sim::nat_rule> rules = model().rules();
    say(rules.empty() ? "The router's table is empty." : "The router's table:");
    for (const sim::nat_rule& rule : rules) {
      const endpoint outside{model().public_address().value_or(ip_address{}), rule.external_port};
      say("  " + std::string{to_string(rule.transport)} + " " + to_string(outside) + " -> " +
          to_string(rule.internal) + time_left(rule));
    }
  }

  static std::string time_left(const sim::nat_rule& rule) {
    return rule.expires ? ", ends in " + short_duration(*rule.expires - sim::socket_gateway::now())
                        : std::string{};
  }

  const demo_arguments& arguments_;
  status_line status_{false};
  scene scene_{};
  int scenes_ = 0;
  std::unique_ptr<sim::socket_gateway> router_;
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
