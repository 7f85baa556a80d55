#pragma once

#include <cstdint>
#include <string_view>

namespace damson {

/// Why bytes are not the message that was looked for.
enum class decode_error : std::uint8_t {
  too_short,       ///< ends before its last field
  too_long,        ///< more than RFC 6887 section 7, or our own limit for the format, allows
  misaligned,      ///< a length that is not a multiple of four
  not_a_response,  ///< the response bit is clear
  wrong_version,
  unknown_opcode,  ///< an answer to something that we never ask
  bad_option,      ///< an option reaches past the end

  // Of the text formats only.
  bad_character,      ///< a control character or one outside of ASCII where none may be (Q-140)
  missing_field,      ///< a header or value without which the message says nothing
  bad_value,          ///< a value that cannot be read, or is out of its range
  not_xml,            ///< cut off, not well-formed, or no XML at all (Q-99)
  has_doctype,        ///< a document type declaration, which no device needs (Q-134)
  too_deep,           ///< more nested elements than any device needs (Q-134)
  too_many_elements,  ///< more elements, or header lines, than any device needs (Q-134)
  wrong_document,     ///< XML of another kind, a web page for instance
};

/// A few words for the log.
std::string_view to_string(decode_error) noexcept;

}  // namespace damson
