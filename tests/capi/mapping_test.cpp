// Mappings: create, query, destroy, and what the callback is told.

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "any_number.h"
#include "capi_test.hpp"

namespace {

using namespace std::chrono_literals;
using damson::sim::gateway;
using damson::sim::profile;
using std::chrono::steady_clock;
using testing::Each;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

class capi_mapping : public capi_network {
 protected:
  /// A start with that filter, one mapping, and the stop.
  void expect_made_by(plum_protocol_t filter, plum_mapping_protocol_t expected) {
    plum_config_t config = quiet_config();
    config.protocol = filter;
    start(config);
    plum_listener listener;
    ASSERT_GT(listener.create(8080), 0);
    EXPECT_EQ(listener.next().mapping.mapping_protocol, expected);
    ASSERT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  }
};

profile speaking(plum_mapping_protocol_t what) {
  profile out;
  out.speaks_pcp = what == PLUM_MAPPING_PROTOCOL_PCP;
  out.speaks_nat_pmp = what == PLUM_MAPPING_PROTOCOL_NATPMP;
  out.speaks_upnp = what == PLUM_MAPPING_PROTOCOL_UPNP;
  return out;
}

class capi_mapping_by : public capi_network,
                        public testing::WithParamInterface<plum_mapping_protocol_t> {};

TEST_P(capi_mapping_by, goes_from_pending_through_success_to_destroyed) {
  lan net{{.router = speaking(GetParam())}};
  start();
  plum_listener listener;
  const int id = listener.create(8080);
  ASSERT_GT(id, 0);

  const plum_call mapped = listener.next();
  EXPECT_EQ(mapped.id, id);
  EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(mapped.mapping.protocol, PLUM_IP_PROTOCOL_TCP);
  EXPECT_EQ(mapped.mapping.mapping_protocol, GetParam());
  EXPECT_EQ(mapped.mapping.internal_port, 8080);
  EXPECT_EQ(mapped.mapping.external_port, 8080);
  EXPECT_EQ(mapped.host(), public_address);
  EXPECT_EQ(mapped.mapping.user_ptr, &listener);
  ASSERT_THAT(net.rules(), SizeIs(1));
  EXPECT_EQ(net.rules().front().external_port, 8080);

  EXPECT_EQ(plum_destroy_mapping(id), PLUM_ERR_SUCCESS);
  const plum_call destroyed = listener.next();
  EXPECT_EQ(destroyed.id, id);
  EXPECT_EQ(destroyed.state, PLUM_STATE_DESTROYED);
  EXPECT_EQ(destroyed.mapping.user_ptr, &listener);
  EXPECT_EQ(destroyed.mapping.mapping_protocol, GetParam());
  EXPECT_EQ(destroyed.mapping.external_port, 8080);
  EXPECT_EQ(destroyed.host(), public_address);
  EXPECT_THAT(net.rules(), IsEmpty());
  EXPECT_EQ(plum_query_mapping(id, nullptr, nullptr), PLUM_ERR_NOT_AVAIL);
}

INSTANTIATE_TEST_SUITE_P(protocols, capi_mapping_by,
                         testing::Values(PLUM_MAPPING_PROTOCOL_PCP, PLUM_MAPPING_PROTOCOL_NATPMP,
                                         PLUM_MAPPING_PROTOCOL_UPNP),
                         [](const testing::TestParamInfo<plum_mapping_protocol_t>& by) {
                           switch (by.param) {
                             case PLUM_MAPPING_PROTOCOL_PCP:
                               return "pcp";
                             case PLUM_MAPPING_PROTOCOL_NATPMP:
                               return "nat_pmp";
                             default:
                               return "upnp";
                           }
                         });

TEST_F(capi_mapping, is_direct_where_the_host_has_a_public_address) {
  const lan net{{.host_address = "1.2.3.10", .router_address = "1.2.3.1"}};
  start();
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  const plum_call mapped = listener.next();
  EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(mapped.mapping.mapping_protocol, PLUM_MAPPING_PROTOCOL_DIRECT);
  EXPECT_EQ(mapped.host(), "1.2.3.10");
  EXPECT_EQ(mapped.mapping.external_port, 8080);
}

TEST_F(capi_mapping, is_never_direct_where_the_filter_names_a_protocol) {
  profile both;
  both.speaks_upnp = true;
  const lan net{{.router = both, .host_address = "1.2.3.10", .router_address = "1.2.3.1"}};
  expect_made_by(PLUM_PROTOCOL_PCP, PLUM_MAPPING_PROTOCOL_PCP);
  expect_made_by(PLUM_PROTOCOL_UPNP, PLUM_MAPPING_PROTOCOL_UPNP);
}

TEST_F(capi_mapping, is_made_whatever_protocol_the_request_names) {
  lan net;
  net.kill_router();
  start();
  plum_listener listener;
  plum_mapping_t wanted{};
  wanted.mapping_protocol = PLUM_MAPPING_PROTOCOL_UPNP;
  wanted.internal_port = 8080;
  wanted.user_ptr = &listener;
  const int id = plum_create_mapping(&wanted, plum_listener::callback);
  plum_mapping_t pending{};
  ASSERT_EQ(plum_query_mapping(id, nullptr, &pending), PLUM_ERR_SUCCESS);
  EXPECT_EQ(pending.mapping_protocol, PLUM_MAPPING_PROTOCOL_UNKNOWN);
  net.replace_router();
  EXPECT_EQ(listener.next().mapping.mapping_protocol, PLUM_MAPPING_PROTOCOL_PCP);
}

TEST_F(capi_mapping, asks_for_the_wanted_port_and_transport) {
  lan net;
  start();
  plum_listener listener;
  ASSERT_GT(listener.create(8080, 4242, "", PLUM_IP_PROTOCOL_UDP), 0);
  const plum_call mapped = listener.next();
  EXPECT_EQ(mapped.mapping.protocol, PLUM_IP_PROTOCOL_UDP);
  EXPECT_EQ(mapped.mapping.external_port, 4242);
  EXPECT_EQ(mapped.mapping.internal_port, 8080);
  ASSERT_THAT(net.rules(), SizeIs(1));
  EXPECT_EQ(net.rules().front().transport, damson::transport::udp);
}

TEST_F(capi_mapping, gets_another_port_where_the_wanted_one_is_taken) {
  lan net;
  net.change([](gateway& router, damson::time_point) {
    router.occupy(damson::transport::tcp, 4242,
                  {damson::ip_address::parse("192.168.77.20").value(), 1});
  });
  start();
  plum_listener listener;
  ASSERT_GT(listener.create(8080, 4242), 0);
  const plum_call mapped = listener.next();
  EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS);
  EXPECT_NE(mapped.mapping.external_port, 4242);
  EXPECT_NE(mapped.mapping.external_port, 0);
}

TEST_F(capi_mapping, takes_as_wanted_address_whatever_the_field_holds) {
  const lan net;
  // Nothing, the very address, an IPv6 one, a name, and no end in sight.
  const std::string endless(PLUM_MAX_HOST_LEN, 'x');
  std::uint16_t port = 8080;
  for (const char* host :
       {"", public_address, "2001:db8::1", "1-2-3-4.example.org", endless.c_str()}) {
    start();
    plum_listener listener;
    plum_mapping_t wanted{};
    wanted.internal_port = port++;
    wanted.user_ptr = &listener;
    std::memcpy(wanted.external_host, host,
                std::min(std::strlen(host), sizeof wanted.external_host));
    const int id = plum_create_mapping(&wanted, plum_listener::callback);
    ASSERT_GT(id, 0) << host;
    const plum_call mapped = listener.next();
    EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS) << host;
    EXPECT_EQ(mapped.host(), public_address) << host;
    plum_destroy_mapping(id);
    EXPECT_EQ(listener.next().state, PLUM_STATE_DESTROYED);
  }
}

TEST_F(capi_mapping, has_an_empty_host_where_the_router_does_not_know_its_address) {
  profile how = speaking(PLUM_MAPPING_PROTOCOL_NATPMP);
  how.external_address_unknown = true;
  lan net{{.router = how}};
  plum_config_t config = quiet_config();
  config.recheck_period = 1'000;
  start(config);
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  const plum_call mapped = listener.next();
  EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(mapped.mapping.external_port, 8080);
  EXPECT_EQ(mapped.host(), "");

  net.change([](gateway& router, damson::time_point) {
    router.behaviour().external_address_unknown = false;
  });
  const plum_call known = listener.next();
  EXPECT_EQ(known.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(known.mapping.external_port, 8080);
  EXPECT_EQ(known.host(), public_address);
}

TEST_F(capi_mapping, has_a_state_for_as_long_as_it_lives) {
  lan net;
  net.kill_router();
  start();
  plum_listener listener;
  const int id = listener.create(8080, 4242);
  ASSERT_GT(id, 0);
  plum_state_t state{};
  plum_mapping_t mapping{};
  ASSERT_EQ(plum_query_mapping(id, &state, &mapping), PLUM_ERR_SUCCESS);
  EXPECT_EQ(state, PLUM_STATE_PENDING);
  EXPECT_EQ(mapping.internal_port, 8080);
  EXPECT_EQ(mapping.external_port, 4242);
  EXPECT_EQ(mapping.mapping_protocol, PLUM_MAPPING_PROTOCOL_UNKNOWN);
  EXPECT_STREQ(mapping.external_host, "");
  EXPECT_EQ(mapping.user_ptr, &listener);

  net.replace_router();
  ASSERT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  ASSERT_EQ(plum_query_mapping(id, &state, &mapping), PLUM_ERR_SUCCESS);
  EXPECT_EQ(state, PLUM_STATE_SUCCESS);
  EXPECT_STREQ(mapping.external_host, public_address);
  // Either may be left out.
  EXPECT_EQ(plum_query_mapping(id, nullptr, nullptr), PLUM_ERR_SUCCESS);
  std::memset(&mapping, 0, sizeof mapping);
  EXPECT_EQ(plum_query_mapping(id, nullptr, &mapping), PLUM_ERR_SUCCESS);
  EXPECT_EQ(mapping.external_port, 4242);

  net.kill_router();
  ASSERT_EQ(plum_destroy_mapping(id), PLUM_ERR_SUCCESS);
  EXPECT_EQ(state_of(id), PLUM_STATE_DESTROYING);
  EXPECT_EQ(plum_destroy_mapping(id), PLUM_ERR_SUCCESS);
  EXPECT_EQ(listener.next().state, PLUM_STATE_DESTROYED);
  EXPECT_EQ(state_of(id), std::nullopt);
  EXPECT_EQ(plum_destroy_mapping(id), PLUM_ERR_NOT_AVAIL);
  EXPECT_THAT(listener.calls(), SizeIs(2));
}

TEST_F(capi_mapping, is_not_made_of_nonsense) {
  const lan net;
  start();
  plum_listener listener;
  EXPECT_EQ(plum_create_mapping(nullptr, plum_listener::callback), PLUM_ERR_INVALID);
  EXPECT_EQ(listener.create(0), PLUM_ERR_INVALID);
  for (const int number : {-1, 2, INT_MAX, INT_MIN})
    EXPECT_EQ(create_with_protocol(number, plum_listener::callback, &listener), PLUM_ERR_INVALID);
  EXPECT_EQ(plum_query_mapping(-1, nullptr, nullptr), PLUM_ERR_INVALID);
  EXPECT_EQ(plum_destroy_mapping(-1), PLUM_ERR_INVALID);
  for (const int unknown : {0, 1'000'000}) {
    EXPECT_EQ(plum_query_mapping(unknown, nullptr, nullptr), PLUM_ERR_NOT_AVAIL);
    EXPECT_EQ(plum_destroy_mapping(unknown), PLUM_ERR_NOT_AVAIL);
  }
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  EXPECT_THAT(listener.calls(), IsEmpty());
}

TEST_F(capi_mapping, needs_no_callback) {
  lan net;
  start();
  plum_mapping_t wanted{};
  wanted.internal_port = 8080;
  const int id = plum_create_mapping(&wanted, nullptr);
  ASSERT_GT(id, 0);
  EXPECT_TRUE(eventually([&] { return state_of(id) == PLUM_STATE_SUCCESS; }));
  EXPECT_THAT(net.rules(), SizeIs(1));
  EXPECT_EQ(plum_destroy_mapping(id), PLUM_ERR_SUCCESS);
  EXPECT_TRUE(eventually([&] { return !state_of(id); }));
  EXPECT_THAT(net.rules(), IsEmpty());
}

TEST_F(capi_mapping, calls_back_on_one_thread_of_the_library_one_call_after_the_other) {
  const lan net;
  start();
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  const auto note_overlap = [&](const plum_call&) {
    if (++inside != 1) overlapped = true;
    std::this_thread::yield();
    --inside;
  };
  plum_listener one{note_overlap};
  plum_listener other{note_overlap};
  for (std::uint16_t port = 8000; port < 8010; ++port) {
    ASSERT_GT(one.create(port), 0);
    ASSERT_GT(other.create(port, 0, "", PLUM_IP_PROTOCOL_UDP), 0);
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(one.next().state, PLUM_STATE_SUCCESS);
    EXPECT_EQ(other.next().state, PLUM_STATE_SUCCESS);
  }
  ASSERT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  const std::thread::id thread = one.calls().front().thread;
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_THAT(one.calls(), Each(Field(&plum_call::thread, thread)));
  EXPECT_THAT(other.calls(), Each(Field(&plum_call::thread, thread)));
  EXPECT_EQ(one.count(PLUM_STATE_DESTROYED), 10U);
  EXPECT_FALSE(overlapped);
}

TEST_F(capi_mapping, may_be_created_queried_and_destroyed_in_a_callback) {
  lan net;
  start();
  plum_listener second;
  std::atomic<int> second_id{0};
  std::atomic<int> queried{-100};
  std::atomic<int> destroyed{-100};
  plum_listener first{[&](const plum_call& call) {
    if (call.state != PLUM_STATE_SUCCESS) return;
    second_id = second.create(8081);
    queried = plum_query_mapping(call.id, nullptr, nullptr);
    destroyed = plum_destroy_mapping(call.id);
  }};
  ASSERT_GT(first.create(8080), 0);
  EXPECT_EQ(first.next().state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(first.next().state, PLUM_STATE_DESTROYED);
  EXPECT_GT(second_id, 0);
  EXPECT_EQ(queried, PLUM_ERR_SUCCESS);
  EXPECT_EQ(destroyed, PLUM_ERR_SUCCESS);
  EXPECT_EQ(second.next().state, PLUM_STATE_SUCCESS);
  ASSERT_THAT(net.rules(), SizeIs(1));
  EXPECT_EQ(net.rules().front().external_port, 8081);
}

TEST_F(capi_mapping, is_unknown_when_destroyed_is_told) {
  const lan net;
  start();
  std::atomic<int> queried{-100};
  plum_listener listener{[&](const plum_call& call) {
    if (call.state == PLUM_STATE_DESTROYED) queried = plum_query_mapping(call.id, nullptr, nullptr);
  }};
  const int id = listener.create(8080);
  EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(plum_destroy_mapping(id), PLUM_ERR_SUCCESS);
  EXPECT_EQ(listener.next().state, PLUM_STATE_DESTROYED);
  EXPECT_EQ(queried, PLUM_ERR_NOT_AVAIL);
}

TEST_F(capi_mapping, fails_without_a_router_and_succeeds_when_one_appears) {
  lan net{{.default_route = false}};
  plum_config_t config = quiet_config();
  config.recheck_period = 1'000;
  start(config);
  plum_listener listener;
  const auto begin = steady_clock::now();
  const int id = listener.create(8080, 4242);
  const plum_call failed = listener.next();
  EXPECT_LT(steady_clock::now() - begin, 3s) << "nobody is waited for where there is no route";
  EXPECT_EQ(failed.state, PLUM_STATE_FAILURE);
  EXPECT_EQ(failed.mapping.mapping_protocol, PLUM_MAPPING_PROTOCOL_UNKNOWN);
  EXPECT_EQ(failed.host(), "");
  EXPECT_EQ(failed.mapping.internal_port, 8080);
  EXPECT_EQ(failed.mapping.external_port, 4242);
  EXPECT_EQ(failed.mapping.user_ptr, &listener);
  EXPECT_EQ(state_of(id), PLUM_STATE_FAILURE);

  net.add_default_route();
  const plum_call mapped = listener.next();
  EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(mapped.mapping.external_port, 4242);
  EXPECT_EQ(state_of(id), PLUM_STATE_SUCCESS);
}

std::atomic<int> failures_in_log{0};

void count_failures(plum_log_level_t /*level*/, const char* line) {
  if (std::string_view{line}.find("could not be mapped") != std::string_view::npos)
    ++failures_in_log;
}

TEST_F(capi_mapping, fails_once_whatever_the_reasons_are_until_it_succeeds) {
  lan net{{.default_route = false}};
  net.kill_router();
  plum_config_t config{};
  config.log_level = PLUM_LOG_LEVEL_INFO;
  config.log_callback = count_failures;
  config.recheck_period = 1'000;
  start(config);
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_FAILURE) << "there is no route";
  net.add_default_route();
  EXPECT_TRUE(eventually([] { return failures_in_log > 1; })) << "the router is silent";
  net.replace_router();
  EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
}

TEST_F(capi_mapping, fails_within_five_seconds_where_the_router_is_silent) {
  lan net;
  net.kill_router();
  start();
  plum_listener listener;
  const auto begin = steady_clock::now();
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_FAILURE);
  EXPECT_LT(steady_clock::now() - begin, 5s);
}

/// A router that has been up for long enough that a client sees it start anew.
profile up_for_an_hour() {
  profile out;
  out.epoch_start = 3'600;
  return out;
}

TEST_F(capi_mapping, tells_each_change_of_the_address) {
  lan net{{.router = up_for_an_hour()}};
  plum_config_t config = quiet_config();
  config.recheck_period = 1'000;
  start(config);
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().host(), public_address);
  net.change([](gateway& router, damson::time_point now) {
    router.behaviour().epoch_start = 0;
    router.set_public_address(now, damson::ip_address::parse("5.6.7.8"));
  });
  plum_call changed = listener.next();
  // The router's epoch starts anew with the address, which may be told first.
  while (changed.id != 0 && changed.host() != "5.6.7.8") changed = listener.next();
  EXPECT_EQ(changed.state, PLUM_STATE_SUCCESS);
}

TEST_F(capi_mapping, succeeds_again_after_the_router_restarted_even_if_nothing_changed) {
  lan net{{.router = up_for_an_hour()}};
  plum_config_t config = quiet_config();
  config.recheck_period = 1'000;
  start(config);
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  const plum_call first = listener.next();
  ASSERT_EQ(first.state, PLUM_STATE_SUCCESS);
  net.change([](gateway& router, damson::time_point now) {
    router.behaviour().epoch_start = 0;
    router.reboot(now);
  });
  plum_call call = listener.next();
  if (call.state == PLUM_STATE_FAILURE) call = listener.next();  // known to be lost meanwhile
  EXPECT_EQ(call.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(call.host(), first.host());
  EXPECT_EQ(call.mapping.external_port, first.mapping.external_port);
  EXPECT_THAT(net.rules(), SizeIs(1));
}

TEST_F(capi_mapping, of_a_port_that_is_mapped_already_shares_it) {
  lan net;
  start();
  plum_listener first;
  plum_listener second;
  const int one = first.create(8080);
  EXPECT_EQ(first.next().state, PLUM_STATE_SUCCESS);
  const int two = second.create(8080, 4242);
  ASSERT_GT(two, 0);
  EXPECT_NE(one, two);
  const plum_call mapped = second.next();
  EXPECT_EQ(mapped.id, two);
  EXPECT_EQ(mapped.state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(mapped.mapping.external_port, 8080);
  EXPECT_EQ(mapped.mapping.user_ptr, &second);
  EXPECT_THAT(net.rules(), SizeIs(1));

  EXPECT_EQ(plum_destroy_mapping(one), PLUM_ERR_SUCCESS);
  EXPECT_EQ(first.next().state, PLUM_STATE_DESTROYED);
  EXPECT_EQ(state_of(two), PLUM_STATE_SUCCESS);
  EXPECT_THAT(net.rules(), SizeIs(1));
  EXPECT_EQ(plum_destroy_mapping(two), PLUM_ERR_SUCCESS);
  EXPECT_EQ(second.next().state, PLUM_STATE_DESTROYED);
  EXPECT_THAT(net.rules(), IsEmpty());
}

TEST_F(capi_mapping, of_a_port_that_is_being_given_back_opens_it_again) {
  lan net;
  start();
  plum_listener first;
  plum_listener second;
  const int one = first.create(8080);
  EXPECT_EQ(first.next().state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(plum_destroy_mapping(one), PLUM_ERR_SUCCESS);
  ASSERT_GT(second.create(8080), 0);
  EXPECT_EQ(first.next().state, PLUM_STATE_DESTROYED);
  EXPECT_EQ(second.next().state, PLUM_STATE_SUCCESS);
  EXPECT_THAT(net.rules(), SizeIs(1));
}

TEST_F(capi_mapping, is_destroyed_within_three_seconds_where_the_router_is_dead) {
  lan net;
  start();
  plum_listener listener;
  const int id = listener.create(8080);
  EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  net.kill_router();
  const auto begin = steady_clock::now();
  EXPECT_EQ(plum_destroy_mapping(id), PLUM_ERR_SUCCESS);
  EXPECT_EQ(listener.next().state, PLUM_STATE_DESTROYED);
  EXPECT_LT(steady_clock::now() - begin, 3s);
}

TEST_F(capi_mapping, is_made_by_a_protocol_that_the_filter_allows) {
  profile both;
  both.speaks_upnp = true;
  const lan net{{.router = both}};
  expect_made_by(PLUM_PROTOCOL_ANY, PLUM_MAPPING_PROTOCOL_PCP);
  expect_made_by(PLUM_PROTOCOL_PCP, PLUM_MAPPING_PROTOCOL_PCP);
  expect_made_by(PLUM_PROTOCOL_UPNP, PLUM_MAPPING_PROTOCOL_UPNP);
}

TEST_F(capi_mapping, may_be_made_by_nat_pmp_where_the_filter_says_pcp_but_not_by_upnp) {
  plum_config_t config = quiet_config();
  config.protocol = PLUM_PROTOCOL_PCP;
  {
    const lan net{{.router = speaking(PLUM_MAPPING_PROTOCOL_NATPMP)}};
    start(config);
    plum_listener listener;
    ASSERT_GT(listener.create(8080), 0);
    EXPECT_EQ(listener.next().mapping.mapping_protocol, PLUM_MAPPING_PROTOCOL_NATPMP);
    ASSERT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  }
  const lan net{{.router = speaking(PLUM_MAPPING_PROTOCOL_UPNP)}};
  start(config);
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_FAILURE);
  ASSERT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
}

}  // namespace
