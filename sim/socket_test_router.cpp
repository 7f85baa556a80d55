#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <damson/testing.hpp>

#include "sim/profiles.hpp"
#include "sim/socket_router.hpp"

namespace damson {

namespace {

sim::socket_service to_sim(test_router::service which) {
  switch (which) {
    case test_router::service::search:
      return sim::socket_service::search;
    case test_router::service::web:
      return sim::socket_service::web;
    case test_router::service::mapping:
      break;
  }
  return sim::socket_service::mapping;
}

std::optional<protocol> maker_of(const sim::nat_rule& rule) {
  switch (rule.owner) {
    case sim::rule_owner::pcp:
      return protocol::pcp;
    case sim::rule_owner::nat_pmp:
      return protocol::nat_pmp;
    case sim::rule_owner::upnp:
      return protocol::upnp;
    case sim::rule_owner::household:
      break;
  }
  return std::nullopt;
}

test_router::mapping to_mapping(const sim::nat_rule& rule, time_point now) {
  test_router::mapping out{.transport = rule.transport,
                           .external_port = rule.external_port,
                           .internal = rule.internal,
                           .made_with = maker_of(rule),
                           .time_left = {},
                           .description = rule.description};
  if (rule.expires) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*rule.expires - now);
    out.time_left = std::max(left, std::chrono::seconds{0});
  }
  return out;
}

const sim::named_profile& known_profile(std::string_view name) {
  if (const auto* const found = sim::find_profile(name)) return *found;
  std::string text = "there is no router profile '" + std::string{name} + "'; the nearest are";
  std::string_view separator = " ";
  for (const std::string_view each : sim::similar_profiles(name)) {
    text += std::string{separator} + std::string{each};
    separator = ", ";
  }
  throw std::invalid_argument(text);
}

sim::profile with_options(sim::profile how, const test_router_options& options) {
  how.upnp.http_port = options.http_port;
  if (options.lease) {
    const auto seconds = static_cast<std::uint32_t>(options.lease->count());
    how.forced_grant = seconds;
    how.upnp.forced_lease = seconds;
  }
  return how;
}

void check(const test_router_options& options) {
  constexpr std::chrono::seconds longest{std::numeric_limits<std::uint32_t>::max()};
  const auto require = [](bool holds, const char* otherwise) {
    if (!holds) throw std::invalid_argument(otherwise);
  };
  const auto is_host = [](const ip_address& address) {
    return address.is_v4() && !address.is_unspecified() && !address.is_multicast();
  };
  require(!options.address || is_host(*options.address),
          "the router's address must be an IPv4 address of this host");
  require(!options.public_address || is_host(*options.public_address),
          "the public address must be an IPv4 address");
  require(!options.lease || (*options.lease >= std::chrono::seconds{1} && *options.lease < longest),
          "the lease must be 1 s at least, and less than 2^32 s");
  require(options.uptime >= std::chrono::seconds{0} && options.uptime < longest,
          "the uptime must not be negative, and less than 2^32 s");
}

}  // namespace

std::vector<router_profile> router_profiles() {
  std::vector<router_profile> out;
  for (const auto& each : sim::profiles()) {
    out.push_back({std::string{each.name}, std::string{each.quirks}, std::string{each.says}});
  }
  return out;
}

class test_router::state {
 public:
  state(const sim::named_profile& which, const test_router_options& how)
      : options(how),
        router(with_options(which.how, how), {.address = how.address,
                                              .public_address = how.public_address,
                                              .mapping_port = how.mapping_port,
                                              .joins_group = how.multicast,
                                              .uptime = how.uptime,
                                              .on_event = how.on_event}),
        profile(which.name) {}

  template <class Result>
  Result ask(const std::function<Result(const sim::socket_gateway&)>& question) {
    Result out{};
    router.run([&](const sim::socket_gateway& gateway) { out = question(gateway); });
    return out;
  }

  const test_router_options options;
  sim::socket_router router;
  std::string profile;  ///< of the router's thread
};

test_router::test_router(std::string_view profile, const test_router_options& how) {
  check(how);
  state_ = std::make_unique<state>(known_profile(profile), how);
}

test_router::~test_router() = default;

const ip_address& test_router::address() const noexcept { return state_->router.address(); }

std::string test_router::profile() const {
  return state_->ask<std::string>([&](const auto&) { return state_->profile; });
}

std::optional<ip_address> test_router::public_address() const {
  return state_->ask<std::optional<ip_address>>(
      [](const auto& gateway) { return gateway.model().public_address(); });
}

std::uint16_t test_router::mapping_port() const {
  return state_->ask<std::uint16_t>([](const auto& gateway) { return gateway.mapping_port(); });
}

bool test_router::is_plugged() const {
  return state_->ask<bool>([](const auto& gateway) { return gateway.is_plugged(); });
}

std::string test_router::description_url() const {
  return state_->ask<std::string>([](const auto& gateway) {
    const sim::upnp_site& site = gateway.model().upnp().site();
    return gateway.web_port() == 0 ? std::string{} : site.origin() + site.description_path();
  });
}

std::vector<test_router::mapping> test_router::mappings() const {
  return state_->ask<std::vector<mapping>>([](const auto& gateway) {
    const time_point now = sim::socket_gateway::now();
    std::vector<mapping> out;
    for (const auto& rule : gateway.model().rules()) {
      if (!rule.expires || *rule.expires > now) out.push_back(to_mapping(rule, now));
    }
    return out;
  });
}

std::vector<std::string> test_router::complaints() const {
  return state_->ask<std::vector<std::string>>([](const auto& gateway) {
    std::vector<std::string> out;
    for (const auto& each : gateway.model().complaints()) out.push_back(each.what);
    return out;
  });
}

test_router::counters test_router::traffic() const {
  return state_->ask<counters>([](const auto& gateway) {
    const sim::socket_counters& all = gateway.counters();
    return counters{.pcp_requests = all.pcp_requests,
                    .nat_pmp_requests = all.nat_pmp_requests,
                    .other_requests = all.other_requests,
                    .searches = all.searches,
                    .http_requests = all.http_requests,
                    .datagrams_sent = all.datagrams_sent,
                    .unheard = all.unheard};
  });
}

bool test_router::wait_for(const std::function<bool(const std::vector<mapping>&)>& condition,
                           std::chrono::milliseconds time) const {
  return state_->router.wait_until(clock::now() + time, [&] { return condition(mappings()); });
}

bool test_router::wait_for_mappings(std::size_t count, std::chrono::milliseconds time) const {
  return wait_for([count](const auto& open) { return open.size() == count; }, time);
}

void test_router::reboot(bool keep_mappings) {
  state_->router.change(
      [&](sim::gateway& model, time_point now) { model.reboot(now, keep_mappings); });
}

void test_router::set_public_address(const std::optional<ip_address>& address) {
  test_router_options wanted;
  wanted.public_address = address;
  check(wanted);
  state_->router.change(
      [&](sim::gateway& model, time_point now) { model.set_public_address(now, address); });
}

void test_router::set_profile(std::string_view name) {
  const sim::named_profile& wanted = known_profile(name);
  state_->router.run([&](sim::socket_gateway& gateway) {
    sim::profile before;
    try {
      gateway.change([&](sim::gateway& model, time_point) {
        before = std::exchange(model.behaviour(), with_options(wanted.how, state_->options));
        model.behaviour().upnp.http_port = before.upnp.http_port;
      });
    } catch (const std::system_error&) {
      gateway.change([&](sim::gateway& model, time_point) { model.behaviour() = before; });
      throw;
    }
    state_->profile = wanted.name;
  });
}

void test_router::set_serving(service which, bool serving) {
  state_->router.run(
      [&](sim::socket_gateway& gateway) { gateway.set_serving(to_sim(which), serving); });
}

void test_router::set_plugged(bool plugged) {
  state_->router.run([&](sim::socket_gateway& gateway) { gateway.set_plugged(plugged); });
}

bool test_router::forget(transport what, std::uint16_t external_port) {
  bool was_there = false;
  state_->router.change([&](sim::gateway& model, time_point /*now*/) {
    was_there = model.forget(what, external_port);
  });
  return was_there;
}

void test_router::forget_all() {
  state_->router.change([](sim::gateway& model, time_point /*now*/) { model.forget_all(); });
}

void test_router::occupy(transport what, std::uint16_t external_port, const endpoint& internal) {
  if (external_port == 0 || internal.port == 0) {
    throw std::invalid_argument("port 0 cannot be occupied");
  }
  state_->router.change([&](sim::gateway& model, time_point /*now*/) {
    model.occupy(what, external_port, internal);
  });
}

std::string_view to_string(test_router::service which) noexcept {
  switch (which) {
    case test_router::service::search:
      return "search";
    case test_router::service::web:
      return "web";
    case test_router::service::mapping:
      break;
  }
  return "mapping";
}

}  // namespace damson
