#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <damson/types.hpp>

#include "base/log.hpp"

namespace damson {
namespace {

using namespace std::string_view_literals;

TEST(printable, leaves_plain_text_alone) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("pcp: 192.168.1.1 says ~NOT_AUTHORIZED~ (2)"),
            "pcp: 192.168.1.1 says ~NOT_AUTHORIZED~ (2)");
}

TEST(printable, shows_what_cannot_be_seen) {
  EXPECT_EQ(printable("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(printable("\x1b[2J\0\x7f"sv), "\\x1b[2J\\x00\\x7f");
  EXPECT_EQ(printable("\xc3\xa9\xff"), "\\xc3\\xa9\\xff");
  EXPECT_EQ(printable("C:\\n"), "C:\\\\n");
}

TEST(printable, is_at_most_500_bytes_long) {
  EXPECT_EQ(printable(std::string(500, 'x')), std::string(500, 'x'));
  EXPECT_EQ(printable(std::string(501, 'x')), std::string(497, 'x') + "...");
  EXPECT_EQ(printable(std::string(100'000, 'x')).size(), 500U);
}

TEST(printable, never_cuts_an_escape_in_two) {
  // 4 bytes each: 124 of them and the mark make 499.
  std::string expected;
  for (int i = 0; i < 124; ++i) expected += "\\x01";
  EXPECT_EQ(printable(std::string(1'000, '\x01')), expected + "...");
  std::string fits;
  for (int i = 0; i < 125; ++i) fits += "\\x01";
  EXPECT_EQ(printable(std::string(125, '\x01')), fits);
}

/// Keeps the lines that it is given.
struct recorder {
  std::vector<std::pair<log_level, std::string>> lines;

  log_sink sink() {
    return [this](log_level level, std::string_view text) { lines.emplace_back(level, text); };
  }
};

/// Counts how often it is written.
struct costly {
  int* written;

  friend std::ostream& operator<<(std::ostream& out, const costly& value) {
    ++*value.written;
    return out << "costly";
  }
};

TEST(logger, joins_the_parts_of_a_line) {
  recorder seen;
  const logger log{log_level::debug, seen.sink()};
  log.log(log_level::info, "granted ", endpoint{ip_address::parse("192.0.2.1").value(), 80},
          " for ", 7'200, " s\n");
  ASSERT_EQ(seen.lines.size(), 1U);
  EXPECT_EQ(seen.lines[0].first, log_level::info);
  EXPECT_EQ(seen.lines[0].second, "granted 192.0.2.1:80 for 7200 s\\n");
}

TEST(logger, makes_no_line_that_nobody_will_see) {
  recorder seen;
  int written = 0;
  const logger log{log_level::warning, seen.sink()};
  log.log(log_level::info, costly{&written});
  EXPECT_EQ(written, 0);
  EXPECT_TRUE(seen.lines.empty());
  log.log(log_level::warning, costly{&written});
  EXPECT_EQ(written, 1);
  EXPECT_EQ(seen.lines.size(), 1U);
}

TEST(logger, is_silent_without_a_sink_and_at_level_none) {
  int written = 0;
  logger{}.log(log_level::error, costly{&written});
  logger{log_level::trace, {}}.log(log_level::error, costly{&written});
  recorder seen;
  const logger none{log_level::none, seen.sink()};
  none.log(log_level::error, costly{&written});
  none.write(log_level::error, "text");
  const logger trace{log_level::trace, seen.sink()};
  EXPECT_FALSE(trace.enabled(log_level::none));
  EXPECT_EQ(written, 0);
  EXPECT_TRUE(seen.lines.empty());
}

}  // namespace
}  // namespace damson
