// As in release builds.
#ifndef NDEBUG
#define NDEBUG
#endif
#undef DAMSON_CHECKS

#include <gtest/gtest.h>

#include "base/check.hpp"

namespace damson {
namespace {

TEST(check, release_builds_do_not_evaluate_contracts) {
  int evaluated = 0;
  DAMSON_ASSERT(++evaluated == 99);
  EXPECT_EQ(evaluated, 0);
}

}  // namespace
}  // namespace damson
