#include "sim/xml_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ranges>
#include <utility>

namespace damson::sim {

namespace {

constexpr std::size_t deepest = 16;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool is_name_part(char c) {
  return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
}

struct qualified {
  std::string_view prefix;
  std::string_view local;
};

qualified split(std::string_view name) {
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos) return {{}, name};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

std::string utf8(std::uint32_t code) {
  const auto tail = [](std::uint32_t bits) { return static_cast<char>(0x80U | (bits & 0x3fU)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xc0U | code >> 6U), tail(code)};
  if (code < 0x10000) {
    return {static_cast<char>(0xe0U | code >> 12U), tail(code >> 6U), tail(code)};
  }
  return {static_cast<char>(0xf0U | code >> 18U), tail(code >> 12U), tail(code >> 6U), tail(code)};
}

class xml_reader {
 public:
  xml_reader(std::string_view text, xml_entities entities) : rest_(text), entities_(entities) {}

  std::optional<xml_element> document() {
    if (rest_.starts_with("<?xml")) {
      const std::size_t end = rest_.find("?>");
      if (end == std::string_view::npos) return std::nullopt;
      rest_.remove_prefix(end + 2);
    }
    if (!skip_between()) return std::nullopt;
    auto root = element(0);
    if (!root || !skip_between() || !rest_.empty()) return std::nullopt;
    return root;
  }

 private:
  using scope = std::pair<std::string, std::string>;

  bool take(std::string_view what) {
    if (!rest_.starts_with(what)) return false;
    rest_.remove_prefix(what.size());
    return true;
  }

  /// Takes everything up to `end`, and `end` itself.
  std::optional<std::string_view> take_through(std::string_view end) {
    const std::size_t found = rest_.find(end);
    if (found == std::string_view::npos) return std::nullopt;
    const std::string_view out = rest_.substr(0, found);
    rest_.remove_prefix(found + end.size());
    return out;
  }

  bool skip_blanks() {
    const std::size_t size = rest_.size();
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    return rest_.size() != size;
  }

  /// Blanks and comments around the root element.
  bool skip_between() {
    skip_blanks();
    while (take("<!--")) {
      if (!take_through("-->")) return false;
      skip_blanks();
    }
    return true;
  }

  std::optional<std::string_view> name() {
    if (rest_.empty() || !is_name_start(rest_.front())) return std::nullopt;
    const auto* const end = std::ranges::find_if_not(rest_, is_name_part);
    const std::string_view out = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(out.size());
    if (std::ranges::count(out, ':') > 1 || out.ends_with(':')) return std::nullopt;
    return out;
  }

  std::optional<std::string> decoded(std::string_view text) const {
    std::string out;
    while (!text.empty()) {
      const std::size_t mark = text.find('&');
      out += text.substr(0, mark);
      if (mark == std::string_view::npos) break;
      text.remove_prefix(mark + 1);
      const std::size_t end = text.find(';');
      if (end == std::string_view::npos) return std::nullopt;
      const auto meant = entity(text.substr(0, end));
      if (!meant) return std::nullopt;
      out += *meant;
      text.remove_prefix(end + 1);
    }
    return out;
  }

  std::optional<std::string> entity(std::string_view name) const {
    if (name == "lt") return "<";
    if (name == "gt") return ">";
    if (name == "amp") return "&";
    if (entities_ == xml_entities::three) return std::nullopt;
    if (name == "quot") return "\"";
    if (name == "apos") return "'";
    if (!name.starts_with('#')) return std::nullopt;
    const bool hex = name.starts_with("#x");
    name.remove_prefix(hex ? 2 : 1);
    std::uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(name.data(), name.data() + name.size(), code, hex ? 16 : 10);
    const bool whole = error == std::errc{} && end == name.data() + name.size();
    if (!whole || code == 0 || code > 0x10ffff) return std::nullopt;
    return utf8(code);
  }

  bool attributes(xml_element& into) {
    while (true) {
      const bool apart = skip_blanks();
      if (rest_.starts_with(">") || rest_.starts_with("/>")) return true;
      const auto key = apart ? name() : std::nullopt;
      if (!key || !take("=") || into.attribute(*key) != nullptr) return false;
      const bool single = rest_.starts_with("'");
      if (!single && !rest_.starts_with("\"")) return false;
      rest_.remove_prefix(1);
      const auto raw = take_through(single ? "'" : "\"");
      if (!raw || raw->contains('<')) return false;
      auto value = decoded(*raw);
      if (!value) return false;
      into.attributes.push_back({std::string{*key}, std::move(*value)});
    }
  }

  /// False where a prefix was declared nowhere.
  bool resolve(xml_element& into, std::string_view full_name) {
    for (const auto& one : into.attributes) {
      const qualified key = split(one.name);
      if (key.prefix == "xmlns") {
        scopes_.emplace_back(key.local, one.value);
      } else if (one.name == "xmlns") {
        scopes_.emplace_back("", one.value);
      }
    }
    const qualified own = split(full_name);
    into.name = own.local;
    const auto innermost_first = std::views::reverse(scopes_);
    const auto found = std::ranges::find(innermost_first, own.prefix, &scope::first);
    if (found == innermost_first.end()) return own.prefix.empty();
    into.space = found->second;
    return true;
  }

  std::optional<xml_element> element(std::size_t depth) {
    if (depth == deepest || !take("<")) return std::nullopt;
    const auto full_name = name();
    if (!full_name) return std::nullopt;
    xml_element out;
    const std::size_t outer_scopes = scopes_.size();
    if (!attributes(out) || !resolve(out, *full_name)) return std::nullopt;
    if (!take("/>")) {
      rest_.remove_prefix(1);
      if (!content(out, depth) || !take(*full_name)) return std::nullopt;
      skip_blanks();
      if (!take(">")) return std::nullopt;
    }
    scopes_.resize(outer_scopes);
    return out;
  }

  /// Everything up to and with the "</" of the end tag.
  bool content(xml_element& into, std::size_t depth) {
    bool blanks = false;
    while (true) {
      const std::size_t mark = rest_.find('<');
      if (mark == std::string_view::npos) return false;
      const std::string_view raw = rest_.substr(0, mark);
      const auto text = decoded(raw);
      if (!text || raw.contains("]]>")) return false;
      blanks = blanks || (!raw.empty() && std::ranges::all_of(raw, is_blank));
      into.text += *text;
      rest_.remove_prefix(mark);
      if (take("</")) break;
      if (take("<!--")) {
        if (!take_through("-->")) return false;
      } else if (take("<![CDATA[")) {
        const auto data = take_through("]]>");
        if (!data) return false;
        into.text += *data;
      } else {
        auto child = element(depth + 1);
        if (!child) return false;
        into.children.push_back(std::move(*child));
      }
    }
    into.padded = blanks && !into.children.empty();
    return true;
  }

  std::string_view rest_;
  xml_entities entities_;
  std::vector<scope> scopes_;
};

}  // namespace

const std::string* xml_element::attribute(std::string_view full_name) const {
  const auto found = std::ranges::find(attributes, full_name, &xml_attribute::name);
  return found == attributes.end() ? nullptr : &found->value;
}

std::optional<xml_element> read_xml(std::string_view text, xml_entities entities) {
  return xml_reader(text, entities).document();
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace damson::sim
