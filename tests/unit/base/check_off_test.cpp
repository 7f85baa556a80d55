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
  const auto is_kept = [&evaluated] { return ++evaluated == 99; };
  DAMSON_ASSERT(is_kept());
  EXPECT_EQ(evaluated, 0);
  EXPECT_FALSE(is_kept());
}

}  // namespace
}  // namespace damson
