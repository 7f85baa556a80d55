#include "gateway_command.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <damson/testing.hpp>

#include "control_socket.hpp"
#include "exit_code.hpp"
#include "gateway_output.hpp"
#include "router_control.hpp"
#include "stop_switch.hpp"
#include "terminal.hpp"
#include "text.hpp"

namespace damson::cli {
namespace {

namespace asio = boost::asio;

int complain(const std::string& what) {
  write_line(stream::err, "damson: " + what);
  return exit_failed;
}

std::string advice_for(const std::error_code& error) {
  if (error == std::errc::address_in_use) {
    return "another --listen address (without it a free one is taken), or --pcp-port 0 and "
           "--http-port 0";
  }
  if (error == std::errc::address_not_available) {
    return "--listen with an address of this host, as 'ip address' shows them";
  }
  return "--pcp-port and --http-port with ports from 1024 on";
}

/// Whether both are one mapping, whatever is left of its lease.
bool is_same(const test_router::mapping& a, const test_router::mapping& b) {
  return a.transport == b.transport && a.external_port == b.external_port &&
         a.internal == b.internal && a.made_with == b.made_with;
}

/// Runs one router, and tells what happens to it.
class gateway {
 public:
  explicit gateway(const gateway_arguments& arguments)
      : arguments_(arguments),
        stop_(context_.get_executor()),
        never_(context_, asio::steady_timer::time_point::max()),
        router_(arguments.profile, options_of(arguments)) {
    if (!arguments.control.empty()) {
      control_.emplace(context_.get_executor(), arguments.control,
                       [this](std::string_view line) { return obey(router_, line); });
    }
  }

  int run() {
    never_.async_wait(asio::bind_cancellation_slot(
        stop_.slot(), [this](const boost::system::error_code&) { context_.stop(); }));
    print(arguments_.json ? json_serving(router_, arguments_.control)
                          : human_summary(router_, arguments_.control));
    context_.run();
    return is_heard_ ? exit_done
                     : complain(
                           "could not write to standard output. Try: a reader "
                           "that stays");
  }

 private:
  test_router_options options_of(const gateway_arguments& arguments) {
    test_router_options out;
    out.address = arguments.listen;
    if (arguments.public_address) {
      out.public_address = *arguments.public_address;
    }
    out.mapping_port = arguments.mapping_port;
    out.http_port = arguments.http_port;
    out.multicast = arguments.multicast;
    out.lease = arguments.lease;
    out.on_event = [this] { asio::post(context_, [this] { tell_changes(); }); };
    return out;
  }

  void tell_changes() {
    std::vector<test_router::mapping> now = router_.mappings();
    tell_missing("closed", open_, now);
    tell_missing("opened", now, open_);
    open_ = std::move(now);
  }

  /// What is in the one and not in the other.
  void tell_missing(const std::string& event, const std::vector<test_router::mapping>& in,
                    const std::vector<test_router::mapping>& not_in) {
    for (const test_router::mapping& each : in) {
      const auto is_it = [&](const test_router::mapping& other) { return is_same(each, other); };
      if (std::ranges::none_of(not_in, is_it)) {
        print(arguments_.json ? json_event(event, each)
                              : event + ": " + human_line(each, router_.public_address()));
      }
    }
  }

  void print(const std::string& text) {
    if (!write_line(stream::out, text)) {
      is_heard_ = false;
      context_.stop();
    }
  }

  const gateway_arguments& arguments_;
  asio::io_context context_{1};
  stop_switch stop_;
  asio::steady_timer never_;
  std::vector<test_router::mapping> open_;
  bool is_heard_ = true;
  test_router router_;  ///< its thread uses the context
  std::optional<control_socket> control_;
};

int list_profiles(bool json) {
  const std::vector<router_profile> all = router_profiles();
  std::string text = json ? std::string{} : human_table(all);
  if (json) {
    for (const router_profile& each : all) {
      text += (text.empty() ? "" : "\n") + json_line(each);
    }
  }
  return write_line(stream::out, text) ? exit_done : exit_failed;
}

}  // namespace

int run_gateway(const gateway_arguments& arguments) {
  if (arguments.list_profiles) {
    return list_profiles(arguments.json);
  }
  try {
    return gateway{arguments}.run();
  } catch (const std::system_error& error) {
    return complain("the router could not start: " + printable(error.what()) +
                    ". Try: " + advice_for(error.code()));
  } catch (const std::invalid_argument& error) {
    complain(printable(error.what()) + ". Try: damson gateway --list-profiles");
    return exit_usage;
  } catch (const std::runtime_error& error) {
    return complain(error.what());
  }
}

}  // namespace damson::cli
