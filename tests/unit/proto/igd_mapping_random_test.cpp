// Gateways that answer by chance: whatever they do, the ladder ends, asks for nothing that must not
// be asked for, and knows what it has left on them.

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/igd_dialogue.hpp"
#include "proto/igd_mapping.hpp"

namespace damson::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;

constexpr std::uint16_t our_port = 80;
constexpr std::uint16_t wanted_port = 8080;
constexpr int gateways = 5'000;

/// How one gateway is, in percent.
struct character {
  unsigned refuses = 0;       ///< any action, with any number
  unsigned drops = 0;         ///< an entry that it says it has made
  unsigned garbles = 0;       ///< its answers
  unsigned taken = 0;         ///< ports that another host holds
  bool overwrites = false;    ///< version 1: another host's entries, too
  bool hides_port = false;    ///< that AddAnyPortMapping has reserved
  bool forgets_lease = true;  ///< when it is asked
};

/// 0 of a pinhole's, which have none.
std::uint16_t port_of(const any_igd_action& action) {
  return std::visit(
      [](const auto& a) -> std::uint16_t {
        if constexpr (requires { a.external_port; }) return a.external_port;
        return 0;
      },
      action);
}

class gateway_by_chance {
 public:
  gateway_by_chance(const character& how, random_source& random) : how_(how), random_(&random) {}

  any_igd_result obey(const any_igd_action& action) {
    const std::uint16_t port = port_of(action);
    if (chance(how_.refuses)) return refusal(std::holds_alternative<igd_action::remove>(action));
    any_igd_result out;
    if (std::holds_alternative<igd_action::query>(action)) {
      out = look(port);
    } else if (std::holds_alternative<igd_action::remove>(action)) {
      out = remove(port);
    } else if (const auto* const a = std::get_if<igd_action::add>(&action)) {
      out = add(port, a->lease);
    } else {
      out = add_any(port, std::get<igd_action::add_any>(action).lease);
    }
    if (std::holds_alternative<igd_result::fault>(out) || is_elsewhere(out, port)) return out;
    return chance(how_.garbles) ? igd_result::unreadable{} : out;
  }

  void put_ours(std::uint16_t port) { entries_[port] = {we, our_port, 1800s}; }

  std::vector<std::uint16_t> ports_of_ours() const {
    std::vector<std::uint16_t> out;
    for (const auto& [port, entry] : entries_) {
      if (entry.internal_client == we && entry.internal_port == our_port) out.push_back(port);
    }
    return out;
  }

  /// Entries of other hosts that were overwritten or deleted.
  unsigned harmed() const noexcept { return harmed_; }

 private:
  bool chance(unsigned percent) { return random_->uniform(1, 100) <= percent; }

  /// Nobody could find the entry again if such an answer were lost.
  static bool is_elsewhere(const any_igd_result& result, std::uint16_t port) {
    const auto* const done = std::get_if<igd_result::done>(&result);
    return done != nullptr && done->external_port != 0 && done->external_port != port;
  }

  std::int32_t any_code() {
    constexpr std::array codes{401, 402, 403, 404, 501, 501, 600, 606, 714, 715, 716,
                               718, 718, 718, 724, 725, 726, 727, 728, 729, 732, -911};
    return codes.at(random_->uniform(0, codes.size() - 1));
  }

  /// The meaning is drawn as well: the ladder has to stand even a wrong one. Only that a deleted
  /// entry is gone has to be believed.
  any_igd_result refusal(bool of_a_delete) {
    const std::int32_t code = any_code();
    const auto action = static_cast<upnp_action>(random_->uniform(1, 4));
    const upnp_refusal what = interpret_upnp_error(service_kind::wan_ip_connection, action, code);
    const bool is_lie = of_a_delete && what == upnp_refusal::no_such_entry;
    return igd_result::fault{is_lie ? upnp_refusal::action_failed : what, code};
  }

  /// Another host's entry is there from the beginning, or never.
  bool is_theirs(std::uint16_t port) {
    if (!known_.contains(port)) {
      known_[port] = true;
      if (!entries_.contains(port) && chance(how_.taken)) entries_[port] = {they, our_port, 3600s};
    }
    const auto found = entries_.find(port);
    return found != entries_.end() && found->second.internal_client == they;
  }

  any_igd_result look(std::uint16_t port) {
    is_theirs(port);
    const auto found = entries_.find(port);
    if (found == entries_.end()) return igd_result::fault{upnp_refusal::no_such_entry, 714};
    igd_result::entry out = found->second;
    if (how_.forgets_lease) out.lease = 0s;
    return out;
  }

  any_igd_result remove(std::uint16_t port) {
    if (is_theirs(port)) ++harmed_;
    if (entries_.erase(port) == 0) return igd_result::fault{upnp_refusal::no_such_entry, 714};
    return igd_result::done{};
  }

  any_igd_result add(std::uint16_t port, seconds lease) {
    if (is_theirs(port)) {
      if (!how_.overwrites) return igd_result::fault{upnp_refusal::conflict, 718};
      ++harmed_;
    }
    if (!chance(how_.drops)) {
      entries_[port] = {we, our_port,
                        seconds{static_cast<std::int64_t>(
                            random_->uniform(1, static_cast<std::uint64_t>(lease.count()) + 1))}};
    }
    return igd_result::done{};
  }

  /// One that does not say which port it took has to take the one that it was asked for.
  any_igd_result add_any(std::uint16_t port, seconds lease) {
    if (how_.hides_port) {
      if (is_theirs(port)) return igd_result::fault{upnp_refusal::no_room, 728};
      add(port, lease);
      return igd_result::done{};
    }
    while (is_theirs(port) || chance(20)) {
      port = static_cast<std::uint16_t>(random_->uniform(1024, 65'535));
    }
    add(port, lease);
    return igd_result::done{port};
  }

  character how_;
  random_source* random_;
  std::map<std::uint16_t, igd_result::entry> entries_;
  std::map<std::uint16_t, bool> known_;
  unsigned harmed_ = 0;
};

struct climb {
  igd_wish wish;
  igd_habits habits;
};

climb any_climb(random_source& random) {
  const auto coin = [&random] { return random.uniform(0, 1) == 1; };
  climb out;
  out.wish = {.internal_client = we,
              .internal_port = our_port,
              .external_port = random.uniform(0, 3) == 0 ? std::uint16_t{443} : wanted_port,
              .lease = coin() ? 3600s : 1'000'000s,
              .allow_permanent = coin(),
              .renewal = coin(),
              .held_lease = coin() ? 1800s : 0s};
  out.habits = {.has_add_any = coin(), .has_query = coin(), .only_permanent = coin()};
  return out;
}

void expect_decent(const any_igd_action& action, const igd_wish& wish) {
  EXPECT_NE(port_of(action), 0) << "Q-167";
  seconds lease = 0s;
  if (const auto* const a = std::get_if<igd_action::add>(&action)) lease = a->lease;
  if (const auto* const a = std::get_if<igd_action::add_any>(&action)) lease = a->lease;
  EXPECT_GE(lease, 0s);
  EXPECT_LE(lease, std::max<seconds>(604'800s, wish.lease));
  const bool adds = std::holds_alternative<igd_action::add>(action) ||
                    std::holds_alternative<igd_action::add_any>(action);
  EXPECT_FALSE(adds && lease == 0s && !wish.allow_permanent);
}

void expect_known(const igd_mapping& ladder, const gateway_by_chance& gateway) {
  for (const std::uint16_t port : gateway.ports_of_ours()) {
    EXPECT_TRUE(port == ladder.may_hold() || port == ladder.may_also_hold()) << port;
  }
}

/// How many actions it took.
unsigned run(igd_mapping& ladder, gateway_by_chance& gateway, const igd_wish& wish,
             random_source& random) {
  unsigned actions = 0;
  while (!ladder.is_over() && actions < 100) {
    expect_decent(ladder.next(), wish);
    const any_igd_result result = gateway.obey(ladder.next());
    ladder.on_result(result, random);
    ++actions;
    expect_known(ladder, gateway);
    if (testing::Test::HasFailure()) break;
  }
  return actions;
}

TEST(igd_mapping_by_chance, q_167_q_181_ends_asks_decently_and_knows_what_it_left) {
  random_source random(seed);
  unsigned granted = 0;
  unsigned moved = 0;
  unsigned longest = 0;
  for (int i = 0; i < gateways && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE(i);
    const climb c = any_climb(random);
    const auto percent = [&random] { return static_cast<unsigned>(random.uniform(0, 3) * 30); };
    gateway_by_chance gateway({.refuses = percent(),
                               .drops = percent(),
                               .garbles = percent() / 2,
                               .taken = percent(),
                               .overwrites = random.uniform(0, 1) == 1,
                               .hides_port = random.uniform(0, 1) == 1,
                               .forgets_lease = random.uniform(0, 1) == 1},
                              random);
    if (c.wish.renewal) gateway.put_ours(c.wish.external_port);
    igd_mapping ladder(c.wish, c.habits);
    const unsigned actions = run(ladder, gateway, c.wish, random);
    ASSERT_TRUE(ladder.is_over());
    ASSERT_NE(ladder.granted().has_value(), ladder.refused().has_value());
    ASSERT_LE(actions, 24U);
    longest = std::max(longest, actions);
    if (!ladder.granted()) continue;
    ++granted;
    EXPECT_EQ(ladder.may_hold(), ladder.granted()->external_port);
    EXPECT_FALSE(ladder.granted()->lease == 0s && !c.wish.allow_permanent);
    if (ladder.granted()->external_port != c.wish.external_port) ++moved;
  }
  // Else little was tried.
  EXPECT_GT(granted, gateways / 10);
  EXPECT_GT(moved, gateways / 50);
  EXPECT_GT(longest, 12U);
}

TEST(igd_mapping_by_chance, q_143_q_168_q_182_harms_no_other_host_where_it_can_look) {
  random_source random(seed);
  unsigned granted = 0;
  for (int i = 0; i < gateways && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE(i);
    climb c = any_climb(random);
    c.habits.has_query = true;
    // Version 2 is trusted to refuse a renewal of a port that another host has taken since.
    const bool is_trusted = c.wish.renewal && c.habits.has_add_any;
    const bool overwrites = !is_trusted && random.uniform(0, 1) == 1;
    gateway_by_chance gateway(
        {.drops = random.uniform(0, 1) == 1 ? 50U : 0U, .taken = 60, .overwrites = overwrites},
        random);
    igd_mapping ladder(c.wish, c.habits);
    run(ladder, gateway, c.wish, random);
    EXPECT_EQ(gateway.harmed(), 0U);
    if (!ladder.granted()) continue;
    ++granted;
    EXPECT_EQ(gateway.ports_of_ours(), std::vector{ladder.granted()->external_port});
  }
  EXPECT_GT(granted, gateways / 4);
}

TEST(igd_mapping_by_chance, ends_whatever_it_is_told) {
  random_source random(seed);
  for (int i = 0; i < gateways && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE(i);
    const climb c = any_climb(random);
    igd_mapping ladder(c.wish, c.habits);
    unsigned actions = 0;
    while (!ladder.is_over() && actions < 100) {
      expect_decent(ladder.next(), c.wish);
      const auto number = [&random](std::uint64_t highest) { return random.uniform(0, highest); };
      any_igd_result told = igd_result::unreadable{};
      switch (number(4)) {
        case 0:
          told = igd_result::done{static_cast<std::uint16_t>(number(65'535))};
          break;
        case 1:
          told = igd_result::entry{number(1) == 0 ? we : they,
                                   number(2) == 0 ? std::uint16_t{81} : our_port,
                                   seconds{static_cast<std::int64_t>(number(4000))}};
          break;
        case 2:
          break;
        default:
          told = igd_result::fault{
              static_cast<upnp_refusal>(number(static_cast<std::uint64_t>(upnp_refusal::no_room))),
              static_cast<std::int32_t>(number(999))};
      }
      ladder.on_result(told, random);
      ++actions;
    }
    EXPECT_TRUE(ladder.is_over());
    EXPECT_LE(actions, 24U);
  }
}

}  // namespace
}  // namespace damson::test
