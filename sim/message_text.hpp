#pragma once

/// Reads and writes the text messages of SSDP and HTTP/1.1: a start line, fields, an empty line, a
/// body.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace damson::sim {

struct message_field {
  std::string name;
  std::string value;

  friend bool operator==(const message_field&, const message_field&) = default;
};

/// How a message spells what it says.
struct message_style {
  enum class letters : std::uint8_t { as_given, lower, capitalised };
  letters names = letters::as_given;
  bool space_after_colon = true;
  bool carriage_returns = true;
  bool final_line_end = true;  ///< else the last field ends with the message
};

struct text_message {
  std::string start_line;
  std::vector<message_field> fields;
  std::string body;

  /// The value of the first field of that name, whatever its case; null when there is none.
  const std::string* field(std::string_view name) const;

  /// The message as it goes over the wire.
  std::string text(const message_style& how = {}) const;
};

/// Strict: every line ends with CR LF, no white space before a colon, no folded lines, no
/// control characters, and the empty line is there. What follows it is the body. Empty when the
/// text is anything else.
std::optional<text_message> read_message(std::string_view text);

/// Compares ASCII without case.
bool same_word(std::string_view one, std::string_view other);

/// Without spaces, tabs and line ends around it.
std::string_view trimmed(std::string_view text);

/// Decimal digits and nothing else, up to `highest`.
std::optional<std::uint32_t> read_decimal(std::string_view text, std::uint32_t highest);

/// The parts between the spaces of a start line; two spaces make an empty part.
std::vector<std::string_view> words_of(std::string_view line);

}  // namespace damson::sim
