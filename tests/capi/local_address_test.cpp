// The address of this host, before the library is started and after.

#include <gtest/gtest.h>

#include <array>

#include "capi_test.hpp"

namespace {

class capi_local_address : public capi_network {};

TEST_F(capi_local_address, is_the_one_that_the_router_sees) {
  const lan net;
  std::array<char, PLUM_MAX_ADDRESS_LEN> buffer{};
  EXPECT_EQ(plum_get_local_address(buffer.data(), buffer.size()), 13);
  EXPECT_STREQ(buffer.data(), "192.168.77.10");
  start();
  buffer = {};
  EXPECT_EQ(plum_get_local_address(buffer.data(), buffer.size()), 13);
  EXPECT_STREQ(buffer.data(), "192.168.77.10");
}

TEST_F(capi_local_address, is_an_error_where_there_is_none) {
  const lan net{{.default_route = false}};
  std::array<char, PLUM_MAX_ADDRESS_LEN> buffer{};
  EXPECT_EQ(plum_get_local_address(buffer.data(), buffer.size()), PLUM_ERR_NOT_AVAIL);
}

TEST_F(capi_local_address, is_given_whole_or_not_at_all) {
  const lan net;
  std::array<char, 14> buffer{'x'};
  EXPECT_EQ(plum_get_local_address(buffer.data(), 13), PLUM_ERR_FAILED);
  EXPECT_EQ(plum_get_local_address(buffer.data(), 0), PLUM_ERR_FAILED);
  EXPECT_EQ(buffer.front(), 'x');
  EXPECT_EQ(plum_get_local_address(buffer.data(), 14), 13);
  EXPECT_STREQ(buffer.data(), "192.168.77.10");
  EXPECT_EQ(plum_get_local_address(nullptr, 14), PLUM_ERR_INVALID);
}

}  // namespace
