// Dialogues between the ladder of a pinhole and a gateway, line by line.

#include "proto/igd_pinhole.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "proto/igd_wording.hpp"
#include "wire/igd_description.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;

const ip_address we = ip_address::parse("2001:db8::64").value();

any_igd_result fault(std::int32_t code) { return igd_result::fault{{}, code}; }
any_igd_result done() { return igd_result::done{}; }
any_igd_result number(std::uint16_t id) { return igd_result::pinhole{id}; }
any_igd_result firewall(bool enabled, bool allowed) {
  return igd_result::firewall{enabled, allowed};
}
any_igd_result allowed() { return firewall(true, true); }

/// "AddPinhole 3600", "DeletePinhole #7".
std::string text_of(const any_igd_action& action) {
  std::string out{to_string(action_of(action))};
  if (const auto* add = std::get_if<igd_action::add_pinhole>(&action)) {
    return out + " " + std::to_string(add->lease.count());
  }
  if (const auto* update = std::get_if<igd_action::update_pinhole>(&action)) {
    return out + " #" + std::to_string(update->id) + " " + std::to_string(update->lease.count());
  }
  if (const auto* remove = std::get_if<igd_action::delete_pinhole>(&action)) {
    return out + " #" + std::to_string(remove->id);
  }
  if (const auto* packets = std::get_if<igd_action::pinhole_packets>(&action)) {
    return out + " #" + std::to_string(packets->id);
  }
  if (const auto* check = std::get_if<igd_action::check_pinhole>(&action)) {
    return out + " #" + std::to_string(check->id);
  }
  return out;
}

struct exchange {
  std::string_view expected;
  any_igd_result given;
};

using held = std::optional<held_pinhole>;
const held nothing{};
const held unheard{held_pinhole{}};
held numbered(std::uint16_t id) { return held_pinhole{id}; }

/// TCP or UDP 8080 of this host, for an hour.
struct dialogue {
  std::string_view name;
  pinhole_aim aim{};
  held before;
  std::vector<exchange> script;
  /// "granted 3600 verified", "removed", "gone already", "there", "gone", "unknown", or the reason
  /// and number of the refusal.
  std::string ending;
  held after;
  bool renewal = false;
  bool has_query = true;
  std::optional<bool> learnt_query = {};
};

std::string ending_of(const igd_pinhole& ladder) {
  if (const auto& grant = ladder.granted()) {
    EXPECT_EQ(grant->external_port, 8080);
    EXPECT_EQ(grant->external, we);
    return "granted " + std::to_string(grant->lease.count()) +
           (grant->verified ? " verified" : " unverified");
  }
  if (const auto& how = ladder.removed()) {
    return *how == igd_removal::deleted ? "removed" : "gone already";
  }
  if (const auto& verdict = ladder.seen()) {
    return *verdict == igd_verdict::there  ? "there"
           : *verdict == igd_verdict::gone ? "gone"
                                           : "unknown";
  }
  if (!ladder.refused()) return "no ending";
  const auto& why = *ladder.refused();
  return std::string{describe(why.reason)} +
         (why.code ? " (" + std::to_string(*why.code) + ")" : std::string{});
}

std::string refusal(errc reason, std::optional<int> code = {}) {
  return std::string{describe(reason)} +
         (code ? " (" + std::to_string(*code) + ")" : std::string{});
}

void play(const dialogue& d) {
  SCOPED_TRACE(d.name);
  random_source random(std::array<std::uint64_t, 4>{1, 2, 3, 4});
  const igd_wish wish{.internal_client = we,
                      .internal_port = 8080,
                      .external_port = 8080,
                      .lease = 1h,
                      .renewal = d.renewal};
  igd_pinhole ladder(d.aim, wish, {.has_query = d.has_query}, d.before);
  for (const exchange& each : d.script) {
    ASSERT_FALSE(ladder.is_over()) << "before " << each.expected << ": " << ending_of(ladder);
    ASSERT_EQ(text_of(ladder.next()), each.expected);
    any_igd_result given = each.given;
    if (auto* refused = std::get_if<igd_result::fault>(&given)) {
      refused->what = interpret_upnp_error(service_kind::wan_ipv6_firewall_control,
                                           action_of(ladder.next()), refused->code);
    }
    ladder.on_result(given, random);
  }
  ASSERT_TRUE(ladder.is_over()) << text_of(ladder.next());
  EXPECT_EQ(ending_of(ladder), d.ending);
  EXPECT_EQ(ladder.held(), d.after);
  EXPECT_EQ(ladder.may_hold(), d.after ? 8080 : 0);
  EXPECT_EQ(ladder.habits().has_query, d.learnt_query.value_or(d.has_query));
}

void play(const std::vector<dialogue>& all) {
  for (const dialogue& each : all) play(each);
}

TEST(igd_pinhole, is_opened) {
  play({
      {"and looked at",
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", allowed()},
        {"AddPinhole 3600", number(7)},
        {"GetPinholePackets #7", done()}},
       "granted 3600 verified",
       numbered(7)},
      {"by one that knows no GetFirewallStatus",  // Q-160
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", fault(602)},
        {"AddPinhole 3600", number(0)},
        {"GetPinholePackets #0", done()}},
       "granted 3600 verified",
       numbered(0)},
      {"whose packets nobody counts, and nobody came yet",  // Q-126
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", allowed()},
        {"AddPinhole 3600", number(7)},
        {"GetPinholePackets #7", fault(401)},
        {"CheckPinholeWorking #7", fault(709)}},
       "granted 3600 verified",
       numbered(7)},
      {"that cannot be looked at at all",
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", allowed()},
        {"AddPinhole 3600", number(7)},
        {"GetPinholePackets #7", fault(401)},
        {"CheckPinholeWorking #7", fault(602)}},
       "granted 3600 unverified",
       numbered(7),
       false,
       true,
       false},
      {"which is known by then",
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", allowed()}, {"AddPinhole 3600", number(7)}},
       "granted 3600 unverified",
       numbered(7),
       false,
       false},
      {"once more, although a number is known: it may be another's by now",
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", allowed()},
        {"AddPinhole 3600", number(8)},
        {"GetPinholePackets #8", done()}},
       "granted 3600 verified",
       numbered(8)},
  });
}

TEST(igd_pinhole, needs_nothing_where_the_firewall_is_off) {  // Q-126
  play({
      {"which it says",
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", firewall(false, false)}},
       "granted 3600 unverified",
       nothing},
      {"which shows when it is asked",
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", fault(401)}, {"AddPinhole 3600", fault(702)}},
       "granted 3600 unverified",
       nothing},
      {"by now",
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", allowed()}, {"UpdatePinhole #7 3600", fault(702)}},
       "granted 3600 unverified",
       numbered(7),
       true},
  });
}

TEST(igd_pinhole, is_refused) {
  const auto refused_with = [](int code, errc reason) {
    return dialogue{"with a number of the service",
                    pinhole_aim::open,
                    nothing,
                    {{"GetFirewallStatus", allowed()}, {"AddPinhole 3600", fault(code)}},
                    refusal(reason, code),
                    nothing};
  };
  play({
      {"by the owner, who can be asked",  // Q-129
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", firewall(true, false)}},
       refusal(errc::not_authorized),
       nothing},
      refused_with(402, errc::malformed_request),
      refused_with(501, errc::unusable_answer),
      refused_with(606, errc::not_authorized),
      refused_with(701, errc::no_resources),
      refused_with(703, errc::not_authorized),
      refused_with(705, errc::malformed_request),
      refused_with(706, errc::malformed_request),
      refused_with(707, errc::malformed_request),
      refused_with(708, errc::not_supported),
      {"after all: it is not there",
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", allowed()},
        {"AddPinhole 3600", number(7)},
        {"GetPinholePackets #7", fault(704)}},
       refusal(errc::unusable_answer, 704),
       nothing},
      {"because its number cannot be read, so it may be there",
       pinhole_aim::open,
       nothing,
       {{"GetFirewallStatus", allowed()}, {"AddPinhole 3600", igd_result::unreadable{}}},
       refusal(errc::unusable_answer),
       unheard},
  });
}

TEST(igd_pinhole, is_extended) {
  play({
      {"under its number",
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", allowed()},
        {"UpdatePinhole #7 3600", done()},
        {"GetPinholePackets #7", done()}},
       "granted 3600 verified",
       numbered(7),
       true},
      {"or made anew where nobody knows the number",  // Q-125
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", allowed()},
        {"UpdatePinhole #7 3600", fault(704)},
        {"AddPinhole 3600", number(1)},
        {"GetPinholePackets #1", done()}},
       "granted 3600 verified",
       numbered(1),
       true},
      {"by some as an argument",
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", allowed()},
        {"UpdatePinhole #7 3600", fault(402)},
        {"AddPinhole 3600", number(1)},
        {"GetPinholePackets #1", done()}},
       "granted 3600 verified",
       numbered(1),
       true},
      {"or it is another host's",
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", allowed()},
        {"UpdatePinhole #7 3600", fault(606)},
        {"AddPinhole 3600", number(9)},
        {"GetPinholePackets #9", done()}},
       "granted 3600 verified",
       numbered(9),
       true},
      {"where the number is not known, by adding it",
       pinhole_aim::open,
       unheard,
       {{"GetFirewallStatus", allowed()},
        {"AddPinhole 3600", number(7)},
        {"GetPinholePackets #7", done()}},
       "granted 3600 verified",
       numbered(7),
       true},
      {"where an update fails, by adding it",
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", allowed()},
        {"UpdatePinhole #7 3600", fault(501)},
        {"AddPinhole 3600", number(7)},
        {"GetPinholePackets #7", done()}},
       "granted 3600 verified",
       numbered(7),
       true},
      {"where that fails as well, by making it anew",
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", allowed()},
        {"UpdatePinhole #7 3600", fault(501)},
        {"AddPinhole 3600", fault(501)},
        {"DeletePinhole #7", done()},
        {"AddPinhole 3600", number(8)},
        {"GetPinholePackets #8", done()}},
       "granted 3600 verified",
       numbered(8),
       true},
      {"once",
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", allowed()},
        {"UpdatePinhole #7 3600", fault(501)},
        {"AddPinhole 3600", fault(501)},
        {"DeletePinhole #7", done()},
        {"AddPinhole 3600", fault(501)}},
       refusal(errc::unusable_answer, 501),
       nothing,
       true},
      {"not where the owner forbids it; what is there stays until its end",  // Q-129
       pinhole_aim::open,
       numbered(7),
       {{"GetFirewallStatus", firewall(true, false)}},
       refusal(errc::not_authorized),
       numbered(7),
       true},
  });
}

TEST(igd_pinhole, is_closed) {
  play({
      {"under its number",
       pinhole_aim::close,
       numbered(7),
       {{"DeletePinhole #7", done()}},
       "removed",
       nothing},
      {"without a word where nothing was made",
       pinhole_aim::close,
       nothing,
       {},
       "gone already",
       nothing},
      {"and was gone",
       pinhole_aim::close,
       numbered(7),
       {{"DeletePinhole #7", fault(704)}},
       "gone already",
       nothing},
      {"after its number was asked for, by adding it for a second",
       pinhole_aim::close,
       unheard,
       {{"AddPinhole 1", number(7)}, {"DeletePinhole #7", done()}},
       "removed",
       nothing},
      {"not, where the number cannot be had",
       pinhole_aim::close,
       unheard,
       {{"AddPinhole 1", fault(606)}},
       refusal(errc::not_authorized, 606),
       unheard},
      {"by a short lease where deleting is refused",  // Q-124
       pinhole_aim::close,
       numbered(7),
       {{"DeletePinhole #7", fault(606)}, {"UpdatePinhole #7 1", done()}},
       refusal(errc::not_authorized),
       nothing},
      {"which had ended meanwhile",
       pinhole_aim::close,
       numbered(7),
       {{"DeletePinhole #7", fault(501)}, {"UpdatePinhole #7 1", fault(704)}},
       "gone already",
       nothing},
      {"not at all",
       pinhole_aim::close,
       numbered(7),
       {{"DeletePinhole #7", fault(606)}, {"UpdatePinhole #7 1", fault(606)}},
       refusal(errc::not_authorized, 606),
       numbered(7)},
  });
}

TEST(igd_pinhole, is_looked_at) {
  const auto seen = [](const any_igd_result& given, std::string ending, const held& after) {
    return dialogue{"by its packets",  pinhole_aim::look,
                    numbered(7),       {{"GetPinholePackets #7", given}},
                    std::move(ending), after};
  };
  play({
      seen(done(), "there", numbered(7)),
      seen(fault(704), "gone", nothing),
      seen(fault(402), "gone", nothing),
      seen(fault(501), "unknown", numbered(7)),
      seen(fault(606), "unknown", numbered(7)),
      seen(igd_result::unreadable{}, "unknown", numbered(7)),
      {"not without a number", pinhole_aim::look, unheard, {}, "unknown", unheard},
      {"not where that cannot be done",
       pinhole_aim::look,
       numbered(7),
       {},
       "unknown",
       numbered(7),
       false,
       false},
      {"in another way",
       pinhole_aim::look,
       numbered(7),
       {{"GetPinholePackets #7", fault(602)}, {"CheckPinholeWorking #7", fault(704)}},
       "gone",
       nothing},
      {"by the state of the firewall, where it was off",  // Q-126
       pinhole_aim::look,
       nothing,
       {{"GetFirewallStatus", firewall(false, false)}},
       "there",
       nothing},
      {"and is on now",
       pinhole_aim::look,
       nothing,
       {{"GetFirewallStatus", allowed()}},
       "gone",
       nothing},
      {"and cannot be asked now",
       pinhole_aim::look,
       nothing,
       {{"GetFirewallStatus", fault(501)}},
       "unknown",
       nothing},
  });
}

TEST(igd_pinhole, lease_is_from_a_second_to_a_day) {  // Q-122
  const auto lease_of = [](std::chrono::seconds wished) {
    return igd_pinhole(pinhole_aim::open,
                       {.internal_client = we, .internal_port = 1, .lease = wished}, {}, nothing)
        .lease();
  };
  EXPECT_EQ(lease_of(0s), 1s);
  EXPECT_EQ(lease_of(86'400s), 86'400s);
  EXPECT_EQ(lease_of(86'401s), 86'400s);
}

TEST(igd_pinhole, that_has_to_lead_elsewhere_is_refused_unasked) {
  const igd_wish wish{.internal_client = we,
                      .internal_port = 8080,
                      .external_port = 8081,
                      .lease = 1h,
                      .exact_port = true};
  const igd_pinhole ladder(pinhole_aim::open, wish, {}, nothing);
  ASSERT_TRUE(ladder.refused());
  EXPECT_EQ(ladder.refused()->reason, errc::external_not_available);
}

/// Whatever comes back, in whatever order.
TEST(igd_pinhole, ends_within_twelve_actions) {
  random_source random(std::array<std::uint64_t, 4>{5, 6, 7, 8});
  const std::vector<any_igd_result> answers{done(),     number(7),  allowed(),
                                            fault(501), fault(704), fault(602),
                                            fault(606), fault(709), igd_result::unreadable{}};
  for (int i = 0; i < 20'000; ++i) {
    const auto aim = static_cast<pinhole_aim>(random.uniform(0, 2));
    const held before = random.uniform(0, 1) == 0 ? numbered(7) : unheard;
    igd_pinhole ladder(aim,
                       {.internal_client = we,
                        .internal_port = 8080,
                        .external_port = 8080,
                        .lease = 1h,
                        .renewal = random.uniform(0, 1) == 0},
                       {}, before);
    unsigned actions = 0;
    while (!ladder.is_over()) {
      ASSERT_LT(++actions, 13U);
      any_igd_result given = answers.at(random.uniform(0, answers.size() - 1));
      if (auto* refused = std::get_if<igd_result::fault>(&given)) {
        refused->what = interpret_upnp_error(service_kind::wan_ipv6_firewall_control,
                                             action_of(ladder.next()), refused->code);
      }
      ladder.on_result(given, random);
    }
  }
}

}  // namespace
}  // namespace damson
