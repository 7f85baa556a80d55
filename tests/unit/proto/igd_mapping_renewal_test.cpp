#include "proto/igd_mapping.hpp"

#include <gtest/gtest.h>

#include "proto/igd_dialogue.hpp"

namespace damson::test {
namespace {

using namespace std::chrono_literals;

TEST(igd_renewal, q_180_renews_on_the_same_port) {
  play({
      {.name = "Q-180: with AddPortMapping, on version 2 too, and without a look",
       .device = {any, query},
       .script = {{"add 8080 3600", done()}, {"query 8080", ours(3600s)}},
       .ending = "8080 3600 verified",
       .renewal = true},
      {.name = "Q-180: on version 1",
       .device = {query},
       .script = {{"add 8080 3600", done()}, {"query 8080", ours(3600s)}},
       .ending = "8080 3600 verified",
       .renewal = true},
      {.name = "Q-180: another lease, the same port",
       .device = {any, query},
       .script = {{"add 8080 3600", fault(725)}, {"add 8080 0", done()}, {"query 8080", ours(0s)}},
       .ending = "8080 0 verified",
       .learnt = traits{any, query, permanent},
       .renewal = true},
      {.name = "Q-180: repeated after 501, and not made permanent",
       .device = {any, query},
       .script = {{"add 8080 3600", fault(501)}, {"add 8080 3600", done()}, {"query 8080", ours()}},
       .ending = "8080 3600 verified",
       .renewal = true},
      {.name = "Q-180, Q-181: another port at last, and then the old one is given back",
       .device = {any, query},
       .script = {{"add 8080 3600", fault(501)},
                  {"add 8080 3600", fault(501)},
                  {"add_any r1 3600", reserved(5001)},
                  {"query 5001", ours()},
                  {"query 8080", ours()},
                  {"remove 8080", done()}},
       .ending = "5001 3600 verified",
       .renewal = true},
      {.name = "Q-180: none works, so what is left of the old one stays",
       .device = {any},
       .script = {{"add 8080 3600", fault(501)},
                  {"add 8080 3600", fault(501)},
                  {"add_any r1 3600", fault(501)}},
       .ending = refused(errc::unusable_answer, 501),
       .holds = "8080",
       .renewal = true},
      {.name = "Q-168: taken by another host since; nothing is left to delete",
       .device = {any, query},
       .script = {{"add 8080 3600", fault(718)},
                  {"query 8080", theirs()},
                  {"add_any r1 3600", reserved(5001)},
                  {"query 5001", ours()}},
       .ending = "5001 3600 verified",
       .renewal = true},
      {.name = "Q-168: the holder itself is refused, but holds it",
       .device = {any, query},
       .script = {{"add 8080 3600", fault(718)}, {"query 8080", ours(1800s)}},
       .ending = "8080 1800 verified",
       .renewal = true},
  });
}

TEST(igd_renewal, q_181_one_external_port_at_most) {
  play({
      {.name = "Q-143: another host has the old one by now",
       .device = {any, query},
       .script = {{"add 8080 3600", fault(729)},
                  {"add_any r1 3600", reserved(5001)},
                  {"query 5001", ours()},
                  {"query 8080", theirs()}},
       .ending = "5001 3600 verified",
       .renewal = true},
      {.name = "Q-181: the old one is gone by itself",
       .device = {any, query},
       .script = {{"add 8080 3600", fault(729)},
                  {"add_any r1 3600", reserved(5001)},
                  {"query 5001", ours()},
                  {"query 8080", fault(501)},
                  {"remove 8080", fault(714)}},
       .ending = "5001 3600 verified",
       .renewal = true},
      {.name = "Q-181: nobody can be asked, but it was ours",
       .device = {},
       .script = {{"add 8080 3600", fault(729)}, {"add r1 3600", done()}, {"remove 8080", done()}},
       .ending = "r1 3600 unverified",
       .renewal = true},
      {.name = "Q-181: the old one stays, and that is told",
       .device = {},
       .script = {{"add 8080 3600", fault(729)},
                  {"add r1 3600", done()},
                  {"remove 8080", fault(606)}},
       .ending = "r1 3600 unverified",
       .holds = "r1 and 8080",
       .renewal = true},
      {.name = "Q-181: the gateway comes back to the old one",
       .device = {any},
       .script = {{"add 8080 3600", fault(729)}, {"add_any r1 3600", reserved(8080)}},
       .ending = "8080 3600 unverified",
       .renewal = true},
      {.name = "Q-181: somebody else's entry is there after the add, so nothing of ours is",
       .device = {query},
       .script = {{"query 8080", fault(714)},
                  {"add 8080 3600", done()},
                  {"query 8080", theirs()},
                  {"query r1", fault(714)},
                  {"add r1 3600", fault(728)}},
       .ending = refused(errc::no_resources, 728)},
      {.name = "Q-181: what an add may have made goes before another port is tried",
       .device = {query},
       .script = {{"query 8080", fault(714)},
                  {"add 8080 3600", done()},
                  {"query 8080", fault(714)},
                  {"add 8080 0", fault(718)},
                  {"query 8080", fault(714)},
                  {"remove 8080", fault(714)},
                  {"query r1", fault(714)},
                  {"add r1 0", done()},
                  {"query r1", ours()}},
       .ending = "r1 0 verified",
       .learnt = traits{query, permanent}},
      {.name = "Q-181: and if it does not go, no other port is tried",
       .device = {query},
       .script = {{"query 8080", fault(714)},
                  {"add 8080 3600", done()},
                  {"query 8080", fault(714)},
                  {"add 8080 0", fault(718)},
                  {"query 8080", fault(714)},
                  {"remove 8080", fault(606)}},
       .ending = refused(errc::no_resources, 718),
       .holds = "8080"},
      {.name = "Q-169: back to the old one, because it is the only one allowed",
       .device = {any},
       .script = {{"add 80 3600", fault(729)},
                  {"add_any r1 3600", fault(724)},
                  {"add 80 3600", done()}},
       .ending = "80 3600 unverified",
       .external_port = 80,
       .renewal = true},
      {.name = "Q-181: a second port from before is given back, too",
       .device = {query},
       .script = {{"add 8080 3600", done()},
                  {"query 8080", ours()},
                  {"query 5001", ours()},
                  {"remove 5001", done()}},
       .ending = "8080 3600 verified",
       .renewal = true,
       .also_held = 5001},
      {.name = "Q-181: and there is never a third",
       .device = {},
       .script = {{"add 8080 3600", fault(729)},
                  {"remove 8080", done()},
                  {"add r1 3600", done()},
                  {"remove 5001", done()}},
       .ending = "r1 3600 unverified",
       .renewal = true,
       .also_held = 5001},
  });
}

TEST(igd_renewal, q_193_a_refresh_that_does_not_extend) {
  play({
      {.name = "Q-193: below a quarter: deleted and added",
       .device = {any, query},
       .script = {{"add 8080 3600", done()},
                  {"query 8080", ours(899s)},
                  {"remove 8080", done()},
                  {"add 8080 3600", done()},
                  {"query 8080", ours(3600s)}},
       .ending = "8080 3600 verified",
       .renewal = true,
       .held_lease = 1800s},
      {.name = "Q-193: a quarter will do",
       .device = {any, query},
       .script = {{"add 8080 3600", done()}, {"query 8080", ours(900s)}},
       .ending = "8080 900 verified",
       .renewal = true},
      {.name = "Q-193: once only, then what is there is taken",
       .device = {query},
       .script = {{"add 8080 3600", done()},
                  {"query 8080", ours(899s)},
                  {"remove 8080", done()},
                  {"add 8080 3600", done()},
                  {"query 8080", ours(600s)}},
       .ending = "8080 600 verified",
       .renewal = true},
      {.name = "Q-193: what cannot be deleted is taken as it is",
       .device = {query},
       .script = {{"add 8080 3600", done()},
                  {"query 8080", ours(10s)},
                  {"remove 8080", fault(606)}},
       .ending = "8080 10 verified",
       .renewal = true},
      {.name = "Q-191: shortened as it was before, so it was extended",
       .device = {query},
       .script = {{"add 8080 3600", done()}, {"query 8080", ours(600s)}},
       .ending = "8080 600 verified",
       .renewal = true,
       .held_lease = 600s},
      {.name = "Q-191: also if a little has passed meanwhile",
       .device = {query},
       .script = {{"add 8080 3600", done()}, {"query 8080", ours(590s)}},
       .ending = "8080 590 verified",
       .renewal = true,
       .held_lease = 600s},
      {.name = "Q-191: another port's lease was made just now",
       .device = {any, query},
       .script = {{"add 8080 3600", fault(729)},
                  {"add_any r1 3600", reserved(5001)},
                  {"query 5001", ours(600s)},
                  {"query 8080", theirs()}},
       .ending = "5001 600 verified",
       .renewal = true},
      {.name = "Q-193: the holder is refused, and its lease ends",
       .device = {query},
       .script = {{"add 8080 3600", fault(718)},
                  {"query 8080", ours(60s)},
                  {"remove 8080", done()},
                  {"add 8080 3600", done()},
                  {"query 8080", ours(3600s)}},
       .ending = "8080 3600 verified",
       .renewal = true},
      {.name = "Q-193: deleted, and then refused: nothing is left",
       .device = {query},
       .script = {{"add 8080 3600", done()},
                  {"query 8080", ours(60s)},
                  {"remove 8080", done()},
                  {"add 8080 3600", fault(728)}},
       .ending = refused(errc::no_resources, 728),
       .renewal = true},
  });
}

TEST(igd_renewal, ends_after_24_actions_with_what_it_has) {
  play({{.name = "the new port works, the old one is still to be given back",
         .device = {any, query},
         .script = {{"add 8080 3600", fault(501)},
                    {"add 8080 3600", fault(402)},
                    {"add 8080 0", fault(402)},
                    {"add 8080 604800", fault(729)},
                    {"add_any r1 604800", fault(401)},
                    {"query r1", fault(714)},
                    {"add r1 604800", done()},
                    {"query r1", ours_stale()},
                    {"remove r1", done()},
                    {"add r1 604800", done()},
                    {"query r1", ours_stale()},
                    {"remove r1", done()},
                    {"query r2", fault(714)},
                    {"add r2 604800", done()},
                    {"query r2", ours_stale()},
                    {"remove r2", done()},
                    {"query r3", fault(714)},
                    {"add r3 604800", done()},
                    {"query r3", ours_stale()},
                    {"remove r3", done()},
                    {"query r4", fault(714)},
                    {"add r4 604800", done()},
                    {"query r4", ours()},
                    {"query 8080", ours()}},
         .ending = "r4 604800 verified",
         .holds = "r4 and 8080",
         .learnt = traits{query},
         .renewal = true}});
}

TEST(igd_renewal, q_181_both_ports_are_told_while_a_renewal_moves) {
  random_source random(seed);
  igd_mapping ladder({.internal_client = we,
                      .internal_port = 80,
                      .external_port = 8080,
                      .lease = 3600s,
                      .renewal = true},
                     {.has_add_any = true, .has_query = true, .only_permanent = false});
  EXPECT_EQ(ladder.may_hold(), 8080);
  EXPECT_EQ(ladder.may_also_hold(), 0);
  ladder.on_result(igd_result::fault{upnp_refusal::conflict_with_other_mechanism, 729}, random);
  const auto* const moved = std::get_if<igd_action::add_any>(&ladder.next());
  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(ladder.may_hold(), moved->external_port);
  EXPECT_EQ(ladder.may_also_hold(), 8080);
  ladder.on_result(igd_result::done{5001}, random);
  EXPECT_EQ(ladder.may_hold(), 5001);
  EXPECT_EQ(ladder.may_also_hold(), 8080);
}

TEST(igd_renewal, q_180_the_old_port_drawn_by_chance_is_still_the_old_one) {
  random_source foreseen(seed);
  foreseen.uniform(10'000, 65'535);
  const auto second = static_cast<std::uint16_t>(foreseen.uniform(10'000, 65'535));
  random_source random(seed);
  igd_mapping ladder({.internal_client = we,
                      .internal_port = 80,
                      .external_port = second,
                      .lease = 3600s,
                      .renewal = true},
                     {.has_add_any = true, .has_query = false, .only_permanent = false});
  const any_igd_result refusal =
      igd_result::fault{upnp_refusal::conflict_with_other_mechanism, 729};
  ladder.on_result(refusal, random);
  EXPECT_EQ(ladder.may_also_hold(), second);
  ladder.on_result(refusal, random);
  const auto* const back = std::get_if<igd_action::add>(&ladder.next());
  ASSERT_NE(back, nullptr) << "AddAnyPortMapping might make a third one";
  EXPECT_EQ(back->external_port, second);
  EXPECT_EQ(ladder.may_hold(), second);
  EXPECT_EQ(ladder.may_also_hold(), 0);
}

}  // namespace
}  // namespace damson::test
