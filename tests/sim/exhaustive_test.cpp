// Every order of a few events; damson-sim --exhaustive 6 goes further.

#include <gtest/gtest.h>

#include "sim/exhaustive.hpp"

namespace damson::sim {
namespace {

TEST(exhaustive, orders_of_three_events_hold) {
  const exhaustive_outcome all = live_all(3);
  EXPECT_EQ(all.lives, 3U * (1 + 8 + 64 + 512));
  EXPECT_FALSE(all.first) << *all.first;
}

}  // namespace
}  // namespace damson::sim
