#include "wire/xml.hpp"

#include <optional>

#include "wire/ascii.hpp"

namespace damson::xml {
namespace {

bool is_element(const pugi::xml_node& node) noexcept { return node.type() == pugi::node_element; }

bool is_text(const pugi::xml_node& node) noexcept {
  return node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata;
}

std::size_t text_bytes(const pugi::xml_node& element) {
  std::size_t total = 0;
  for (const pugi::xml_node& node : element) {
    if (is_text(node)) total += std::string_view{node.value()}.size();
  }
  return total;
}

/// What is too much in one node, `depth` levels below the document, if anything.
std::optional<decode_error> find_excess(const pugi::xml_node& node, const limits& most, int depth,
                                        int& elements) {
  if (node.type() == pugi::node_doctype) return decode_error::has_doctype;
  if (!is_element(node)) return std::nullopt;
  if (depth > most_depth) return decode_error::too_deep;
  if (++elements > most.elements) return decode_error::too_many_elements;
  if (text_bytes(node) > most.text) return decode_error::too_long;
  return std::nullopt;
}

std::optional<decode_error> find_excess(const pugi::xml_document& document, const limits& most) {
  int elements = 0;
  int depth = 1;
  for (pugi::xml_node node = document.first_child(); !node.empty();) {
    if (const auto excess = find_excess(node, most, depth, elements)) return excess;
    if (const pugi::xml_node first = node.first_child()) {
      node = first;
      ++depth;
      continue;
    }
    for (; !node.empty() && node.next_sibling().empty(); --depth) node = node.parent();
    node = node.next_sibling();
  }
  return std::nullopt;
}

}  // namespace

std::expected<pugi::xml_document, decode_error> parse(std::string_view text,
                                                      std::size_t most_bytes) {
  return parse(text, limits{.bytes = most_bytes});
}

std::expected<pugi::xml_document, decode_error> parse(std::string_view text, const limits& most) {
  if (text.size() > most.bytes) return std::unexpected(decode_error::too_long);
  // Without this flag the declaration would be passed over in silence.
  constexpr unsigned options = pugi::parse_default | pugi::parse_doctype;
  pugi::xml_document document;
  const pugi::xml_parse_result result =
      document.load_buffer(text.data(), text.size(), options, pugi::encoding_auto);
  if (result.status == pugi::status_bad_doctype) return std::unexpected(decode_error::has_doctype);
  if (!result) return std::unexpected(decode_error::not_xml);
  if (const auto excess = find_excess(document, most)) return std::unexpected(*excess);
  return document;
}

pugi::xml_node next_below(const pugi::xml_node& top, const pugi::xml_node& node) {
  if (const pugi::xml_node first = node.first_child()) return first;
  for (pugi::xml_node up = node; !up.empty() && up != top; up = up.parent()) {
    if (const pugi::xml_node next = up.next_sibling()) return next;
  }
  return {};
}

std::string_view local_name(const pugi::xml_node& node) noexcept {
  const std::string_view name = node.name();
  return name.substr(name.rfind(':') + 1);  // all of it where there is no prefix
}

bool is_named(const pugi::xml_node& node, std::string_view name) noexcept {
  return is_element(node) && ascii::equal_ignoring_case(local_name(node), name);
}

pugi::xml_node child(const pugi::xml_node& parent, std::string_view name) {
  return parent.find_child([name](const pugi::xml_node& node) { return is_named(node, name); });
}

pugi::xml_node descendant(const pugi::xml_node& top, std::string_view name) {
  pugi::xml_node node = next_below(top, top);
  while (!node.empty() && !is_named(node, name)) node = next_below(top, node);
  return node;
}

std::string text_of(const pugi::xml_node& element) {
  std::string text;
  for (const pugi::xml_node& node : element) {
    if (is_text(node)) text += node.value();
  }
  return std::string{ascii::trim(text)};
}

std::string child_text(const pugi::xml_node& parent, std::string_view name) {
  return text_of(child(parent, name));
}

}  // namespace damson::xml
