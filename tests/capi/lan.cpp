#include "lan.hpp"

#include <chrono>
#include <exception>
#include <future>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "interop/lab/process.hpp"

using namespace damson;
using namespace std::chrono_literals;

namespace {

// The kernel sees to the carrier of a new link in its own time; before that there is no route over
// it.
void wait_until_running(const lab::net_namespace& where, const std::string& device) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (lab::run(where, {"ip", "-oneline", "link", "show", "dev", device}).find("LOWER_UP") ==
         std::string::npos) {
    if (std::chrono::steady_clock::now() > deadline)
      throw lab::error{device + " of " + where.label() + " does not come up"};
    std::this_thread::sleep_for(5ms);
  }
}

}  // namespace

lan::lan(const lan_options& options) : options_(options) {
  lab::join(host_, "eth0", router_, "lan0");
  lab::run(router_, {"ip", "link", "set", "lo", "up"});
  lab::run(router_, {"ip", "address", "add", options.router_address + "/24", "dev", "lan0"});
  lab::run(router_, {"ip", "link", "set", "lan0", "up"});
  lab::run(host_, {"ip", "link", "set", "lo", "up"});
  lab::run(host_, {"ip", "address", "add", options.host_address + "/24", "dev", "eth0"});
  lab::run(host_, {"ip", "link", "set", "eth0", "up"});
  wait_until_running(router_, "lan0");
  wait_until_running(host_, "eth0");
  if (options.default_route) add_default_route();
  thread_ = lab::in_background(router_, [this] { io_.run(); });
  on_router([this] { gateway_.emplace(io_.get_executor(), model()); });
  host_.enter();
}

lan::~lan() { io_.stop(); }

void lan::add_default_route() {
  lab::run(host_, {"ip", "route", "add", "default", "via", options_.router_address});
}

sim::gateway lan::model() const {
  return sim::gateway{options_.router, ip_address::parse(options_.router_address).value(),
                      ip_address::parse(public_address), sim::socket_gateway::now()};
}

void lan::change(const std::function<void(sim::gateway&, time_point now)>& what) {
  on_router([&] { gateway_->change(what); });
}

std::vector<sim::nat_rule> lan::rules() {
  std::vector<sim::nat_rule> out;
  change([&](sim::gateway& router, time_point) { out = router.rules(); });
  return out;
}

void lan::kill_router() {
  on_router([this] {
    gateway_.reset();
    silence_.emplace(io_, boost::asio::ip::udp::endpoint{
                              boost::asio::ip::make_address(options_.router_address), 5351});
  });
}

void lan::replace_router() {
  on_router([this] {
    silence_.reset();
    gateway_.emplace(io_.get_executor(), model());
  });
}

void lan::on_router(const std::function<void()>& what) {
  std::promise<void> done;
  boost::asio::post(io_, [&] {
    try {
      what();
      done.set_value();
    } catch (...) {
      done.set_exception(std::current_exception());
    }
  });
  done.get_future().get();
}
