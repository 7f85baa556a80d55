#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "bytes.hpp"
#include "wire/natpmp.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;
using namespace test;  // for the operator that joins packets

// Requests
// ----------------------------------------------------------------------------------------

TEST(natpmp_encode, address) {
  const auto expected = bytes({
      0x00,  // version
      0x00,  // opcode: external address
  });
  EXPECT_EQ(hex(encode_natpmp_address_request()), hex(expected));
}

TEST(natpmp_encode, map_tcp) {
  const auto expected = bytes({
      0x00,                    // version
      0x02,                    // opcode: map TCP
      0x00, 0x00,              // reserved
      0x1f, 0x90,              // internal port 8080
      0x9c, 0x40,              // suggested external port 40000
      0x00, 0x00, 0x1c, 0x20,  // requested lifetime 7200 s
  });
  EXPECT_EQ(hex(encode(natpmp_map_request{.transport = transport::tcp,
                                          .internal_port = 8'080,
                                          .suggested_external_port = 40'000,
                                          .lifetime = 7'200s})),
            hex(expected));
}

TEST(natpmp_encode, map_udp_without_a_wish) {
  const auto expected = bytes({
      0x00,                    // version
      0x01,                    // opcode: map UDP
      0x00, 0x00,              // reserved
      0xff, 0xff,              // internal port 65535
      0x00, 0x00,              // suggested external port: any
      0xff, 0xff, 0xff, 0xff,  // requested lifetime, the longest
  });
  EXPECT_EQ(hex(encode(natpmp_map_request{
                .transport = transport::udp, .internal_port = 65'535, .lifetime = 4'294'967'295s})),
            hex(expected));
}

TEST(natpmp_encode, deletes_exactly_one_mapping) {
  const auto expected_tcp = bytes({
      0x00,                    // version
      0x02,                    // opcode: map TCP, as the mapping was made
      0x00, 0x00,              // reserved
      0x1f, 0x90,              // internal port 8080
      0x00, 0x00,              // suggested external port: none
      0x00, 0x00, 0x00, 0x00,  // lifetime 0: delete
  });
  natpmp_map_request request{.transport = transport::tcp,
                             .internal_port = 8'080,
                             .suggested_external_port = 40'000,
                             .lifetime = 0s};
  EXPECT_EQ(hex(encode(request)), hex(expected_tcp));
  request.transport = transport::udp;
  auto expected_udp = expected_tcp;
  expected_udp[1] = std::byte{0x01};  // opcode: map UDP
  EXPECT_EQ(hex(encode(request)), hex(expected_udp));
}

// Answers
// ----------------------------------------------------------------------------------------

std::vector<std::byte> address_answer() {
  return bytes({
      0x00,                    // version
      0x80,                    // response, opcode 0
      0x00, 0x00,              // result: success
      0x00, 0x01, 0x02, 0x03,  // epoch 66051
      0xcb, 0x00, 0x71, 0x07,  // external address 203.0.113.7
  });
}

std::vector<std::byte> map_answer() {
  return bytes({
      0x00,                    // version
      0x82,                    // response, opcode 2: TCP
      0x00, 0x00,              // result: success
      0x00, 0x01, 0x02, 0x03,  // epoch 66051
      0x1f, 0x90,              // internal port 8080
      0x9c, 0x40,              // external port 40000
      0x00, 0x00, 0x00, 0x3c,  // lifetime 60 s
  });
}

void expect_error(std::span<const std::byte> datagram, decode_error expected) {
  const auto got = decode_natpmp_response(datagram);
  ASSERT_FALSE(got) << hex(datagram);
  EXPECT_EQ(to_string(got.error()), to_string(expected)) << hex(datagram);
}

TEST(natpmp_decode, external_address_asked_for_or_announced) {
  const auto got = decode_natpmp_response(address_answer());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->opcode, natpmp_opcode::address);
  EXPECT_EQ(got->result, natpmp_result::success);
  EXPECT_EQ(got->epoch, 66'051U);
  EXPECT_EQ(got->external_address, ip_address::parse("203.0.113.7"));
  EXPECT_FALSE(got->grant);
}

TEST(natpmp_decode, mapping_granted) {
  const auto tcp = decode_natpmp_response(map_answer());
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->opcode, natpmp_opcode::map_tcp);
  EXPECT_EQ(tcp->result, natpmp_result::success);
  EXPECT_EQ(tcp->epoch, 66'051U);
  EXPECT_EQ(tcp->grant, (natpmp_grant{8'080, 40'000, 60s}));
  EXPECT_FALSE(tcp->external_address);

  auto datagram = map_answer();
  datagram[1] = std::byte{0x81};
  const auto udp = decode_natpmp_response(datagram);
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->opcode, natpmp_opcode::map_udp);
  EXPECT_EQ(udp->grant, tcp->grant);
}

TEST(natpmp_decode, mapping_deleted) {
  const auto got = decode_natpmp_response(bytes({
      0x00,                    // version
      0x82,                    // response, opcode 2: TCP
      0x00, 0x00,              // result: success
      0x00, 0x00, 0x00, 0x07,  // epoch 7
      0x1f, 0x90,              // internal port 8080
      0x00, 0x00,              // external port: none
      0x00, 0x00, 0x00, 0x00,  // lifetime: none
  }));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->grant, (natpmp_grant{8'080, 0, 0s}));
}

TEST(natpmp_decode, a_refusal_that_echoes_the_request_is_no_grant) {
  // as miniupnpd answers, with the port and the lifetime that were asked for.
  auto datagram = map_answer();
  datagram[3] = std::byte{0x02};
  const auto got = decode_natpmp_response(datagram);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->opcode, natpmp_opcode::map_tcp);
  EXPECT_EQ(got->result, natpmp_result::not_authorized);
  EXPECT_EQ(got->epoch, 66'051U);
  EXPECT_FALSE(got->grant);
  EXPECT_FALSE(got->external_address);

  auto no_uplink = address_answer();
  no_uplink[3] = std::byte{0x03};
  const auto failed = decode_natpmp_response(no_uplink);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->result, natpmp_result::network_failure);
  EXPECT_FALSE(failed->external_address);
}

TEST(natpmp_decode, a_refusal_needs_8_bytes_only) {
  // unsupported opcode, and unsupported version.
  for (const std::uint8_t result : {std::uint8_t{5}, std::uint8_t{1}}) {
    const auto got = decode_natpmp_response(bytes({
        0x00,                    // version
        0x82,                    // response, opcode 2
        0x00, result,            // result
        0x00, 0x01, 0x02, 0x03,  // epoch 66051
    }));
    ASSERT_TRUE(got);
    EXPECT_EQ(static_cast<unsigned>(got->result), result);
    EXPECT_EQ(got->epoch, 66'051U);
  }
}

TEST(natpmp_decode, every_result_and_opcode_of_a_refusal_survives) {
  for (unsigned result = 1; result < 65'536; result += 17) {
    for (const unsigned opcode : {0U, 1U, 2U, 3U, 127U}) {
      const auto got = decode_natpmp_response(bytes({
          0x00,  // version
          static_cast<std::uint8_t>(0x80U | opcode),
          static_cast<std::uint8_t>(result >> 8),                            // result
          static_cast<std::uint8_t>(result & 0xff), 0x00, 0x00, 0x00, 0x00,  // epoch
      }));
      ASSERT_TRUE(got);
      EXPECT_EQ(static_cast<unsigned>(got->result), result);
      EXPECT_EQ(static_cast<unsigned>(got->opcode), opcode);
    }
  }
}

TEST(natpmp_decode, success_at_something_that_we_never_ask_is_refused) {
  auto datagram = map_answer();
  datagram[1] = std::byte{0x83};
  expect_error(datagram, decode_error::unknown_opcode);
  datagram[1] = std::byte{0xff};
  expect_error(datagram, decode_error::unknown_opcode);
}

TEST(natpmp_decode, what_follows_is_passed_over) {
  const auto got = decode_natpmp_response(map_answer() + bytes({1, 2, 3}));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->grant, (natpmp_grant{8'080, 40'000, 60s}));
  EXPECT_TRUE(decode_natpmp_response(address_answer() + std::vector<std::byte>(1'088)));
  expect_error(address_answer() + std::vector<std::byte>(1'089), decode_error::too_long);
}

TEST(natpmp_decode, requests_and_other_versions_are_not_read) {
  auto request = map_answer();
  request[1] = std::byte{0x02};
  expect_error(request, decode_error::not_a_response);
  auto pcp = map_answer();
  pcp[0] = std::byte{0x02};
  expect_error(pcp, decode_error::wrong_version);
}

TEST(natpmp_decode, no_beginning_of_an_answer_is_an_answer) {
  for (const auto& whole : {address_answer(), map_answer()}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<std::byte> prefix(whole.begin(),
                                          whole.begin() + static_cast<std::ptrdiff_t>(size));
      expect_error(prefix, decode_error::too_short);
    }
  }
}

TEST(natpmp_decode, no_beginning_of_a_refusal_is_read_before_its_epoch_is_whole) {
  auto whole = map_answer();
  whole[3] = std::byte{0x04};
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::vector<std::byte> prefix(whole.begin(),
                                        whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(decode_natpmp_response(prefix).has_value(), size >= 8) << size;
  }
}

// Results
// ----------------------------------------------------------------------------------------

struct result_case {
  natpmp_result result;
  std::string_view name;
  errc reason;
};

// RFC 6886 section 3.5.
constexpr std::array result_cases{
    result_case{natpmp_result::unsupported_version, "UNSUPPORTED_VERSION (1)",
                errc::version_refused},
    result_case{natpmp_result::not_authorized, "NOT_AUTHORIZED (2)", errc::not_authorized},
    result_case{natpmp_result::network_failure, "NETWORK_FAILURE (3)", errc::network_failure},
    result_case{natpmp_result::out_of_resources, "OUT_OF_RESOURCES (4)", errc::no_resources},
    result_case{natpmp_result::unsupported_opcode, "UNSUPPORTED_OPCODE (5)", errc::not_supported},
    result_case{natpmp_result{6}, "result 6", errc::unusable_answer},
    result_case{natpmp_result{65'535}, "result 65535", errc::unusable_answer},
};

TEST(natpmp_result, has_a_name_and_a_reason) {
  EXPECT_EQ(to_string(natpmp_result::success), "SUCCESS (0)");
  for (const result_case& c : result_cases) {
    EXPECT_EQ(to_string(c.result), c.name);
    EXPECT_EQ(to_errc(c.result), c.reason) << c.name;
  }
}

}  // namespace
}  // namespace damson
