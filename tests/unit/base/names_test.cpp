#include <string_view>

#include <gtest/gtest.h>

#include <damson/engine.hpp>
#include <damson/options.hpp>
#include <damson/types.hpp>
#include <damson/version.hpp>

namespace damson {
namespace {

TEST(names, of_what_programs_print) {
  EXPECT_EQ(to_string(transport::tcp), "tcp");
  EXPECT_EQ(to_string(transport::udp), "udp");
  EXPECT_EQ(to_string(protocol::pcp), "pcp");
  EXPECT_EQ(to_string(protocol::nat_pmp), "nat-pmp");
  EXPECT_EQ(to_string(protocol::upnp), "upnp");
  EXPECT_EQ(to_string(protocol::direct), "direct");
  EXPECT_EQ(to_string(address_class::unknown), "unknown");
  EXPECT_EQ(to_string(address_class::public_address), "public");
  EXPECT_EQ(to_string(address_class::private_address), "private");
  EXPECT_EQ(to_string(address_class::carrier_nat), "cgnat");
  EXPECT_EQ(to_string(address_class::reserved), "reserved");
}

TEST(names, of_events) {
  EXPECT_EQ(to_string(event_kind::mapped), "mapped");
  EXPECT_EQ(to_string(event_kind::changed), "changed");
  EXPECT_EQ(to_string(event_kind::lost), "lost");
  EXPECT_EQ(to_string(event_kind::failed), "failed");
  EXPECT_EQ(to_string(event_kind::removed), "removed");
  EXPECT_EQ(to_string(removal::deleted), "deleted");
  EXPECT_EQ(to_string(removal::already_gone), "already gone");
  EXPECT_EQ(to_string(removal::left_to_expire), "left to expire");
}

TEST(names, of_log_levels) {
  EXPECT_EQ(to_string(log_level::trace), "trace");
  EXPECT_EQ(to_string(log_level::debug), "debug");
  EXPECT_EQ(to_string(log_level::info), "info");
  EXPECT_EQ(to_string(log_level::warning), "warning");
  EXPECT_EQ(to_string(log_level::error), "error");
  EXPECT_EQ(to_string(log_level::none), "none");
}

TEST(version, headers_and_library_agree) {
  EXPECT_EQ(std::string_view{library_version()}, DAMSON_VERSION_STRING);
}

}  // namespace
}  // namespace damson
