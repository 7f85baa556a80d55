// Mishaps at every moment of a mapping's life through UPnP, and many at once: in the end there is
// one entry on the router for each mapping, and none without one.

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

using outcome = http_treatment::outcome;

class upnp_mishap : public upnp_scenario {
 protected:
  static constexpr auto recheck = 300s;

  /// The mapping is up, and the router holds it and nothing else.
  static void expect_whole(world& w, mapping_id id) {
    const event_record* const last = w.last_event(id);
    ASSERT_NE(last, nullptr);
    EXPECT_TRUE(last->event.kind == event_kind::mapped || last->event.kind == event_kind::changed)
        << last->event.kind;
    ASSERT_EQ(w.router().rules().size(), 1U);
    const nat_rule rule = w.router().rules()[0];
    EXPECT_EQ(rule.external_port, last->event.info.external.port);
    EXPECT_EQ(rule.internal, (endpoint{world::host_address, 8080}));
  }

  /// The router obeys the first add without a word of it, and then does not listen any more; runs
  /// until the request has failed.
  static void fail_after_an_add(world& w, outcome end) {
    w.http_courier = [end, obeyed = false](const http_record& record) mutable {
      if (obeyed) return http_treatment{.end = outcome::refused};
      obeyed = asked_for(record).starts_with("Add");
      return http_treatment{.end = obeyed ? end : outcome::answered};
    };
    w.run_until([&] { return !w.events().empty(); }, 60s);
    ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  }

  static void expect_clean_end(world& w, mapping_id id) {
    w.release(id);
    w.run_for(10s);
    EXPECT_EQ(w.last_event(id)->event.kind, event_kind::removed);
    EXPECT_TRUE(w.router().rules().empty());
    EXPECT_EQ(w.open_channels(), 0U);
  }
};

TEST_F(upnp_mishap, a_restart_at_any_moment_of_the_set_up) {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    for (nanoseconds at = 0ms; at <= 24ms; at += 500us) {
      SCOPED_TRACE(std::to_string(at.count()) + " ns");
      upnp_profile how;
      how.version = version;
      how.any_port_moves = true;
      world& w = begin_request(upnp_only(how));
      w.run_for(at);
      w.reboot_router();
      w.run_for(recheck + 10s);
      expect_whole(w, id_);
      expect_clean_end(w, id_);
    }
  }
}

TEST_F(upnp_mishap, an_absence_from_any_moment_of_the_set_up) {
  for (const auto absence : {100ms, 7'000ms}) {
    for (nanoseconds at = 0ms; at <= 24ms; at += 1ms) {
      SCOPED_TRACE(std::to_string(at.count()) + " ns");
      world& w = begin_request(upnp_only());
      w.run_for(at);
      w.set_plugged(false);
      w.run_for(absence);
      w.set_plugged(true);
      w.run_for(recheck + 10s);
      expect_whole(w, id_);
      expect_clean_end(w, id_);
    }
  }
}

TEST_F(upnp_mishap, an_answer_is_waited_for_as_long_as_the_program_wants_and_five_seconds_at_most) {
  for (const auto& [wanted, waited] : {std::pair{700ms, 700ms}, {10'000ms, 5'000ms}}) {
    scene what = upnp_only();
    what.client.mapping_timeout = wanted;
    world& w = begin(what);
    w.http_courier = [](const http_record& record) {
      const bool is_action = asked_for(record).starts_with("Add");
      return http_treatment{.end = is_action ? outcome::hangs : outcome::answered};
    };
    w.create(request());
    w.run_for(20s);
    const auto adds = requests_for(w, "AddPortMapping");
    ASSERT_FALSE(adds.empty());
    EXPECT_EQ(adds[0].error, http_error::timed_out);
    EXPECT_EQ(*adds[0].ended_at - adds[0].at, waited);
  }
}

TEST_F(upnp_mishap, a_broken_exchange_at_any_step_of_the_set_up) {
  for (const outcome end : {outcome::refused, outcome::unanswered, outcome::breaks_before,
                            outcome::breaks_after, outcome::hangs}) {
    for (std::size_t broken = 0; broken < 6; ++broken) {
      for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
        SCOPED_TRACE(std::to_string(static_cast<int>(end)) + " " + std::to_string(broken) + " " +
                     std::to_string(version));
        upnp_profile how;
        how.version = version;
        how.any_port_moves = true;
        world& w = begin(upnp_only(how));
        w.http_courier = [&](const http_record&) {
          return http_treatment{.end = w.requests().size() == broken + 1 ? end : outcome::answered};
        };
        const mapping_id id = w.create(request());
        w.run_for(60s);
        expect_whole(w, id);
        w.http_courier = nullptr;
        expect_clean_end(w, id);
      }
    }
  }
}

TEST_F(upnp_mishap, a_restart_at_any_moment_of_a_check) {
  for (nanoseconds at = 0ms; at <= 1'040ms; at += at > 20ms && at < 1'015ms ? 50ms : 1ms) {
    SCOPED_TRACE(std::to_string(at.count()) + " ns");
    world& w = begin_request(upnp_only());
    expect_mapped(w, 100ms);
    w.run_for(recheck + at);
    w.reboot_router();
    w.run_for(recheck + 10s);
    expect_whole(w, id_);
    expect_clean_end(w, id_);
  }
}

TEST_F(upnp_mishap, no_socket_for_a_while) {
  world& w = begin_request(upnp_only());
  expect_mapped(w, 100ms);
  w.sockets_work = false;
  w.reboot_router();
  w.run_for(2h);
  w.sockets_work = true;
  w.run_for(recheck + 10s);
  expect_whole(w, id_);
  expect_clean_end(w, id_);
}

TEST_F(upnp_mishap, a_service_that_is_switched_on_later) {
  world& w = begin_request(with(mute_router()));
  w.run_for(3h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  w.router().behaviour().speaks_upnp = true;
  w.run_for(recheck + 10s);
  expect_whole(w, id_);
  expect_clean_end(w, id_);
}

TEST_F(upnp_mishap, an_uplink_that_comes_later) {
  scene what = upnp_only();
  what.public_address = std::nullopt;
  world& w = begin_request(what);
  w.run_for(1h);
  ASSERT_EQ(kinds(w), std::vector{event_kind::failed});
  EXPECT_EQ(reason_for(w.events()[0].event.why, protocol::upnp)->reason, errc::network_failure);
  w.set_public_address(wan_side);
  w.run_for(recheck + 10s);
  expect_whole(w, id_);
  EXPECT_EQ(w.last_event(id_)->event.info.external.address, wan_side);
  expect_clean_end(w, id_);
}

TEST_F(upnp_mishap, a_restart_of_a_router_that_cannot_be_asked_for_entries) {
  for (const lease_policy leases : {lease_policy::as_asked, lease_policy::only_permanent_725}) {
    upnp_profile how;
    how.missing_actions = {"GetSpecificPortMappingEntry"};
    how.leases = leases;
    world& w = begin_request(upnp_only(how));
    expect_mapped(w, 100ms);
    EXPECT_FALSE(w.events()[0].event.info.verified);
    w.run_for(recheck + 10s);
    w.reboot_router();
    w.run_for(recheck + 10s);
    // What cannot be read back is asked for again.
    expect_whole(w, id_);
    expect_clean_end(w, id_);
  }
}

TEST_F(upnp_mishap, an_entry_made_without_a_word_is_deleted_in_the_end) {
  for (const outcome end : {outcome::hangs, outcome::breaks_after}) {
    world& w = begin_request(upnp_only());
    fail_after_an_add(w, end);
    ASSERT_TRUE(router_holds(w, 8080));
    w.http_courier = nullptr;
    w.release(id_);
    w.run_for(5s);
    EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
    EXPECT_TRUE(w.router().rules().empty());
  }
}

TEST_F(upnp_mishap, an_entry_made_without_a_word_is_not_made_twice) {
  upnp_profile how;
  how.version = 2;
  how.any_port_moves = true;
  world& w = begin_request(upnp_only(how));
  fail_after_an_add(w, outcome::hangs);
  w.http_courier = nullptr;
  w.run_for(recheck);
  expect_whole(w, id_);
  expect_clean_end(w, id_);
}

TEST_F(upnp_mishap, an_entry_that_cannot_be_deleted_is_not_called_gone) {
  world& w = begin_request(upnp_only());
  fail_after_an_add(w, outcome::hangs);
  w.release(id_);
  w.run_for(5s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
}

TEST_F(upnp_mishap, both_transports_of_a_port_are_two_mappings) {
  world& w = begin_request(upnp_only());
  const mapping_id udp = w.create(request(8080, transport::udp));
  w.run_for(1s);
  EXPECT_EQ(w.router().rules().size(), 2U);
  w.reboot_router();
  w.run_for(recheck + 10s);
  EXPECT_EQ(w.router().rules().size(), 2U);
  w.release(udp);
  w.run_for(5s);
  expect_whole(w, id_);
}

TEST_F(upnp_mishap, many_at_random_leave_one_entry_for_each_mapping) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    random_source dice(std::array<std::uint64_t, 4>{seed, 2, 3, 4});
    upnp_profile how;
    how.version = static_cast<std::uint8_t>(dice.uniform(1, 2));
    how.random_paths = dice.uniform(0, 1) == 1;
    how.request_gap = dice.uniform(0, 3) == 0 ? 50ms : 0ms;
    how.processing = std::chrono::milliseconds{dice.uniform(0, 30)};
    how.refresh_does_not_extend = dice.uniform(0, 3) == 0;
    how.any_port_moves = dice.uniform(0, 1) == 1;
    scene what = upnp_only(how);
    what.seed = seed;
    what.link.loss_percent = static_cast<unsigned>(dice.uniform(0, 20));
    world& w = begin(what);
    std::vector<mapping_id> alive;
    const auto disturb = [&] {
      switch (dice.uniform(0, 7)) {
        case 0:
          return w.reboot_router(dice.uniform(0, 1) == 1);
        case 1:
          return w.router().forget_all();
        case 2:
          return w.set_plugged(dice.uniform(0, 2) != 0);
        case 3:
          return w.set_http_serving(dice.uniform(0, 2) != 0);
        case 4:
          return w.suspend(std::chrono::minutes{dice.uniform(1, 200)});
        case 5:
          if (alive.empty()) return;
          w.release(alive.back());
          return alive.pop_back();
        default:
          alive.push_back(w.create(request(static_cast<std::uint16_t>(8000 + alive.size()))));
      }
    };
    for (int i = 0; i < 40; ++i) {
      disturb();
      w.run_for(std::chrono::milliseconds{dice.uniform(1, 400'000)});
    }
    w.set_plugged(true);
    w.set_http_serving(true);
    w.link().loss_percent = 0;
    w.run_for(3h);  // what was left behind has ended, what is wanted is there
    EXPECT_EQ(w.router().rules().size(), alive.size());
    for (const mapping_id id : alive) {
      const mapping_info& info = w.last_event(id)->event.info;
      const nat_rule* const rule =
          w.router().table().at_external(info.transport, info.external.port);
      ASSERT_NE(rule, nullptr);
      EXPECT_EQ(rule->internal, info.internal);
    }
    w.close();
    w.run_for(3s);
    EXPECT_TRUE(w.closed());
    EXPECT_TRUE(w.router().rules().empty());
  }
}

/// The renewal is refused, and the add of another port obeyed without a word; what else it asks
/// breaks.
class upnp_mishap_of_a_move : public upnp_mishap {
 protected:
  world& begin_moved(bool deletes_break) {
    scene what = upnp_only();
    what.client.recheck_period = 2h;
    world& w = begin_request(what);
    w.run_for(1min);
    EXPECT_EQ(w.last_event(id_)->event.kind, event_kind::mapped);
    w.router().behaviour().upnp.refuses_adds_with = 501;
    w.router().behaviour().upnp.refused_adds = 2;
    w.http_courier = [deletes_break, adds = 0](const http_record& record) mutable {
      const std::string action = asked_for(record);
      if (action == "DeletePortMapping") {
        return http_treatment{.end = deletes_break ? outcome::breaks_before : outcome::answered};
      }
      const bool is_probe = action == "GET" || action == "GetExternalIPAddress";
      if (adds >= 3 && !is_probe) return http_treatment{.end = outcome::breaks_before};
      const bool is_third = action == "AddPortMapping" && ++adds == 3;
      return http_treatment{.end = is_third ? outcome::breaks_after : outcome::answered};
    };
    EXPECT_TRUE(w.run_until([&] { return w.router().rules().size() == 2; }, 2h));
    w.run_for(1min);
    w.http_courier = nullptr;
    return w;
  }
};

TEST_F(upnp_mishap_of_a_move, what_was_made_goes) {
  world& w = begin_moved(false);
  expect_whole(w, id_);
  expect_clean_end(w, id_);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::deleted);
}

TEST_F(upnp_mishap_of_a_move, what_was_made_and_cannot_be_deleted_is_told) {
  world& w = begin_moved(true);
  w.release(id_);
  w.run_for(10s);
  EXPECT_EQ(w.router().rules().size(), 1U);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
}

/// Another device stands in for the router, obeys a renewal without a word, and is gone again. What
/// is left on it is told in the end.
TEST_F(upnp_mishap, of_a_renewal_that_only_another_device_has_heard) {
  scene what = upnp_only();
  what.client.recheck_period = recheck;
  what.devices.push_back({upnp_only_router(), neighbour, v4(198, 51, 100, 9)});
  world& w = begin(what);
  map_request wanted = request();
  wanted.lifetime = 300s;
  wanted.allow_permanent = false;
  id_ = w.create(wanted);
  w.http_courier = [&w, heard = false](const http_record& record) mutable {
    const bool is_away = w.now() >= 100s && w.now() < 250s;
    if (record.remote.address == world::router_address) {
      return http_treatment{.end = is_away ? outcome::refused : outcome::answered};
    }
    if (!is_away) return http_treatment{.end = outcome::refused};
    if (heard) return http_treatment{.end = outcome::breaks_before};
    heard = asked_for(record) == "AddPortMapping";
    return http_treatment{.end = heard ? outcome::breaks_after : outcome::answered};
  };
  w.run_for(250s);
  ASSERT_EQ(w.device_at(neighbour)->rules().size(), 1U);
  w.router().forget_all();
  w.run_for(60s);
  ASSERT_EQ(w.last_event(id_)->event.kind, event_kind::mapped);
  ASSERT_EQ(w.last_event(id_)->event.info.gateway, world::router_address);
  w.release(id_);
  w.run_for(10s);
  ASSERT_EQ(w.device_at(neighbour)->rules().size(), 1U);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
}

/// The renewal finds every lease dropped and makes the entry permanent; before that is answered the
/// host has another address, from which nobody can delete it.
TEST_F(upnp_mishap, of_a_renewal_that_became_permanent_unheard) {
  world& w = begin(upnp_only());
  map_request wanted = request();
  wanted.lifetime = 300s;
  id_ = w.create(wanted);
  w.run_for(10s);
  ASSERT_EQ(w.last_event(id_)->event.info.lifetime, 300s);
  w.router().behaviour().upnp.leases = lease_policy::finite_is_dropped;
  w.router().forget_all();
  const auto is_permanent = [&] {
    const auto rules = w.router().rules();
    return rules.size() == 1 && !rules[0].expires;
  };
  // Its answer takes a second.
  w.http_courier = [](const http_record& record) {
    return http_treatment{.processing = record.request.contains("<NewLeaseDuration>0<") ? 1s : 0s};
  };
  w.run_until(
      [&] {
        return !requests_for(w, "AddPortMapping").empty() &&
               requests_for(w, "AddPortMapping").back().request.contains("<NewLeaseDuration>0<");
      },
      280s);
  w.run_until(is_permanent, 1s);
  ASSERT_TRUE(is_permanent());
  w.set_network(world::one_route(world::router_address, v4(192, 168, 1, 200)));
  w.run_for(20min);
  w.release(id_);
  w.run_for(10s);
  EXPECT_EQ(w.last_event(id_)->event.how, removal::left_to_expire);
}

}  // namespace
}  // namespace damson::sim
