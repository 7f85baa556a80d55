// The contract of the library, row by row, for its C interface, of which there is one in a process.

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <plum/plum.h>

#include "capi/plum_listener.hpp"
#include "contract.hpp"

namespace {

using namespace std::chrono_literals;
using damson::protocol;

plum_mapping_protocol_t in_c(protocol which) {
  if (which == protocol::pcp) return PLUM_MAPPING_PROTOCOL_PCP;
  return which == protocol::nat_pmp ? PLUM_MAPPING_PROTOCOL_NATPMP : PLUM_MAPPING_PROTOCOL_UPNP;
}

class contract_c : public contract {
 protected:
  void TearDown() override { plum_cleanup(); }

  /// On the LAN host, as is the thread that is made there.
  int init(const plum_config_t& config = quiet_config()) const {
    return lab::in(net().lan(), [&] { return plum_init(&config); });
  }
  void start(const plum_config_t& config = quiet_config()) const {
    ASSERT_EQ(init(config), PLUM_ERR_SUCCESS);
  }
  /// Only with a protocol that the router speaks, so that its failures come soon.
  static plum_config_t hasty_config() {
    plum_config_t config = quiet_config();
    config.protocol = GetParam() == protocol::upnp ? PLUM_PROTOCOL_UPNP : PLUM_PROTOCOL_PCP;
    config.discover_timeout = 300;
    config.recheck_period = 1'000;
    return config;
  }
  static void stop() {
    EXPECT_LT(time_of([] { EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS); }), release_bound);
  }

  /// Creates one that has to succeed.
  static int map(plum_listener& with, std::uint16_t port = service_port) {
    const int id = with.create(port);
    EXPECT_GT(id, 0);
    expect_next(with, id, PLUM_STATE_SUCCESS);
    return id;
  }
  static plum_call expect_next(plum_listener& of, int id, plum_state_t state) {
    const plum_call call = of.next();
    EXPECT_EQ(call.id, id);
    EXPECT_EQ(call.state, state);
    EXPECT_EQ(call.mapping.user_ptr, &of);
    return call;
  }
  static std::size_t count(const plum_listener& of, int id, plum_state_t state) {
    std::size_t found = 0;
    for (const plum_call& call : of.calls())
      found += call.id == id && call.state == state ? 1U : 0U;
    return found;
  }
};

INSTANTIATE_TEST_SUITE_P(all, contract_c,
                         testing::Values(protocol::pcp, protocol::nat_pmp, protocol::upnp),
                         name_of);

// What the log callback has got.
std::mutex lines_mutex;
std::vector<plum_log_level_t> lines;

void note_line(plum_log_level_t level, const char* /*message*/) {
  const std::lock_guard lock{lines_mutex};
  lines.push_back(level);
}

std::size_t count_lines() {
  const std::lock_guard lock{lines_mutex};
  return lines.size();
}

TEST_P(contract_c, start) {
  EXPECT_EQ(plum_init(nullptr), PLUM_ERR_INVALID);
  plum_config_t config{};
  config.log_callback = note_line;
  config.discover_timeout = -1;
  EXPECT_EQ(init(config), PLUM_ERR_INVALID);

  // 0 is the default for the times, and VERBOSE for the level.
  config.discover_timeout = 0;
  start(config);
  EXPECT_EQ(init(config), PLUM_ERR_FAILED);
  {
    plum_listener listener;
    listener.create(service_port);
    EXPECT_EQ(listener.next().mapping.mapping_protocol, in_c(GetParam()));
    EXPECT_GT(count_lines(), 0U);
  }

  config.log_level = PLUM_LOG_LEVEL_NONE;
  const std::size_t before = count_lines();
  config.protocol = PLUM_PROTOCOL_UPNP;
  start(config);
  {
    plum_listener listener;
    listener.create(service_port);
    EXPECT_EQ(listener.next().mapping.mapping_protocol, PLUM_MAPPING_PROTOCOL_UPNP);
  }
  config.protocol = PLUM_PROTOCOL_PCP;
  start(config);
  {
    plum_listener listener;
    listener.create(service_port);
    const plum_call call = listener.next();
    if (GetParam() == protocol::upnp)
      EXPECT_EQ(call.state, PLUM_STATE_FAILURE);
    else
      EXPECT_EQ(call.mapping.mapping_protocol, in_c(GetParam()));
  }
  EXPECT_EQ(count_lines(), before);

  router().fall_silent();
  config.protocol = GetParam() == protocol::upnp ? PLUM_PROTOCOL_UPNP : PLUM_PROTOCOL_PCP;
  config.discover_timeout = 300;
  start(config);
  plum_listener listener;
  EXPECT_LT(time_of([&] {
              listener.create(service_port);
              EXPECT_EQ(listener.next().state, PLUM_STATE_FAILURE);
            }),
            promptly);
  router().recover();
}

TEST_P(contract_c, stop) {
  const lab::listener server = listen();
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_FAILED);
  for (int i = 0; i < 2; ++i) {
    std::optional<int> from_inside;
    plum_listener listener([&](const plum_call& call) {
      if (call.state == PLUM_STATE_SUCCESS) from_inside = plum_cleanup();
    });
    start();
    const int tcp = listener.create(service_port);
    const int udp = listener.create(second_port, 0, "", PLUM_IP_PROTOCOL_UDP);
    listener.next();
    listener.next();
    EXPECT_EQ(from_inside, PLUM_ERR_FAILED);
    EXPECT_EQ(net().port_mappings(), 2U);
    EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));
    stop();
    for (const int id : {tcp, udp}) EXPECT_EQ(count(listener, id, PLUM_STATE_DESTROYED), 1U);
    EXPECT_TRUE(is_untouched());
    EXPECT_TRUE(cut_off(net(), server, router().outside(service_port)));
    EXPECT_EQ(plum_cleanup(), PLUM_ERR_FAILED);
  }
}

TEST_P(contract_c, create) {
  const lab::listener server = listen(service_port, lab::transport::udp);
  router().fall_silent();
  start(hasty_config());
  plum_listener listener;
  const int id = listener.create(service_port, 12'345, router().external_address().c_str(),
                                 PLUM_IP_PROTOCOL_UDP);
  ASSERT_GT(id, 0);
  EXPECT_EQ(state_of(id), PLUM_STATE_PENDING);
  const plum_call failed = expect_next(listener, id, PLUM_STATE_FAILURE);
  EXPECT_EQ(failed.host(), "");
  EXPECT_TRUE(is_untouched());

  router().recover();
  const plum_call opened = expect_next(listener, id, PLUM_STATE_SUCCESS);
  EXPECT_EQ(opened.mapping.protocol, PLUM_IP_PROTOCOL_UDP);
  EXPECT_EQ(opened.mapping.mapping_protocol, in_c(GetParam()));
  EXPECT_EQ(opened.mapping.internal_port, service_port);
  EXPECT_EQ(opened.mapping.external_port, 12'345);
  EXPECT_EQ(opened.host(), router().external_address());
  EXPECT_TRUE(reaches(net(), server, router().outside(12'345)));

  plum_listener other;
  other.create(second_port);
  EXPECT_NE(other.next().mapping.external_port, 0);
}

TEST_P(contract_c, stop_while_a_create_is_pending) {
  router().fall_silent();
  start();
  plum_listener listener;
  const int id = listener.create(service_port);
  EXPECT_TRUE(eventually([&] { return router().intercepted() > 0; }));
  stop();
  EXPECT_EQ(listener.calls().size(), 1U);
  EXPECT_EQ(count(listener, id, PLUM_STATE_DESTROYED), 1U);
  router().recover();
  EXPECT_TRUE(is_untouched());
}

TEST_P(contract_c, destroy) {
  const lab::listener server = listen();
  start();
  bool got_in = false;
  // From inside the callback, while which it cannot end.
  plum_listener listener([&](const plum_call& call) {
    if (call.state != PLUM_STATE_SUCCESS) return;
    got_in = reaches(net(), server, router().outside(service_port));
    EXPECT_EQ(plum_destroy_mapping(call.id), PLUM_ERR_SUCCESS);
    EXPECT_EQ(plum_destroy_mapping(call.id), PLUM_ERR_SUCCESS) << "it is being destroyed";
  });
  const int id = map(listener);
  EXPECT_TRUE(got_in);
  expect_next(listener, id, PLUM_STATE_DESTROYED);
  EXPECT_TRUE(cut_off(net(), server, router().outside(service_port)));
  EXPECT_TRUE(is_untouched());
  EXPECT_EQ(plum_destroy_mapping(id), PLUM_ERR_NOT_AVAIL);
  EXPECT_EQ(plum_destroy_mapping(id + 1), PLUM_ERR_NOT_AVAIL);
  EXPECT_EQ(plum_destroy_mapping(-1), PLUM_ERR_INVALID);
  EXPECT_EQ(listener.calls().size(), 2U);
}

TEST_P(contract_c, has_and_query) {
  std::set<int> ids;
  for (int i = 0; i < 2; ++i) {
    start();
    plum_state_t state{};
    plum_mapping_t mapping{};
    // From inside the callback, while which it cannot end.
    plum_listener listener([&](const plum_call& call) {
      if (call.state != PLUM_STATE_SUCCESS) return;
      EXPECT_EQ(plum_query_mapping(call.id, &state, &mapping), PLUM_ERR_SUCCESS);
      EXPECT_EQ(state, PLUM_STATE_SUCCESS);
      plum_destroy_mapping(call.id);
      EXPECT_EQ(state_of(call.id), PLUM_STATE_DESTROYING);
    });
    router().fall_silent();
    const int id = listener.create(service_port);
    EXPECT_TRUE(ids.insert(id).second);
    EXPECT_EQ(state_of(id), PLUM_STATE_PENDING);
    router().recover();
    expect_next(listener, id, PLUM_STATE_SUCCESS);
    EXPECT_EQ(mapping.external_host, router().external_address());
    EXPECT_EQ(mapping.user_ptr, &listener);
    expect_next(listener, id, PLUM_STATE_DESTROYED);
    EXPECT_EQ(state_of(id), std::nullopt);
    EXPECT_EQ(plum_query_mapping(id, nullptr, nullptr), PLUM_ERR_NOT_AVAIL);
    EXPECT_TRUE(ids.insert(map(listener)).second);
    stop();
  }
}

TEST_P(contract_c, state_changes) {
  const lab::listener server = listen();
  plum_config_t config = quiet_config();
  config.recheck_period = 1'000;
  start(config);
  plum_listener listener;
  const int id = map(listener);

  router().be_away();
  expect_next(listener, id, PLUM_STATE_SUCCESS);

  router().reboot([&] { EXPECT_TRUE(cut_off(net(), server, router().outside(service_port))); });
  plum_call lost = listener.next();
  // Over UPnP the address is asked for before the mapping is.
  if (lost.state == PLUM_STATE_SUCCESS) lost = listener.next();
  EXPECT_EQ(lost.state, PLUM_STATE_FAILURE);
  EXPECT_EQ(lost.host(), "");
  EXPECT_EQ(expect_next(listener, id, PLUM_STATE_SUCCESS).host(), router().external_address());
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));

  // In PCP another address is a restart (RFC 6887 section 8.5).
  if (GetParam() == protocol::pcp) return;
  router().move();
  plum_call moved = listener.next();
  if (moved.state == PLUM_STATE_FAILURE) moved = listener.next();
  EXPECT_EQ(moved.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(moved.host(), router().external_address());
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));
}

TEST_P(contract_c, state_changes_of_the_port) {
  const lab::listener server = listen();
  plum_config_t config = quiet_config();
  config.recheck_period = 1'000;
  start(config);
  plum_listener listener;
  map(listener);
  router().reboot_without(service_port);
  plum_call call = listener.next();
  while (call.state == PLUM_STATE_FAILURE || call.mapping.external_port == service_port)
    call = listener.next();
  EXPECT_EQ(call.state, PLUM_STATE_SUCCESS);
  EXPECT_TRUE(reaches(net(), server, router().outside(call.mapping.external_port)));
}

// The other way round, the mappings of a device that is out of reach stand until their leases end,
// which no test can wait for here; tests/sim/upnp_recovery_test.cpp has it.
class contract_c_over_datagrams : public contract_c {};

INSTANTIATE_TEST_SUITE_P(all, contract_c_over_datagrams,
                         testing::Values(protocol::pcp, protocol::nat_pmp), name_of);

TEST_P(contract_c_over_datagrams, state_changes_of_the_protocol) {
  const lab::listener server = listen();
  plum_config_t config = quiet_config();
  config.recheck_period = 1'000;
  start(config);
  plum_listener listener;
  const int id = map(listener);
  router().reboot_with_upnp_only();
  expect_next(listener, id, PLUM_STATE_FAILURE);
  const plum_call again = expect_next(listener, id, PLUM_STATE_SUCCESS);
  EXPECT_EQ(again.mapping.mapping_protocol, PLUM_MAPPING_PROTOCOL_UPNP);
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));
  router().recover();
}

TEST_P(contract_c, destroyed) {
  start();
  plum_listener listener;
  const int alive = map(listener);
  plum_destroy_mapping(alive);
  expect_next(listener, alive, PLUM_STATE_DESTROYED);
  const int open = map(listener);
  const int unanswered = map(listener, second_port);
  router().fall_silent();
  const int pending = listener.create(8082);
  EXPECT_LT(time_of([&] {
              for (const int id : {unanswered, pending}) plum_destroy_mapping(id);
              for (int i = 0; i < 2; ++i) EXPECT_EQ(listener.next().state, PLUM_STATE_DESTROYED);
            }),
            release_bound);
  router().recover();
  stop();
  for (const int id : {alive, unanswered, pending, open})
    EXPECT_EQ(count(listener, id, PLUM_STATE_DESTROYED), 1U);
  EXPECT_EQ(listener.count(PLUM_STATE_DESTROYED), 4U);
}

TEST_P(contract_c, same_port_twice) {
  const lab::listener server = listen();
  start();
  plum_listener listener;
  const int one = map(listener);
  const int two = map(listener);
  EXPECT_NE(one, two);
  EXPECT_EQ(net().port_mappings(), 1U);
  plum_destroy_mapping(one);
  expect_next(listener, one, PLUM_STATE_DESTROYED);
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));

  plum_destroy_mapping(two);
  const int three = listener.create(service_port);
  const std::set<int> told{listener.next().id, listener.next().id};
  EXPECT_EQ(told, (std::set<int>{two, three}));
  EXPECT_EQ(state_of(three), PLUM_STATE_SUCCESS);
  EXPECT_EQ(net().port_mappings(), 1U);
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));
  plum_destroy_mapping(three);
  expect_next(listener, three, PLUM_STATE_DESTROYED);
  EXPECT_TRUE(cut_off(net(), server, router().outside(service_port)));
  EXPECT_TRUE(is_untouched());
}

TEST_P(contract_c, local_address) {
  const auto ask = [](const lab::net_namespace& host, std::string& text) {
    std::array<char, PLUM_MAX_ADDRESS_LEN> buffer{};
    const int length =
        lab::in(host, [&] { return plum_get_local_address(buffer.data(), buffer.size()); });
    text = buffer.data();
    return length;
  };
  std::string before;
  EXPECT_EQ(ask(net().lan(), before), static_cast<int>(net().lan_address().size()));
  EXPECT_EQ(before, net().lan_address());
  start();
  plum_listener listener;
  map(listener);
  EXPECT_TRUE(net().leads_to({before, service_port}));
  std::string after;
  EXPECT_GT(ask(net().lan(), after), 0);
  EXPECT_EQ(after, before);

  const lab::network nowhere({.lan = lab::lan_kind::no_route});
  std::string none;
  EXPECT_EQ(ask(nowhere.lan(), none), PLUM_ERR_NOT_AVAIL);
  EXPECT_EQ(none, "");
}

}  // namespace
