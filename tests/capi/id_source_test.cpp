#include "capi/id_source.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace damson::capi {
namespace {

TEST(capi_id_source, ascends_from_one) {
  id_source ids;
  EXPECT_EQ(ids.next(), 1);
  EXPECT_EQ(ids.next(), 2);
}

TEST(capi_id_source, has_nothing_more_when_all_are_used_up) {
  id_source ids{std::numeric_limits<int>::max() - 1};
  EXPECT_EQ(ids.next(), std::numeric_limits<int>::max());
  EXPECT_EQ(ids.next(), std::nullopt);
  EXPECT_EQ(ids.next(), std::nullopt);
}

TEST(capi_id_source, gives_no_id_twice_to_several_threads) {
  id_source ids;
  std::mutex mutex;
  std::set<int> seen;
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1'000; ++n) {
        const int id = ids.next().value();
        const std::lock_guard lock{mutex};
        EXPECT_TRUE(seen.insert(id).second) << id;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(*seen.rbegin(), 4'000);
}

}  // namespace
}  // namespace damson::capi
