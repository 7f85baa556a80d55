#include "wire/stun.hpp"

#include <gtest/gtest.h>

#include "bytes.hpp"

namespace damson {
namespace {

using test::bytes;
using test::hex;
using test::operator+;

constexpr stun_transaction transaction{{std::byte{0xb0}, std::byte{0xb1}, std::byte{0xb2},
                                        std::byte{0xb3}, std::byte{0xb4}, std::byte{0xb5},
                                        std::byte{0xb6}, std::byte{0xb7}, std::byte{0xb8},
                                        std::byte{0xb9}, std::byte{0xba}, std::byte{0xbb}}};

/// A message with these attributes.
std::vector<std::byte> message(std::uint16_t type, const std::vector<std::byte>& attributes) {
  return bytes({static_cast<std::uint8_t>(type >> 8U),
                static_cast<std::uint8_t>(type & 0xffU),
                0x00,
                static_cast<std::uint8_t>(attributes.size()),  // length of what follows
                0x21,
                0x12,
                0xa4,
                0x42,  // magic cookie
                0xb0,
                0xb1,
                0xb2,
                0xb3,
                0xb4,
                0xb5,
                0xb6,
                0xb7,
                0xb8,
                0xb9,
                0xba,
                0xbb}) +
         attributes;
}

std::vector<std::byte> success(const std::vector<std::byte>& attributes) {
  return message(0x0101, attributes);
}

// 192.0.2.1:32853, as in the samples of RFC 5769.
const auto xor_mapped = bytes({
    0x00, 0x20,              // XOR-MAPPED-ADDRESS
    0x00, 0x08,              // length
    0x00,                    // reserved
    0x01,                    // IPv4
    0xa1, 0x47,              // 32853 ^ 0x2112
    0xe1, 0x12, 0xa6, 0x43,  // 192.0.2.1 ^ 0x2112a442
});
const auto mapped = bytes({
    0x00, 0x01,       // MAPPED-ADDRESS
    0x00, 0x08,       // length
    0x00,             // reserved
    0x01,             // IPv4
    0x04, 0xd2,       // 1234
    203, 0, 113, 77,  // as it is
});
const auto software = bytes({
    0x80, 0x22,               // SOFTWARE, which is optional
    0x00, 0x05,               // length, without the padding
    't', 'e', 's', 't', 's',  //
    0x00, 0x00, 0x00,         // padding
});

const endpoint seen{ip_address{ip_address::v4_bytes{192, 0, 2, 1}}, 32'853};
const endpoint seen_plainly{ip_address{ip_address::v4_bytes{203, 0, 113, 77}}, 1'234};

TEST(stun, asks_in_twenty_bytes) {
  const auto expected = bytes({
      0x00, 0x01,              // Binding request
      0x00, 0x00,              // no attributes
      0x21, 0x12, 0xa4, 0x42,  // magic cookie
      0xb0, 0xb1, 0xb2, 0xb3,  // transaction
      0xb4, 0xb5, 0xb6, 0xb7,  //
      0xb8, 0xb9, 0xba, 0xbb,  //
  });
  EXPECT_EQ(hex(encode_stun_request(transaction)), hex(expected));
}

TEST(stun, reads_the_address_that_was_hidden_from_routers) {
  const auto response = decode_stun_response(success(software + xor_mapped));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->of, transaction);
  EXPECT_EQ(response->seen, seen);
}

// RFC 8489 section 14.2: sixteen bytes, with the transaction after the cookie.
TEST(stun, reads_ipv6) {
  const auto response = decode_stun_response(success(bytes({
      0x00, 0x20,              // XOR-MAPPED-ADDRESS
      0x00, 0x14,              // length
      0x00,                    // reserved
      0x02,                    // IPv6
      0xa1, 0x47,              // 32853 ^ 0x2112
      0x01, 0x13, 0xa9, 0xfa,  // 2001:0db8 ^ 2112:a442
      0xb0, 0xb1, 0xb2, 0xb3,  // 0
      0xb4, 0xb5, 0xb6, 0xb7,  // 0
      0xb8, 0xb9, 0xba, 0xba,  // 1 ^ 0xb8b9babb
  })));
  ASSERT_TRUE(response);
  EXPECT_EQ(to_string(response->seen->address), "2001:db8::1");
  EXPECT_EQ(response->seen->port, 32'853);
}

TEST(stun, reads_what_servers_of_rfc_3489_say) {
  const auto source = bytes({0x00, 0x04, 0x00, 0x08, 0x00, 0x01, 0x0d, 0x96, 203, 0, 113, 1});
  const auto changed = bytes({0x00, 0x05, 0x00, 0x08, 0x00, 0x01, 0x0d, 0x97, 203, 0, 113, 2});
  const auto response = decode_stun_response(success(mapped + source + changed));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->seen, seen_plainly);
}

// Some routers rewrite what looks like an address of theirs, so the other one counts.
TEST(stun, believes_the_hidden_address_and_the_first_of_two) {
  EXPECT_EQ(decode_stun_response(success(mapped + xor_mapped))->seen, seen);
  EXPECT_EQ(decode_stun_response(success(xor_mapped + mapped))->seen, seen);
  auto other = xor_mapped;
  other.back() ^= std::byte{1};
  EXPECT_EQ(decode_stun_response(success(xor_mapped + other))->seen, seen);
}

TEST(stun, reads_an_error) {
  const auto response = decode_stun_response(message(0x0111, bytes({
                                                                 0x00, 0x09,  // ERROR-CODE
                                                                 0x00, 0x04,  // length
                                                                 0x00, 0x00,  // reserved
                                                                 0x05, 0x00,  // 500
                                                             })));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->of, transaction);
  EXPECT_FALSE(response->seen);
}

decode_error error_of(const std::vector<std::byte>& datagram) {
  const auto response = decode_stun_response(datagram);
  EXPECT_FALSE(response) << hex(datagram);
  return response ? decode_error{} : response.error();
}

TEST(stun, refuses_what_is_no_answer) {
  EXPECT_EQ(error_of({}), decode_error::too_short);
  EXPECT_EQ(error_of(encode_stun_request(transaction)), decode_error::not_a_response);
  EXPECT_EQ(error_of(message(0x0011, xor_mapped)), decode_error::not_a_response);  // an indication
  EXPECT_EQ(error_of(message(0x0103, xor_mapped)), decode_error::unknown_opcode);  // to Allocate
  EXPECT_EQ(error_of(success({})), decode_error::missing_field);
  EXPECT_EQ(error_of(success(software)), decode_error::missing_field);
  auto other_cookie = success(xor_mapped);
  other_cookie[7] ^= std::byte{1};
  EXPECT_EQ(error_of(other_cookie), decode_error::wrong_version);
  EXPECT_EQ(error_of(success(xor_mapped) + bytes({0})), decode_error::misaligned);
  EXPECT_EQ(error_of(success(xor_mapped) + bytes({0, 0, 0, 0})), decode_error::bad_value);
  EXPECT_EQ(error_of(std::vector<std::byte>(1'104)), decode_error::too_long);
}

TEST(stun, refuses_attributes_that_it_would_have_to_understand) {
  EXPECT_EQ(error_of(success(xor_mapped + bytes({0x00, 0x13, 0x00, 0x00}))),
            decode_error::bad_option);
  EXPECT_EQ(error_of(success(xor_mapped + bytes({0x7f, 0xff, 0x00, 0x00}))),
            decode_error::bad_option);
  EXPECT_TRUE(decode_stun_response(success(xor_mapped + bytes({0x80, 0x00, 0x00, 0x00}))));
}

TEST(stun, refuses_attributes_that_reach_past_the_end) {
  auto long_software = software;
  long_software[3] = std::byte{0x09};
  EXPECT_EQ(error_of(success(xor_mapped + long_software)), decode_error::bad_option);
  for (std::size_t cut = 4; cut < xor_mapped.size(); cut += 4) {
    auto part = xor_mapped;
    part.resize(cut);
    EXPECT_EQ(error_of(success(part)), decode_error::bad_option) << cut;
  }
}

TEST(stun, refuses_addresses_that_are_none) {
  for (const std::byte family : {std::byte{0}, std::byte{2}, std::byte{3}}) {
    auto wrong = xor_mapped;
    wrong[5] = family;
    EXPECT_EQ(error_of(success(wrong)), decode_error::bad_value);
  }
  EXPECT_EQ(error_of(success(bytes({0x00, 0x20, 0x00, 0x04, 0x00, 0x01, 0xa1, 0x47}))),
            decode_error::bad_value);
}

}  // namespace
}  // namespace damson
