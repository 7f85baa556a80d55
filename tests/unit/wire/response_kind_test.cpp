#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "bytes.hpp"
#include "wire/response_kind.hpp"

namespace damson {
namespace {

using namespace test;  // for the operator that joins packets

struct kind_case {
  std::string_view what;
  std::vector<std::byte> datagram;
  response_kind expected;
};

std::vector<kind_case> kind_cases() {
  return {
      {"nothing", {}, response_kind::malformed},
      {"one byte tells no request from an answer", bytes({0x02}), response_kind::malformed},

      // PCP, whatever its size
      {"clipped answer to a NAT-PMP address request", bytes({0x02, 0x80}), response_kind::pcp},
      {"clipped answer to a NAT-PMP map request",
       bytes({0x02, 0x81, 0x00, 0x02, 0, 0, 0, 0, 0, 0, 0, 0}), response_kind::pcp},
      {"three bytes", bytes({0x02, 0x81, 0x00}), response_kind::pcp},
      {"version 2 refuses version 2", bytes({0x02, 0x81, 0x00, 0x01}), response_kind::pcp},

      // requests
      {"PCP request", bytes({0x02, 0x01, 0, 0, 0, 0, 0x1c, 0x20}), response_kind::not_a_response},
      {"NAT-PMP request", bytes({0x00, 0x00}), response_kind::not_a_response},
      {"NAT-PMP map request", bytes({0x00, 0x02, 0, 0, 0x1f, 0x90, 0, 0, 0, 0, 0, 0}),
       response_kind::not_a_response},

      // NAT-PMP says that it does not know version 2
      {"8 bytes", bytes({0x00, 0x81, 0x00, 0x01, 0, 0, 0, 9}), response_kind::natpmp_refuses_pcp},
      {"4 bytes", bytes({0x00, 0x81, 0x00, 0x01}), response_kind::natpmp_refuses_pcp},
      {"5 bytes", bytes({0x00, 0x80, 0x00, 0x01, 0}), response_kind::natpmp_refuses_pcp},
      {"60 bytes", bytes({0x00, 0xff, 0x00, 0x01}) + std::vector<std::byte>(56),
       response_kind::natpmp_refuses_pcp},
      {"3 bytes have no result", bytes({0x00, 0x81, 0x00}), response_kind::malformed},

      // NAT-PMP says something else
      {"external address", bytes({0x00, 0x80, 0x00, 0x00, 0, 0, 0, 9, 203, 0, 113, 7}),
       response_kind::natpmp},
      {"unsupported opcode", bytes({0x00, 0x83, 0x00, 0x05, 0, 0, 0, 9}), response_kind::natpmp},
      {"results have 16 bits", bytes({0x00, 0x80, 0x01, 0x01, 0, 0, 0, 9}), response_kind::natpmp},

      // PCP in other versions
      {"version 1 asks for itself", bytes({0x01, 0x81, 0x00, 0x01}) + std::vector<std::byte>(20),
       response_kind::pcp_other_version},
      {"version 3 asks for itself", bytes({0x03, 0x81, 0xff, 0x01}) + std::vector<std::byte>(20),
       response_kind::pcp_other_version},
      {"version 1 says something else",
       bytes({0x01, 0x81, 0x00, 0x00}) + std::vector<std::byte>(20), response_kind::malformed},
      {"version 1 without a result", bytes({0x01, 0x81, 0x00}), response_kind::malformed},
      {"text", bytes({'H', 'T', 'T', 'P', '/', '1', '.', '1'}), response_kind::not_a_response},

      // sizes
      {"the longest", bytes({0x02, 0x81}) + std::vector<std::byte>(1'098), response_kind::pcp},
      {"too long", bytes({0x02, 0x81}) + std::vector<std::byte>(1'099), response_kind::malformed},
      {"too long", bytes({0x00, 0x81, 0x00, 0x01}) + std::vector<std::byte>(1'097),
       response_kind::malformed},
  };
}

TEST(response_kind, is_told_by_the_version_byte_first) {
  for (const kind_case& c : kind_cases()) {
    EXPECT_EQ(to_string(classify_response(c.datagram)), to_string(c.expected)) << c.what << '\n'
                                                                               << hex(c.datagram);
  }
}

TEST(response_kind, each_has_a_name_of_its_own) {
  std::set<std::string_view> seen;
  for (const response_kind kind : {response_kind::malformed, response_kind::not_a_response,
                                   response_kind::pcp, response_kind::pcp_other_version,
                                   response_kind::natpmp, response_kind::natpmp_refuses_pcp}) {
    EXPECT_TRUE(seen.insert(to_string(kind)).second) << to_string(kind);
  }
}

}  // namespace
}  // namespace damson
