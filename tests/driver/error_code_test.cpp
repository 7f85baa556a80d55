// damson's codes as Boost's error_code, which is what programs on Asio see.

#include <gtest/gtest.h>

#include <string>
#include <system_error>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <damson/error.hpp>
#include <damson/mapping.hpp>

namespace damson {
namespace {

TEST(error_code, is_made_of_an_errc) {
  const error_code error = make_error_code(errc::not_authorized);
  EXPECT_TRUE(error.failed());
  EXPECT_TRUE(error == errc::not_authorized);
  EXPECT_FALSE(error == errc::no_gateway);
  EXPECT_TRUE(error != errc::no_gateway);
  EXPECT_EQ(error.message(), make_error_code(errc::not_authorized).message());
}

TEST(error_code, takes_an_errc_as_its_own) {
  static_assert(boost::system::is_error_code_enum<errc>::value);
  static_assert(std::is_error_code_enum_v<errc>);
  error_code error;
  error = errc::busy;
  EXPECT_TRUE(errc::busy == error);
  EXPECT_TRUE(error == error_code{errc::busy});
  EXPECT_FALSE(error == error_code{errc::closed});
}

TEST(error_code, compares_with_the_next_step) {
  const error_code error = make_error_code(errc::not_authorized);
  EXPECT_TRUE(error == next_step::tell_owner);
  EXPECT_FALSE(error == next_step::retry);
  EXPECT_TRUE(error != next_step::retry);
}

TEST(error_code, of_other_libraries_is_none_of_ours) {
  const error_code aborted = boost::asio::error::operation_aborted;
  EXPECT_FALSE(aborted == errc::closed);
  EXPECT_FALSE(aborted == next_step::retry);
  EXPECT_FALSE(error_code{} == errc::closed);
}

TEST(error_code, survives_being_thrown) {
  try {
    throw boost::system::system_error{make_error_code(errc::port_closed)};
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::port_closed);
    EXPECT_NE(std::string{error.what()}.find(describe(errc::port_closed)), std::string::npos)
        << error.what();
  }
}

TEST(error_code, goes_back_to_the_standard_one) {
  const error_code error = make_error_code(errc::port_closed);
  const std::error_code standard = error;
  EXPECT_TRUE(standard == errc::port_closed);
  EXPECT_EQ(standard.value(), static_cast<int>(errc::port_closed));
  EXPECT_TRUE(standard == next_step_of(errc::port_closed));
}

}  // namespace
}  // namespace damson
