#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "bytes.hpp"
#include "wire/pcp.hpp"

namespace damson {
namespace {

using namespace std::chrono_literals;
using namespace test;  // for the operator that joins packets

ip_address address(std::string_view text) { return ip_address::parse(text).value(); }

/// A response header: lifetime 120 s, epoch 66051.
std::vector<std::byte> header(std::uint8_t opcode, std::uint8_t result) {
  return bytes({
      0x02,                      // version
      opcode,                    // response bit and opcode
      0xee,                      // reserved: to be ignored
      result,                    // result code
      0x00,   0x00, 0x00, 0x78,  // lifetime 120 s
      0x00,   0x01, 0x02, 0x03,  // epoch 66051
      0xee,   0xee, 0xee, 0xee,  // reserved: to be ignored
      0xee,   0xee, 0xee, 0xee,  //
      0xee,   0xee, 0xee, 0xee,  //
  });
}

std::vector<std::byte> map_payload() {
  return bytes({
      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,              // nonce
      0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,              //
      0x06,                                            // protocol TCP
      0xee, 0xee, 0xee,                                // reserved: to be ignored
      0x1f, 0x90,                                      // internal port 8080
      0x9c, 0x40,                                      // assigned external port 40000
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // assigned external address
      0x00, 0x00, 0xff, 0xff, 0xcb, 0x00, 0x71, 0x07,  //   ::ffff:203.0.113.7
  });
}

pcp_map_answer map_answer() {
  pcp_map_answer answer;
  for (std::size_t i = 0; i < answer.nonce.bytes.size(); ++i) {
    answer.nonce.bytes[i] = static_cast<std::byte>(0xa0 + i);
  }
  answer.protocol_number = 6;
  answer.internal_port = 8'080;
  answer.external = {address("203.0.113.7"), 40'000};
  return answer;
}

constexpr std::uint8_t announce_response = 0x80;
constexpr std::uint8_t map_response = 0x81;
constexpr std::uint8_t success = 0;

void expect_error(std::span<const std::byte> datagram, decode_error expected) {
  const auto got = decode_pcp_response(datagram);
  ASSERT_FALSE(got) << hex(datagram);
  EXPECT_EQ(to_string(got.error()), to_string(expected)) << hex(datagram);
}

TEST(pcp_decode, map_granted) {
  const auto got = decode_pcp_response(header(map_response, success) + map_payload());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->opcode, pcp_opcode::map);
  EXPECT_EQ(got->result, pcp_result::success);
  EXPECT_EQ(got->lifetime, 120s);
  EXPECT_EQ(got->epoch, 66'051U);
  EXPECT_EQ(got->map, map_answer());
}

TEST(pcp_decode, map_granted_for_ipv6) {
  auto datagram = header(map_response, success) +
                  bytes({
                      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,  // nonce
                      0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,  //
                      0x11,                                // protocol UDP
                      0x00, 0x00, 0x00,                    // reserved
                      0xc8, 0xd5,                          // internal port 51413
                      0x00, 0x00,                          // assigned external port 0
                      0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0x00, 0x00,  // assigned external address
                      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,  //   2001:db8:1::10
                  });
  // The largest lifetime and epoch.
  for (std::size_t i = 4; i < 12; ++i) datagram[i] = std::byte{0xff};
  const auto got = decode_pcp_response(datagram);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->lifetime, 4'294'967'295s);
  EXPECT_EQ(got->epoch, 4'294'967'295U);
  ASSERT_TRUE(got->map);
  EXPECT_EQ(got->map->protocol_number, 17);
  EXPECT_EQ(got->map->internal_port, 51'413);
  EXPECT_EQ(got->map->external, (endpoint{address("2001:db8:1::10"), 0}));
}

// RFC 6887 section 12.1.
std::vector<std::byte> remote_peer() {
  return bytes({
      0x01, 0xbb,                                      // remote peer port 443
      0xee, 0xee,                                      // reserved: to be ignored
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // remote peer address
      0x00, 0x00, 0xff, 0xff, 0xcb, 0x00, 0x71, 0x09,  //   ::ffff:203.0.113.9
  });
}

TEST(pcp_decode, peer_granted) {
  const auto response = decode_pcp_response(header(0x82, 0) + map_payload() + remote_peer());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->opcode, pcp_opcode::peer);
  pcp_map_answer expected = map_answer();
  expected.remote_peer = endpoint{address("203.0.113.9"), 443};
  EXPECT_EQ(response->map, expected);
}

TEST(pcp_decode, peer_without_its_peer_is_too_short) {
  EXPECT_EQ(decode_pcp_response(header(0x82, 0) + map_payload()).error(), decode_error::too_short);
  const auto refused = decode_pcp_response(header(0x82, 4) + map_payload());
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->map);
}

TEST(pcp_decode, announcement) {
  const auto got = decode_pcp_response(header(announce_response, success));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->opcode, pcp_opcode::announce);
  EXPECT_EQ(got->result, pcp_result::success);
  EXPECT_EQ(got->epoch, 66'051U);
  EXPECT_FALSE(got->map);
}

TEST(pcp_decode, error_with_the_request_copied_back) {
  const auto got = decode_pcp_response(header(map_response, 8) + map_payload());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->opcode, pcp_opcode::map);
  EXPECT_EQ(got->result, pcp_result::no_resources);
  EXPECT_EQ(got->lifetime, 120s);
  EXPECT_EQ(got->epoch, 66'051U);
  EXPECT_EQ(got->map, map_answer());
}

TEST(pcp_decode, error_with_less_than_the_request) {
  const auto whole = header(map_response, 2) + map_payload();
  for (std::size_t size = 24; size < 60; size += 4) {
    const auto got = decode_pcp_response(std::span{whole}.first(size));
    ASSERT_TRUE(got) << size;
    EXPECT_EQ(got->result, pcp_result::not_authorized) << size;
    EXPECT_FALSE(got->map) << size;
  }
}

TEST(pcp_decode, every_result_survives) {
  for (unsigned number = 1; number < 256; ++number) {
    const auto got = decode_pcp_response(header(map_response, static_cast<std::uint8_t>(number)));
    ASSERT_TRUE(got) << number;
    EXPECT_EQ(static_cast<unsigned>(got->result), number);
  }
}

TEST(pcp_decode, every_opcode_survives) {
  for (unsigned number = 3; number < 128; ++number) {
    const auto opcode = static_cast<std::uint8_t>(0x80U | number);
    // What follows the header is not ours to judge, not even where it would be no option.
    const auto got = decode_pcp_response(header(opcode, success) + bytes({1, 0, 0xff, 0xff}));
    ASSERT_TRUE(got) << number;
    EXPECT_EQ(static_cast<unsigned>(got->opcode), number);
    EXPECT_FALSE(got->map) << number;
  }
}

// Options
// ----------------------------------------------------------------------------------------

TEST(pcp_decode, options_are_passed_over_even_mandatory_ones) {
  const auto options = bytes({
      0x02, 0x00, 0x00, 0x00,  // PREFER_FAILURE, of no length
      0x03, 0xee, 0x00, 0x05,  // mandatory, 5 bytes
      0x01, 0x02, 0x03, 0x04,  //
      0x05, 0x00, 0x00, 0x00,  //   and 3 of padding
      0x80, 0x00, 0x00, 0x04,  // optional, 4 bytes
      0xff, 0xff, 0xff, 0xff,  //
  });
  const auto map = decode_pcp_response(header(map_response, success) + map_payload() + options);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->map, map_answer());
  EXPECT_TRUE(decode_pcp_response(header(announce_response, success) + options));
}

/// PORT_SET (RFC 7753 section 4).
std::vector<std::byte> port_set(std::uint16_t size, std::uint16_t first, std::uint8_t length = 5) {
  const auto high = [](std::uint16_t value) { return static_cast<std::uint8_t>(value >> 8); };
  const auto low = [](std::uint16_t value) { return static_cast<std::uint8_t>(value & 0xff); };
  return bytes({
      0x82,                     // option PORT_SET
      0xee,                     // reserved: to be ignored
      0x00, length,             // option length
      high(size), low(size),    // port set size
      high(first), low(first),  // first internal port
      0xff,                     // reserved, and the parity bit: to be ignored
      0xee, 0xee, 0xee,         // padding: to be ignored
  });
}

TEST(pcp_decode, a_set_of_ports_is_counted_from_the_port_that_was_asked_for) {
  struct row {
    std::uint16_t size;
    std::uint16_t first;
    std::uint16_t count;
    std::uint16_t external;
  };
  for (const row& each :
       {row{8, 8'080, 8, 40'000}, row{2, 8'080, 2, 40'000}, row{8, 8'078, 6, 40'002},
        row{8, 8'073, 1, 40'007}, row{25'536, 8'080, 25'536, 40'000}}) {
    const auto got = decode_pcp_response(header(map_response, success) + map_payload() +
                                         port_set(each.size, each.first));
    ASSERT_TRUE(got) << each.first;
    EXPECT_EQ(got->map->port_count, each.count) << each.first;
    EXPECT_EQ(got->map->external.port, each.external) << each.first;
  }
}

TEST(pcp_decode, a_set_that_cannot_be_is_none) {
  const auto granted = header(map_response, success) + map_payload();
  for (const auto& option : {port_set(0, 8'080), port_set(8, 0), port_set(8, 8'081),
                             port_set(8, 8'072), port_set(25'537, 8'080), port_set(0xffff, 8'080),
                             port_set(8, 8'080, 8), port_set(1, 8'080)}) {
    const auto got = decode_pcp_response(granted + option);
    ASSERT_TRUE(got) << hex(option);
    EXPECT_EQ(got->map, map_answer()) << hex(option);
  }
  // Of two the first counts; the answer to ANNOUNCE has none.
  const auto twice = decode_pcp_response(granted + port_set(8, 8'080) + port_set(4, 8'080));
  EXPECT_EQ(twice->map->port_count, 8);
  EXPECT_TRUE(decode_pcp_response(header(announce_response, success) + port_set(8, 8'080)));
  expect_error(granted + bytes({0x82, 0, 0, 0x05, 0, 8, 0x1f, 0x90}), decode_error::bad_option);
}

TEST(pcp_decode, an_option_that_reaches_past_the_end_condemns_the_message) {
  const auto granted = header(map_response, success) + map_payload();
  // 5 bytes announced, 4 there; 1 announced, none there; the most announced.
  expect_error(granted + bytes({0x03, 0, 0, 0x05, 1, 2, 3, 4}), decode_error::bad_option);
  expect_error(granted + bytes({0x03, 0, 0, 0x01}), decode_error::bad_option);
  expect_error(granted + bytes({0x83, 0, 0xff, 0xff}), decode_error::bad_option);
  // A good one before it helps as little.
  expect_error(granted + bytes({0x02, 0, 0, 0, 0x03, 0, 0, 0x01}), decode_error::bad_option);
  expect_error(header(announce_response, success) + bytes({0x03, 0, 0, 0x01}),
               decode_error::bad_option);
}

TEST(pcp_decode, options_of_an_error_are_a_copy_and_not_judged) {
  const auto got =
      decode_pcp_response(header(map_response, 6) + map_payload() + bytes({0x03, 0, 0, 0x01}));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->result, pcp_result::malformed_option);
  EXPECT_EQ(got->map, map_answer());
}

// What is not a response
// ----------------------------------------------------------------------------------------

TEST(pcp_decode, a_request_is_not_a_response) {
  expect_error(header(0x01, success) + map_payload(), decode_error::not_a_response);
  expect_error(header(0x00, success), decode_error::not_a_response);
}

TEST(pcp_decode, other_versions_are_not_read) {
  for (unsigned version = 0; version < 256; ++version) {
    if (version == 2) continue;
    auto datagram = header(map_response, success) + map_payload();
    datagram[0] = static_cast<std::byte>(version);
    expect_error(datagram, decode_error::wrong_version);
  }
}

TEST(pcp_decode, lengths_are_those_of_the_rfc) {
  const auto granted = header(map_response, success) + map_payload();
  const auto option_of = [](std::size_t size) {
    auto option = bytes({0x80, 0x00, static_cast<std::uint8_t>((size - 4) >> 8),
                         static_cast<std::uint8_t>((size - 4) & 0xff)});
    option.resize(size);
    return option;
  };
  EXPECT_TRUE(decode_pcp_response(granted + option_of(1'040)));
  expect_error(granted + option_of(1'044), decode_error::too_long);
  expect_error(granted + option_of(1'041), decode_error::too_long);
  expect_error(granted + option_of(60'000), decode_error::too_long);
  expect_error(granted + bytes({0}), decode_error::misaligned);
  expect_error(granted + bytes({0, 0}), decode_error::misaligned);
  expect_error(header(map_response, 2) + bytes({0, 0, 0}), decode_error::misaligned);
}

TEST(pcp_decode, clipped_answers_of_the_field_are_too_short) {
  // what a FRITZ!Box says to NAT-PMP.
  expect_error(bytes({0x02, 0x80}), decode_error::too_short);
  expect_error(bytes({0x02, 0x81, 0x00, 0x02, 0, 0, 0, 0, 0, 0, 0, 0}), decode_error::too_short);
}

TEST(pcp_decode, no_beginning_of_a_grant_is_a_grant) {
  const auto whole = header(map_response, success) + map_payload();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of its own, so that a sanitizer sees each byte read past the end.
    const std::vector<std::byte> prefix(whole.begin(),
                                        whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto got = decode_pcp_response(prefix);
    ASSERT_FALSE(got) << size;
    const bool misaligned = size > 24 && size % 4 != 0;
    EXPECT_EQ(got.error(), misaligned ? decode_error::misaligned : decode_error::too_short) << size;
  }
}

TEST(pcp_decode, no_beginning_of_an_announcement_is_an_announcement) {
  const auto whole = header(announce_response, success);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> prefix(whole.begin(),
                                        whole.begin() + static_cast<std::ptrdiff_t>(size));
    expect_error(prefix, decode_error::too_short);
  }
}

TEST(pcp_decode, no_beginning_of_an_error_is_read_before_its_header_is_whole) {
  const auto whole = header(map_response, 8) + map_payload();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::vector<std::byte> prefix(whole.begin(),
                                        whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto got = decode_pcp_response(prefix);
    EXPECT_EQ(got.has_value(), size >= 24 && size % 4 == 0) << size;
    EXPECT_EQ(got && got->map, size == whole.size()) << size;
  }
}

// Results
// ----------------------------------------------------------------------------------------

struct result_case {
  pcp_result result;
  std::string_view name;
  errc reason;
  bool is_short;
};

// RFC 6887 section 7.4.
constexpr std::array result_cases{
    result_case{pcp_result::unsupp_version, "UNSUPP_VERSION (1)", errc::version_refused, false},
    result_case{pcp_result::not_authorized, "NOT_AUTHORIZED (2)", errc::not_authorized, false},
    result_case{pcp_result::malformed_request, "MALFORMED_REQUEST (3)", errc::malformed_request,
                false},
    result_case{pcp_result::unsupp_opcode, "UNSUPP_OPCODE (4)", errc::not_supported, false},
    result_case{pcp_result::unsupp_option, "UNSUPP_OPTION (5)", errc::not_supported, false},
    result_case{pcp_result::malformed_option, "MALFORMED_OPTION (6)", errc::malformed_request,
                false},
    result_case{pcp_result::network_failure, "NETWORK_FAILURE (7)", errc::network_failure, true},
    result_case{pcp_result::no_resources, "NO_RESOURCES (8)", errc::no_resources, true},
    result_case{pcp_result::unsupp_protocol, "UNSUPP_PROTOCOL (9)", errc::not_supported, false},
    result_case{pcp_result::user_ex_quota, "USER_EX_QUOTA (10)", errc::quota_exceeded, true},
    result_case{pcp_result::cannot_provide_external, "CANNOT_PROVIDE_EXTERNAL (11)",
                errc::external_not_available, false},
    result_case{pcp_result::address_mismatch, "ADDRESS_MISMATCH (12)", errc::address_mismatch,
                false},
    result_case{pcp_result::excessive_remote_peers, "EXCESSIVE_REMOTE_PEERS (13)",
                errc::not_supported, false},
    result_case{pcp_result{14}, "result 14", errc::unusable_answer, false},
    result_case{pcp_result{255}, "result 255", errc::unusable_answer, false},
};

TEST(pcp_result, has_a_name_a_reason_and_a_lifetime_class) {
  EXPECT_EQ(to_string(pcp_result::success), "SUCCESS (0)");
  for (const result_case& c : result_cases) {
    EXPECT_EQ(to_string(c.result), c.name);
    EXPECT_EQ(to_errc(c.result), c.reason) << c.name;
    EXPECT_EQ(is_short_lifetime(c.result), c.is_short) << c.name;
  }
}

}  // namespace
}  // namespace damson
