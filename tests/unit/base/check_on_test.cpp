// As in debug and simulation builds.
#ifndef DAMSON_CHECKS
#define DAMSON_CHECKS
#endif

#include <gtest/gtest.h>

#include "base/check.hpp"

namespace damson {
namespace {

TEST(check_death_test, a_broken_contract_aborts_and_says_where) {
  EXPECT_DEATH(DAMSON_ASSERT(1 + 1 == 3), "check_on_test\\.cpp:[0-9]+: 1 \\+ 1 == 3");
}

TEST(check, a_kept_contract_changes_nothing) {
  int evaluated = 0;
  DAMSON_ASSERT(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace damson
