#pragma once

/// XML from strangers, within bounds, and the few questions that we ask of it. Names are compared
/// without prefix and case, because devices agree on neither; namespaces are not looked at
///

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include <pugixml.hpp>

#include "wire/decode_error.hpp"

namespace damson::xml {

// A real description is 3 to 6 elements deep and has about a hundred.
inline constexpr int most_depth = 32;
inline constexpr int most_elements = 4096;
inline constexpr std::size_t most_text = 2048;  ///< bytes of the text of one element

/// What is too much, where it is not the usual.
struct limits {
  std::size_t bytes = 0;
  int elements = most_elements;
  std::size_t text = most_text;
};

/// Knows the five predefined entities and numeric references, no others. Bytes that are not the
/// declared encoding, or not UTF-8, are kept as they are; UTF-16 and UTF-32 and, where it is
/// declared, Latin-1 become UTF-8.
///
/// Errors: `too_long` (more than `most_bytes`, or more text in an element than `most_text`),
/// `not_xml`, `has_doctype`, `too_deep`, `too_many_elements`.
std::expected<pugi::xml_document, decode_error> parse(std::string_view text,
                                                      std::size_t most_bytes);
std::expected<pugi::xml_document, decode_error> parse(std::string_view text, const limits& most);

/// The node after this one in the order of their beginnings, below `top`; an empty one at the end.
/// Without recursion, whatever the depth.
pugi::xml_node next_below(const pugi::xml_node& top, const pugi::xml_node& node);

bool is_named(const pugi::xml_node& node, std::string_view local_name) noexcept;

/// Without its prefix.
std::string_view local_name(const pugi::xml_node& node) noexcept;

/// The first child element of that name; an empty node when there is none.
pugi::xml_node child(const pugi::xml_node& parent, std::string_view local_name);

/// The first element of that name anywhere below; an empty node when there is none.
pugi::xml_node descendant(const pugi::xml_node& top, std::string_view local_name);

/// All text directly inside an element, CDATA and what stands around comments included, trimmed.
std::string text_of(const pugi::xml_node& element);

/// The text of the first child element of that name; empty when there is none.
std::string child_text(const pugi::xml_node& parent, std::string_view local_name);

}  // namespace damson::xml
