#pragma once

#include <cstdint>
#include <string_view>

namespace damson {

/// Why bytes are not the message that was looked for.
enum class decode_error : std::uint8_t {
  too_short,       ///< ends before its last field
  too_long,        ///< more than RFC 6887 section 7 allows
  misaligned,      ///< a length that is not a multiple of four
  not_a_response,  ///< the response bit is clear
  wrong_version,
  unknown_opcode,  ///< an answer to something that we never ask
  bad_option,      ///< an option reaches past the end
};

/// A few words for the log.
std::string_view to_string(decode_error) noexcept;

}  // namespace damson
