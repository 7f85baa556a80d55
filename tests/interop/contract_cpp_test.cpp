// The contract of the library, row by row, for its C++ interface.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>

#include <plum/plum.h>

#include "contract_cpp.hpp"

namespace {

using namespace std::chrono_literals;
using damson::errc;
using damson::event_kind;
using damson::mapping_id;
using damson::mapping_status;
using damson::protocol;
using damson::protocol_filter;
using damson::removal;

INSTANTIATE_TEST_SUITE_P(all, contract_cpp,
                         testing::Values(protocol::pcp, protocol::nat_pmp, protocol::upnp),
                         name_of);

TEST_P(contract_cpp, start) {
  std::atomic<int> lines = 0;
  const auto opts = [&](protocol_filter only, damson::log_level level) -> damson::options {
    return {.discovery_timeout = 8s,
            .mapping_timeout = 8s,
            .recheck_period = 60s,
            .protocols = only,
            .level = level,
            .log = [&lines](damson::log_level, std::string_view) { ++lines; }};
  };
  const auto start_plainly = [&](const damson::options& with) {
    return lab::in(net().lan(), [&] { return std::make_unique<damson::client>(with); });
  };
  {
    const auto any = start_plainly(opts(protocol_filter::any, damson::log_level::none));
    EXPECT_EQ(map(*any).info().protocol, GetParam());
    const auto upnp = start_plainly(opts(protocol_filter::upnp, damson::log_level::none));
    EXPECT_EQ(map(*upnp, second_port).info().protocol, protocol::upnp);
  }
  EXPECT_EQ(lines, 0);

  const auto pcp = start_plainly(opts(protocol_filter::pcp, damson::log_level::debug));
  const auto [error, handle] = within_limit(begin_map(*pcp, request(service_port)));
  if (GetParam() == protocol::upnp) {
    EXPECT_EQ(error, errc::port_closed);
    EXPECT_EQ(net().port_mappings(), 0U);
  } else {
    EXPECT_EQ(handle.info().protocol, GetParam());
  }
  EXPECT_GT(lines, 0);

  router().fall_silent();
  // Without a question to another protocol, which might have made something.
  const auto hasty = start({.discovery_timeout = 300ms, .protocols = only()});
  EXPECT_LT(time_of([&] {
              within_limit(begin_async<damson::discovery>([&](auto handler) {
                hasty->async_discover(protocol_filter::any, std::move(handler));
              }));
            }),
            promptly);
  EXPECT_LT(time_of([&] {
              const auto refused = within_limit(begin_map(*hasty, request(second_port)));
              EXPECT_TRUE(std::get<0>(refused));
            }),
            promptly);
  router().recover();
}

TEST_P(contract_cpp, stop) {
  const lab::listener tcp = listen();
  const lab::listener udp = listen(second_port, lab::transport::udp);
  for (int i = 0; i < 2; ++i) {
    const auto client = start();
    const damson::mapping one = map(*client);
    auto also = within_limit(
        begin_map(*client, {.transport = damson::transport::udp, .internal_port = second_port}));
    ASSERT_FALSE(std::get<0>(also));
    EXPECT_TRUE(reaches(net(), tcp, router().outside(service_port)));
    EXPECT_TRUE(reaches(net(), udp, router().outside(second_port)));
    close(*client);
    EXPECT_TRUE(is_untouched());
    EXPECT_TRUE(cut_off(net(), tcp, router().outside(service_port)));
    EXPECT_EQ(std::get<0>(within_limit(begin_map(*client, request(service_port)))), errc::closed);
  }
  auto client = start();
  const damson::mapping outlives = map(*client);
  EXPECT_EQ(net().port_mappings(), 1U);
  EXPECT_LT(time_of([&] { client.reset(); }), release_bound);
  EXPECT_TRUE(is_untouched());
}

TEST_P(contract_cpp, create) {
  const lab::listener server = listen(service_port, lab::transport::udp);
  const auto client = start();
  damson::map_request wanted = request(service_port);
  wanted.transport = damson::transport::udp;
  wanted.external_port = 12'345;
  wanted.external_address = damson::ip_address::parse(router().external_address()).value();
  auto [error, handle] = within_limit(begin_map(*client, wanted));
  ASSERT_FALSE(error) << to_string(handle.why());
  const damson::mapping_info info = handle.info();
  EXPECT_EQ(info.transport, damson::transport::udp);
  EXPECT_EQ(info.protocol, GetParam());
  EXPECT_EQ(to_string(info.internal), std::string(net().lan_address()) + ":8080");
  EXPECT_EQ(to_string(info.external), router().external_address() + ":12345");
  EXPECT_TRUE(reaches(net(), server, router().outside(12'345)));
  const damson::mapping chosen = map(*client, second_port);
  EXPECT_NE(chosen.info().external.port, 0);
  EXPECT_EQ(to_string(chosen.info().external.address), router().external_address());

  const std::string rules = net().rules();
  const auto [refused, empty] = within_limit(begin_map(*client, request(forbidden_port)));
  EXPECT_TRUE(refused);
  EXPECT_FALSE(empty);
  const damson::failure why = empty.why();
  EXPECT_EQ(refused, why.reason);
  for (const protocol each : {protocol::pcp, protocol::nat_pmp, protocol::upnp})
    EXPECT_TRUE(has_reason_for(why, each)) << to_string(why);
  const auto told =
      std::ranges::find(why.protocols, GetParam(), &damson::protocol_failure::protocol);
  ASSERT_NE(told, why.protocols.end());
  EXPECT_TRUE(told->result_code) << to_string(why);
  EXPECT_EQ(net().rules(), rules);
  EXPECT_TRUE(eventually([&] { return client->active_count() == 2; }));
}

TEST_P(contract_cpp, time_out_and_cancel) {
  // They know the router, so that a request is for a port and not for who is there; and none of
  // them waits for the others' answers.
  std::array<std::unique_ptr<damson::client>, 3> clients;
  std::vector<damson::mapping> known;
  for (auto& each : clients) {
    each = start({.protocols = only()});
    known.push_back(map(*each, static_cast<std::uint16_t>(9'000 + known.size())));
  }
  const auto& [silent, late, cancelled] = clients;
  const auto nothing_is_left = [&] {
    return eventually([&] {
      const bool ended =
          std::ranges::all_of(clients, [](const auto& each) { return each->active_count() == 1; });
      return ended && net().port_mappings() == clients.size();
    });
  };
  damson::map_request hasty = request(service_port);
  hasty.timeout = 300ms;

  router().fall_silent();
  EXPECT_LT(time_of([&] {
              const auto [error, handle] = within_limit(begin_map(*silent, hasty));
              EXPECT_EQ(error, errc::timed_out);
              EXPECT_FALSE(handle);
              EXPECT_TRUE(has_reason_for(handle.why(), GetParam())) << to_string(handle.why());
            }),
            promptly);
  router().recover();

  if (GetParam() == protocol::upnp) {
    EXPECT_TRUE(nothing_is_left());
    // The entry is made at one of these moments, and told at another.
    int interrupted = 0;
    for (auto moment = 1ms; moment <= 30ms; moment += 3ms) {
      cancellable pending(*cancelled, request(second_port));
      pending.result.wait_for(moment);
      pending.cancel();
      interrupted += std::get<0>(within_limit(std::move(pending.result))) ? 1 : 0;
      hasty.timeout = moment;
      interrupted += std::get<0>(within_limit(begin_map(*late, hasty))) ? 1 : 0;
      EXPECT_TRUE(nothing_is_left()) << moment.count() << " ms";
    }
    EXPECT_GT(interrupted, 0);
    return;
  }
  router().lose_answers();
  hasty.internal_port = 8082;
  hasty.timeout = 500ms;
  auto too_late = begin_map(*late, hasty);
  cancellable pending(*cancelled, request(second_port));
  EXPECT_TRUE(eventually([&] { return leads_in(8082) && leads_in(second_port); }));
  pending.cancel();
  EXPECT_EQ(std::get<0>(within_limit(std::move(pending.result))),
            boost::asio::error::operation_aborted);
  EXPECT_EQ(std::get<0>(within_limit(std::move(too_late))), errc::timed_out);
  EXPECT_TRUE(nothing_is_left());
  router().recover();
}

TEST_P(contract_cpp, stop_while_a_create_is_pending) {
  router().fall_silent();
  const auto client = start();
  auto pending = begin_map(*client, request(service_port));
  auto ending = start();
  auto another = begin_map(*ending, request(second_port));
  EXPECT_TRUE(eventually([&] { return router().intercepted() > 0; }));
  EXPECT_LT(time_of([&] {
              auto closing = begin_close(*client);
              EXPECT_EQ(std::get<0>(within_limit(std::move(pending))), errc::closed);
              EXPECT_NE(closing.wait_for(0s), std::future_status::ready)
                  << "it waited for the router";
              ending.reset();
              EXPECT_EQ(std::get<0>(within_limit(std::move(another))), errc::closed);
              within_limit(std::move(closing));
            }),
            release_bound);
  EXPECT_EQ(client->active_count(), 0U);
  router().recover();
  EXPECT_TRUE(is_untouched());
}

TEST_P(contract_cpp, destroy) {
  const lab::listener server = listen();
  const auto client = start();
  damson::mapping handle = map(*client);
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));
  EXPECT_EQ(release(std::move(handle)), removal::deleted);
  EXPECT_TRUE(cut_off(net(), server, router().outside(service_port)));
  EXPECT_TRUE(is_untouched());
  // NOLINTNEXTLINE(bugprone-use-after-move): what it is then
  const auto again = within_limit(begin_release(std::move(handle)));
  EXPECT_EQ(std::get<0>(again), errc::closed);

  handle = map(*client);
  EXPECT_FALSE(is_untouched());
  handle = {};
  EXPECT_TRUE(eventually([&] { return client->active_count() == 0; }));
  EXPECT_TRUE(is_untouched());
}

TEST_P(contract_cpp, has_and_query) {
  std::set<mapping_id> ids;
  for (int i = 0; i < 2; ++i) {
    const auto client = start();
    router().fall_silent();
    damson::mapping pending = client->keep_open(request(second_port));
    EXPECT_EQ(client->query(pending.id()), mapping_status::pending);
    const mapping_id former = pending.id();
    pending = {};
    EXPECT_FALSE(client->has(former));
    router().recover();

    damson::mapping handle = map(*client);
    const mapping_id id = handle.id();
    EXPECT_TRUE(client->has(id));
    EXPECT_EQ(client->query(id), mapping_status::open);
    EXPECT_TRUE(ids.insert(former).second);
    EXPECT_TRUE(ids.insert(id).second);
    auto released = begin_release(std::move(handle));
    EXPECT_FALSE(client->has(id));
    within_limit(std::move(released));
    for (const mapping_id each : ids) EXPECT_FALSE(client->has(each));
  }
}

TEST_P(contract_cpp, active_count) {
  const auto client = start();
  EXPECT_EQ(client->active_count(), 0U);
  damson::mapping one = map(*client);
  const damson::mapping same = map(*client);
  EXPECT_EQ(client->active_count(), 2U);
  const damson::mapping pending = client->keep_open(request(second_port));
  EXPECT_EQ(client->active_count(), 3U);
  release(std::move(one));
  EXPECT_EQ(client->active_count(), 2U);
  close(*client);
  EXPECT_EQ(client->active_count(), 0U);
}

TEST_P(contract_cpp, state_changes) {
  const lab::listener server = listen();
  const auto client = start({.recheck_period = 1s});
  damson::mapping handle = map(*client);
  const damson::endpoint first = handle.info().external;

  router().be_away();
  const damson::mapping_event confirmed = next_event(handle);
  EXPECT_EQ(confirmed.kind, event_kind::mapped);
  EXPECT_TRUE(confirmed.regained);
  EXPECT_EQ(confirmed.info.external, first);

  router().reboot([&] { EXPECT_TRUE(cut_off(net(), server, router().outside(service_port))); });
  damson::mapping_event lost = next_event(handle);
  // Over UPnP the address is asked for before the mapping is.
  if (lost.kind == event_kind::changed) lost = next_event(handle);
  EXPECT_EQ(lost.kind, event_kind::lost);
  const damson::mapping_event again = next_event(handle);
  EXPECT_EQ(again.kind, event_kind::mapped);
  EXPECT_TRUE(again.regained);
  EXPECT_EQ(to_string(again.info.external.address), router().external_address());
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));

  // In PCP another address is a restart (RFC 6887 section 8.5).
  if (GetParam() != protocol::pcp) {
    router().move();
    damson::mapping_event moved = next_event(handle);
    if (moved.kind == event_kind::lost) moved = next_event(handle);
    EXPECT_TRUE(moved.kind == event_kind::changed || moved.kind == event_kind::mapped);
    EXPECT_EQ(to_string(moved.info.external.address), router().external_address());
    EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));
  }
  EXPECT_EQ(release(std::move(handle)), removal::deleted);
  EXPECT_TRUE(is_untouched());
}

TEST_P(contract_cpp, state_changes_of_the_port) {
  const lab::listener server = listen();
  const auto client = start({.recheck_period = 1s});
  damson::mapping handle = map(*client);
  router().reboot_without(service_port);
  damson::mapping_event event = next_event(handle);
  while (event.kind == event_kind::lost || event.info.external.port == service_port)
    event = next_event(handle);
  EXPECT_TRUE(event.kind == event_kind::changed || event.kind == event_kind::mapped);
  EXPECT_EQ(handle.info().external, event.info.external);
  EXPECT_TRUE(reaches(net(), server, router().outside(event.info.external.port)));
  EXPECT_EQ(release(std::move(handle)), removal::deleted);
  EXPECT_TRUE(is_untouched());
}

// The other way round, the mappings of a device that is out of reach stand until their leases end,
// which no test can wait for here; tests/sim/upnp_recovery_test.cpp has it.
class contract_cpp_over_datagrams : public contract_cpp {};

INSTANTIATE_TEST_SUITE_P(all, contract_cpp_over_datagrams,
                         testing::Values(protocol::pcp, protocol::nat_pmp), name_of);

TEST_P(contract_cpp_over_datagrams, state_changes_of_the_protocol) {
  const lab::listener server = listen();
  const auto client = start({.recheck_period = 1s});
  damson::mapping handle = map(*client);
  EXPECT_EQ(handle.info().protocol, GetParam());
  router().reboot_with_upnp_only();
  EXPECT_EQ(next_event(handle).kind, event_kind::lost);
  const damson::mapping_event again = next_event(handle);
  EXPECT_EQ(again.kind, event_kind::mapped);
  EXPECT_TRUE(again.regained);
  EXPECT_EQ(again.info.protocol, protocol::upnp);
  EXPECT_EQ(handle.info().protocol, protocol::upnp);
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));
  router().recover();
  EXPECT_EQ(release(std::move(handle)), removal::deleted);
  EXPECT_TRUE(is_untouched());
}

TEST_P(contract_cpp, destroyed) {
  const auto client = start();
  const event_log log(*client);
  damson::mapping deleted = map(*client);
  damson::map_request hopeless = request(forbidden_port);
  hopeless.protocols = only();
  damson::mapping never_was = client->keep_open(hopeless);
  EXPECT_EQ(next_event(never_was).kind, event_kind::failed);
  damson::mapping detached = map(*client, 8082);
  damson::mapping unanswered = map(*client, second_port);
  damson::mapping open = map(*client, 8083);
  const std::array ids{deleted.id(), never_was.id(), detached.id(), unanswered.id(), open.id()};
  EXPECT_EQ(release(std::move(deleted)), removal::deleted);
  EXPECT_EQ(release(std::move(never_was)), removal::already_gone);
  detached.detach();
  router().fall_silent();
  EXPECT_LT(time_of([&] { EXPECT_EQ(release(std::move(unanswered)), removal::left_to_expire); }),
            release_bound);
  router().recover();

  const auto end = begin_next_event(open);
  close(*client);
  EXPECT_EQ(end.wait_for(0s), std::future_status::ready) << "before stop returns";
  ASSERT_EQ(log.closed().wait_for(30s), std::future_status::ready);
  EXPECT_EQ(log.removals(ids[0]), std::vector{removal::deleted});
  EXPECT_EQ(log.removals(ids[1]), std::vector{removal::already_gone});
  EXPECT_EQ(log.removals(ids[2]), std::vector{removal::left_to_expire});
  EXPECT_EQ(log.removals(ids[3]), std::vector{removal::left_to_expire});
  EXPECT_EQ(log.removals(ids[4]).size(), 0U) << "told to who waited for it alone";
}

TEST_P(contract_cpp, same_port_twice) {
  const lab::listener server = listen();
  const auto client = start();
  damson::mapping one = map(*client);
  damson::mapping two = map(*client);
  EXPECT_EQ(one.info().external, two.info().external);
  EXPECT_EQ(net().port_mappings(), 1U);
  EXPECT_EQ(release(std::move(one)), removal::still_shared);
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));

  auto outstanding = begin_release(std::move(two));
  damson::mapping three = map(*client);
  EXPECT_EQ(std::get<1>(within_limit(std::move(outstanding))), removal::deleted);
  EXPECT_EQ(net().port_mappings(), 1U);
  EXPECT_TRUE(reaches(net(), server, router().outside(service_port)));
  EXPECT_EQ(release(std::move(three)), removal::deleted);
  EXPECT_TRUE(cut_off(net(), server, router().outside(service_port)));
  EXPECT_TRUE(is_untouched());
}

TEST_P(contract_cpp, local_address) {
  const damson::ip_address seen = lab::in(net().lan(), [] { return damson::local_address(); });
  EXPECT_EQ(to_string(seen), net().lan_address());
  const auto client = start();
  const damson::mapping handle = map(*client);
  EXPECT_EQ(handle.info().internal.address, seen);
  EXPECT_TRUE(leads_in());

  const lab::network nowhere({.lan = lab::lan_kind::no_route});
  damson::error_code error;
  const damson::ip_address none =
      lab::in(nowhere.lan(), [&] { return damson::local_address({}, error); });
  EXPECT_EQ(error, errc::no_gateway);
  EXPECT_TRUE(none.is_unspecified());
}

TEST_P(contract_cpp, several_clients) {
  constexpr std::uint16_t third_port = 8082;
  const lab::listener first_server = listen();
  const lab::listener second_server = listen(second_port);
  const lab::listener third_server = listen(third_port);
  plum_config_t config{};
  config.log_level = PLUM_LOG_LEVEL_NONE;
  ASSERT_EQ(lab::in(net().lan(), [&] { return plum_init(&config); }), PLUM_ERR_SUCCESS);
  plum_mapping_t wanted{};
  wanted.internal_port = third_port;
  EXPECT_GT(plum_create_mapping(&wanted, nullptr), 0);
  const auto one = start();
  auto two = start();
  const damson::mapping first = map(*one);
  const damson::mapping second = map(*two, second_port);
  EXPECT_TRUE(eventually([&] { return net().port_mappings() == 3; }));
  EXPECT_TRUE(reaches(net(), third_server, router().outside(third_port)));

  two.reset();
  EXPECT_TRUE(cut_off(net(), second_server, router().outside(second_port)));
  EXPECT_TRUE(reaches(net(), third_server, router().outside(third_port)));
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
  EXPECT_TRUE(cut_off(net(), third_server, router().outside(third_port)));
  EXPECT_TRUE(reaches(net(), first_server, router().outside(service_port)));
  EXPECT_EQ(one->active_count(), 1U);
}

}  // namespace
