// Several threads and callbacks at once, with starts and stops in between.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "capi_test.hpp"

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

/// What one mapping went through; freed when DESTROYED has come, as programs do.
struct record {
  std::atomic<int> id{0};
};

class commotion {
 public:
  /// Creates, and notes what came of it.
  void create(unsigned seed);
  /// What one of the threads does until it is told to stop.
  void run(unsigned seed);
  void stop() { stopping_ = true; }

  std::size_t created() const { return created_; }
  std::size_t destroyed() const { return destroyed_; }
  std::size_t succeeded() const { return succeeded_; }
  int highest_id() const { return highest_id_; }
  /// Since the library is stopped nobody may call back.
  void expect_silence() { silent_ = true; }
  void expect_calls() { silent_ = false; }

 private:
  static void callback(int id, plum_state_t state, const plum_mapping_t* mapping);
  void told(int id, plum_state_t state, record* what);

  static std::atomic<commotion*> current;

  std::atomic<bool> stopping_{false};
  std::atomic<bool> silent_{true};
  std::atomic<std::size_t> created_{0};
  std::atomic<std::size_t> destroyed_{0};
  std::atomic<std::size_t> succeeded_{0};
  std::atomic<int> highest_id_{0};

 public:
  commotion() { current = this; }
  ~commotion() { current = nullptr; }
  commotion(const commotion&) = delete;
  commotion& operator=(const commotion&) = delete;
};

std::atomic<commotion*> commotion::current{nullptr};

void commotion::callback(int id, plum_state_t state, const plum_mapping_t* mapping) {
  current.load()->told(id, state, static_cast<record*>(mapping->user_ptr));
}

void commotion::told(int id, plum_state_t state, record* what) {
  EXPECT_FALSE(silent_);
  // May come before plum_create_mapping has returned; but always the same.
  int before = 0;
  const bool first = what->id.compare_exchange_strong(before, id);
  EXPECT_TRUE(first || before == id) << before << ' ' << id;
  if (state == PLUM_STATE_DESTROYED) {
    EXPECT_EQ(plum_query_mapping(id, nullptr, nullptr), PLUM_ERR_NOT_AVAIL);
    ++destroyed_;
    const std::unique_ptr<record> end{what};
    return;
  }
  if (state == PLUM_STATE_SUCCESS) ++succeeded_;
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_FAILED);
  if (id % 3 == 0) plum_destroy_mapping(id);
  if (id % 7 == 0) create(static_cast<unsigned>(id));
}

void commotion::create(unsigned seed) {
  auto fresh = std::make_unique<record>();
  plum_mapping_t wanted{};
  wanted.protocol = seed % 2 == 0 ? PLUM_IP_PROTOCOL_TCP : PLUM_IP_PROTOCOL_UDP;
  wanted.internal_port = static_cast<std::uint16_t>(8080 + seed % 4);
  wanted.user_ptr = fresh.get();
  const int id = plum_create_mapping(&wanted, callback);
  if (id < 0) {
    EXPECT_EQ(id, PLUM_ERR_FAILED);
    EXPECT_EQ(fresh->id, 0);
    return;
  }
  // From here on it belongs to the callback, and may be gone.
  fresh.release();  // NOLINT(bugprone-unused-return-value)
  ++created_;
  int highest = highest_id_;
  while (highest < id && !highest_id_.compare_exchange_weak(highest, id)) {
  }
}

void commotion::run(unsigned seed) {
  std::minstd_rand random{seed};
  while (!stopping_) {
    const auto number = static_cast<unsigned>(random());
    const int some_id = static_cast<int>(number) % (highest_id_ + 1);
    plum_state_t state{};
    plum_mapping_t mapping{};
    switch (number % 4) {
      case 0:
        create(number / 4);
        break;
      case 1:
        plum_destroy_mapping(highest_id_ - static_cast<int>(number % 8));
        break;
      case 2:
        plum_destroy_mapping(some_id);
        break;
      default:
        plum_query_mapping(highest_id_ - static_cast<int>(number % 8), &state, &mapping);
        break;
    }
    // Some of them shall live long enough to be opened.
    std::this_thread::sleep_for(std::chrono::microseconds{number % 1'000});
  }
}

class capi_stress : public capi_network {};

TEST_F(capi_stress, loses_no_destroyed) {
  lan net;
  commotion all;
  std::vector<std::jthread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back([&, seed] { all.run(seed); });
  for (int cycle = 0; cycle < 10; ++cycle) {
    all.expect_calls();
    start();
    std::this_thread::sleep_for(150ms);
    const auto begin = steady_clock::now();
    ASSERT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
    all.expect_silence();
    EXPECT_LT(steady_clock::now() - begin, 3s);
  }
  all.stop();
  threads.clear();
  EXPECT_GT(all.succeeded(), 10U);
  EXPECT_GT(all.created(), 100U);
  EXPECT_EQ(all.created(), all.destroyed());
  EXPECT_TRUE(net.rules().empty());
}

}  // namespace
