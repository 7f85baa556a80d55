// Which lines of the log are shown, and where.

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "any_number.h"
#include "capi_test.hpp"

namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::Field;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::Not;

struct line {
  plum_log_level_t level;
  std::string text;
};

std::mutex lines_mutex;
std::vector<line> lines;
std::atomic<int> stop_result{1};

void note(plum_log_level_t level, const char* message) {
  const std::lock_guard lock{lines_mutex};
  lines.push_back({level, message});
}

void try_to_stop(plum_log_level_t, const char*) { stop_result = plum_cleanup(); }

void silence(plum_log_level_t, const char*) { plum_set_log_level(PLUM_LOG_LEVEL_NONE); }

std::vector<line> lines_so_far() {
  const std::lock_guard lock{lines_mutex};
  return lines;
}

class capi_log : public capi_network {
 protected:
  void SetUp() override {
    capi_network::SetUp();
    lines.clear();
  }

  /// Has something to write about: a mapping made, and all given back.
  static void map_and_stop() {
    plum_listener listener;
    ASSERT_GT(listener.create(8080), 0);
    EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
    plum_cleanup();
  }
};

TEST_F(capi_log, of_a_zeroed_configuration_is_verbose) {
  const lan net;
  plum_config_t config{};
  config.log_callback = note;
  start(config);
  map_and_stop();
  // There is nothing yet that is said at VERBOSE only.
  EXPECT_THAT(lines_so_far(), Contains(Field(&line::level, PLUM_LOG_LEVEL_DEBUG)));
  EXPECT_THAT(lines_so_far(),
              Each(Field(&line::text, AllOf(Not(IsEmpty()), Not(HasSubstr("\n"))))));
}

TEST_F(capi_log, has_no_line_below_its_level) {
  const lan net{{.default_route = false}};
  plum_config_t config{};
  config.log_callback = note;
  config.log_level = PLUM_LOG_LEVEL_INFO;
  start(config);
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_FAILURE);
  EXPECT_THAT(lines_so_far(), Not(IsEmpty()));
  EXPECT_THAT(lines_so_far(), Each(Field(&line::level, Ge(PLUM_LOG_LEVEL_INFO))));
}

TEST_F(capi_log, of_level_fatal_is_silent) {
  const lan net{{.default_route = false}};
  plum_config_t config{};
  config.log_callback = note;
  config.log_level = PLUM_LOG_LEVEL_FATAL;
  start(config);
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_FAILURE);
  plum_cleanup();
  EXPECT_THAT(lines_so_far(), IsEmpty());
}

TEST_F(capi_log, names_the_external_address_at_debug_and_below_only) {
  const lan net;
  plum_config_t config{};
  config.log_callback = note;
  start(config);
  map_and_stop();
  const auto with_address = Field(&line::text, HasSubstr(public_address));
  EXPECT_THAT(lines_so_far(), Contains(with_address));
  EXPECT_THAT(lines_so_far(),
              Each(AnyOf(Field(&line::level, Le(PLUM_LOG_LEVEL_DEBUG)), Not(with_address))));
}

TEST_F(capi_log, may_change_its_level_at_any_time) {
  const lan net;
  plum_set_log_level(PLUM_LOG_LEVEL_VERBOSE);  // before the start, which sets it anew
  plum_config_t config{};
  config.log_callback = note;
  config.log_level = PLUM_LOG_LEVEL_NONE;
  start(config);
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  EXPECT_THAT(lines_so_far(), IsEmpty());
  plum_set_log_level(PLUM_LOG_LEVEL_VERBOSE);
  set_log_level_to(7);  // no level, so nothing changes
  ASSERT_GT(listener.create(8081), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  EXPECT_THAT(lines_so_far(), Not(IsEmpty()));
}

TEST_F(capi_log, may_be_silenced_by_its_callback) {
  const lan net;
  plum_config_t config{};
  config.log_callback = silence;
  start(config);
  map_and_stop();
}

TEST_F(capi_log, goes_to_standard_output_without_a_callback) {
  const lan net;
  testing::internal::CaptureStdout();
  plum_config_t config{};
  config.log_level = PLUM_LOG_LEVEL_DEBUG;
  start(config);
  map_and_stop();
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("damson debug: "));
}

TEST_F(capi_log, callback_cannot_stop_the_library) {
  const lan net;
  plum_config_t config{};
  config.log_callback = try_to_stop;
  start(config);
  plum_listener listener;
  ASSERT_GT(listener.create(8080), 0);
  EXPECT_EQ(listener.next().state, PLUM_STATE_SUCCESS);
  EXPECT_EQ(stop_result, PLUM_ERR_FAILED);
  EXPECT_EQ(plum_cleanup(), PLUM_ERR_SUCCESS);
}

}  // namespace
