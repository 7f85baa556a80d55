#pragma once

/// Talks between the ladder and a gateway, written down line by line: the action that is expected,
/// and what is given in answer to it.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "proto/igd_mapping.hpp"
#include "wire/igd_actions.hpp"
#include "wire/igd_description.hpp"
#include "wire/upnp_refusal.hpp"

namespace damson::test {

inline constexpr ip_address we{ip_address::v4_bytes{192, 168, 1, 10}};
inline constexpr ip_address they{ip_address::v4_bytes{192, 168, 1, 20}};
inline constexpr std::array<std::uint64_t, 4> seed{1, 2, 3, 4};

/// A number as the gateway sends it; what it means depends on the action that it answers.
inline any_igd_result fault(std::int32_t code) { return igd_result::fault{{}, code}; }
inline any_igd_result done() { return igd_result::done{}; }
inline any_igd_result reserved(std::uint16_t port) { return igd_result::done{port}; }
inline any_igd_result ours(std::optional<std::chrono::seconds> lease = {}) {
  return igd_result::entry{we, 80, lease};
}
inline any_igd_result ours_stale() { return igd_result::entry{we, 81, std::chrono::hours{1}}; }
inline any_igd_result theirs() { return igd_result::entry{they, 80, std::chrono::hours{1}}; }
inline any_igd_result unreadable() { return igd_result::unreadable{}; }

inline upnp_action action_of(const any_igd_action& action) {
  constexpr std::array kinds{upnp_action::get_specific_port_mapping_entry,
                             upnp_action::add_port_mapping, upnp_action::add_any_port_mapping,
                             upnp_action::delete_port_mapping};
  return kinds.at(action.index());
}

/// "add 8080 3600". Ports that the ladder drew are called r1, r2, …, in the order in which they
/// come.
class action_text {
 public:
  std::string operator()(const any_igd_action& action) {
    if (const auto* a = std::get_if<igd_action::query>(&action)) {
      return "query " + port(a->external_port);
    }
    if (const auto* a = std::get_if<igd_action::remove>(&action)) {
      return "remove " + port(a->external_port);
    }
    if (const auto* a = std::get_if<igd_action::add>(&action)) {
      return "add " + port(a->external_port) + " " + std::to_string(a->lease.count());
    }
    const auto& a = std::get<igd_action::add_any>(action);
    return "add_any " + port(a.external_port) + " " + std::to_string(a.lease.count());
  }

  std::string port(std::uint16_t number) {
    if (number < 10'000) return std::to_string(number);
    const auto known = std::ranges::find(drawn_, number);
    const auto place = known - drawn_.begin();
    if (known == drawn_.end()) drawn_.push_back(number);
    return "r" + std::to_string(place + 1);
  }

 private:
  std::vector<std::uint16_t> drawn_;
};

struct exchange {
  std::string_view expected;
  any_igd_result given;
};

enum class trait : std::uint8_t { add_any, query, only_permanent };
using traits = std::vector<trait>;

inline igd_habits habits_of(const traits& of) {
  const auto has = [&of](trait one) { return std::ranges::find(of, one) != of.end(); };
  return {has(trait::add_any), has(trait::query), has(trait::only_permanent)};
}

inline constexpr auto any = trait::add_any;
inline constexpr auto query = trait::query;
inline constexpr auto permanent = trait::only_permanent;

/// Port 8080, or another one, of the gateway to port 80 of this host, for an hour.
struct dialogue {
  std::string_view name;
  traits device;
  std::vector<exchange> script;
  /// "8080 3600 verified", or the reason and number of the refusal.
  std::string ending;
  /// What the owner has to know afterwards; by default the granted port, and none of a refusal.
  std::string_view holds = {};
  std::optional<traits> learnt = {};
  std::uint16_t external_port = 8080;
  bool allow_permanent = true;
  bool renewal = false;
  std::chrono::seconds held_lease = {};
  std::uint16_t also_held = 0;
  bool may_be_permanent = false;
  bool exact_port = false;
};

inline std::string refused(errc reason, std::optional<std::int32_t> code = {}) {
  return "refused: " + std::string{describe(reason)} +
         (code ? " (" + std::to_string(*code) + ")" : std::string{});
}

inline std::string ending_of(const igd_mapping& ladder, action_text& names) {
  if (const auto& grant = ladder.granted()) {
    return names.port(grant->external_port) + " " + std::to_string(grant->lease.count()) +
           (grant->verified ? " verified" : " unverified");
  }
  return ladder.refused() ? refused(ladder.refused()->reason, ladder.refused()->code) : "no ending";
}

inline std::string held_ports(const igd_mapping& ladder, action_text& names) {
  std::string out;
  if (ladder.may_hold() != 0) out += names.port(ladder.may_hold());
  if (ladder.may_also_hold() != 0) out += " and " + names.port(ladder.may_also_hold());
  return out;
}

inline void expect_habits(const igd_habits& got, const igd_habits& expected) {
  EXPECT_EQ(got.has_add_any, expected.has_add_any);
  EXPECT_EQ(got.has_query, expected.has_query);
  EXPECT_EQ(got.only_permanent, expected.only_permanent);
}

inline void play(const dialogue& d) {
  SCOPED_TRACE(d.name);
  random_source random(seed);
  const igd_wish wish{.internal_client = we,
                      .internal_port = 80,
                      .external_port = d.external_port,
                      .lease = std::chrono::hours{1},
                      .allow_permanent = d.allow_permanent,
                      .exact_port = d.exact_port,
                      .renewal = d.renewal,
                      .held_lease = d.held_lease,
                      .also_held = d.also_held,
                      .may_be_permanent = d.may_be_permanent};
  igd_mapping ladder(wish, habits_of(d.device));
  action_text names;
  for (const exchange& each : d.script) {
    ASSERT_FALSE(ladder.is_over())
        << "before " << each.expected << ": " << ending_of(ladder, names);
    ASSERT_EQ(names(ladder.next()), each.expected);
    any_igd_result given = each.given;
    if (auto* refusal = std::get_if<igd_result::fault>(&given)) {
      refusal->what = interpret_upnp_error(service_kind::wan_ip_connection,
                                           action_of(ladder.next()), refusal->code);
    }
    ladder.on_result(given, random);
  }
  ASSERT_TRUE(ladder.is_over()) << names(ladder.next());
  EXPECT_EQ(ending_of(ladder, names), d.ending);
  const std::string granted =
      ladder.granted() ? names.port(ladder.granted()->external_port) : std::string{};
  EXPECT_EQ(held_ports(ladder, names), d.holds.empty() ? granted : std::string{d.holds});
  expect_habits(ladder.habits(), habits_of(d.learnt.value_or(d.device)));
}

inline void play(const std::vector<dialogue>& all) {
  for (const dialogue& each : all) play(each);
}

}  // namespace damson::test
