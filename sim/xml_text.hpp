#pragma once

/// The gateway models' own reader of XML requests, and what they need to write XML.
///
/// A small part of XML 1.0 with namespaces, and strictly that: elements, attributes, text, CDATA,
/// comments, the predefined entities and numeric references. No document type, no processing
/// instruction but the declaration at the very beginning.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace damson::sim {

struct xml_attribute {
  std::string name;  ///< as written, with its prefix
  std::string value;
};

struct xml_element {
  std::string space;  ///< the namespace that its prefix, or the default, stands for
  std::string name;   ///< without prefix
  std::vector<xml_attribute> attributes;
  std::string text;  ///< all its text, joined
  std::vector<xml_element> children;
  bool padded = false;  ///< white space stands between its children

  const std::string* attribute(std::string_view full_name) const;
};

/// Which entities a reader knows.
enum class xml_entities : std::uint8_t {
  all,    ///< lt, gt, amp, quot, apos and numeric references
  three,  ///< lt, gt and amp only (Q-105)
};

/// The root element; empty when the text is not well formed or nested deeper than 16 elements.
std::optional<xml_element> read_xml(std::string_view text, xml_entities entities);

/// With `<`, `>` and `&` as entities.
std::string xml_escaped(std::string_view text);

}  // namespace damson::sim
