#include "routed_network.hpp"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <boost/asio/post.hpp>

#include "tests/driver/new_network.hpp"

using namespace damson;

namespace {

constexpr ip_address router_address{ip_address::v4_bytes{192, 168, 77, 1}};
constexpr ip_address public_address{ip_address::v4_bytes{198, 51, 100, 7}};

}  // namespace

routed_network::routed_network() {
  std::promise<int> is_apart;
  std::promise<void> has_cable;
  std::promise<void> is_ready;
  auto router_thread = is_apart.get_future();
  auto ready = is_ready.get_future();
  thread_ = std::thread{&routed_network::serve, this, std::move(is_apart), has_cable.get_future(),
                        std::move(is_ready)};
  const std::string router_network = "/proc/" + std::to_string(::getpid()) + "/task/" +
                                     std::to_string(router_thread.get()) + "/ns/net";
  ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
  ip({"link", "set", "far", "netns", router_network});
  ip({"addr", "add", "192.168.77.10/24", "dev", "near"});
  has_cable.set_value();
  ready.get();
  ip({"link", "set", "near", "up"});
  ip({"route", "add", "default", "via", "192.168.77.1"});
}

/// Sockets, and programs that are started, belong to the network of the thread that makes them.
void routed_network::serve(std::promise<int> is_apart, std::future<void> has_cable,
                           std::promise<void> is_ready) {
  if (::unshare(CLONE_NEWNET) != 0) {
    is_apart.set_exception(std::make_exception_ptr(
        std::system_error{errno, std::system_category(), "no network for the router"}));
    return;
  }
  is_apart.set_value(::gettid());
  has_cable.get();
  ip({"addr", "add", "192.168.77.1/24", "dev", "far"});
  ip({"link", "set", "far", "up"});
  gateway_ = std::make_unique<sim::socket_gateway>(
      io_.get_executor(),
      sim::gateway{{}, router_address, public_address, sim::socket_gateway::now()});
  is_ready.set_value();
  io_.run();
}

routed_network::~routed_network() {
  boost::asio::post(io_, [this] { gateway_.reset(); });
  thread_.join();
}

std::vector<sim::nat_rule> routed_network::rules() {
  std::packaged_task<std::vector<sim::nat_rule>()> task{
      [this] { return gateway_->model().rules(); }};
  auto found = task.get_future();
  boost::asio::post(io_, std::move(task));
  return found.get();
}
