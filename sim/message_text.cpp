#include "sim/message_text.hpp"

#include <algorithm>
#include <charconv>

namespace damson::sim {

namespace {

constexpr std::string_view line_end = "\r\n";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool is_control(char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }

/// The characters that HTTP allows in the name of a field (RFC 7230 section 3.2.6).
bool is_token(std::string_view text) {
  static constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || others.contains(c);
  });
}

/// Takes one line off the front; empty when no line end is left.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find(line_end);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + line_end.size());
  if (std::ranges::any_of(line, [](char c) { return is_control(c) && c != '\t'; })) {
    return std::nullopt;
  }
  return line;
}

std::string spelled(std::string_view name, message_style::letters how) {
  std::string out{name};
  if (how == message_style::letters::as_given) return out;
  std::ranges::transform(out, out.begin(), lower);
  if (how == message_style::letters::capitalised && !out.empty()) out[0] = upper(out[0]);
  return out;
}

}  // namespace

const std::string* text_message::field(std::string_view name) const {
  const auto found = std::ranges::find_if(
      fields, [name](const message_field& one) { return same_word(one.name, name); });
  return found == fields.end() ? nullptr : &found->value;
}

std::string text_message::text(const message_style& how) const {
  const std::string_view end = how.carriage_returns ? line_end : line_end.substr(1);
  std::string out = start_line;
  for (const auto& one : fields) {
    out += end;
    out += spelled(one.name, how.names);
    out += how.space_after_colon && !one.value.empty() ? ": " : ":";
    out += one.value;
  }
  if (!how.final_line_end) return out;
  out += end;
  out += end;
  return out + body;
}

std::optional<text_message> read_message(std::string_view text) {
  text_message out;
  const auto first = take_line(text);
  if (!first || first->empty()) return std::nullopt;
  out.start_line = *first;
  while (true) {
    const auto line = take_line(text);
    if (!line) return std::nullopt;
    if (line->empty()) break;
    const std::size_t colon = line->find(':');
    if (colon == std::string_view::npos || !is_token(line->substr(0, colon))) return std::nullopt;
    out.fields.push_back(
        {std::string{line->substr(0, colon)}, std::string{trimmed(line->substr(colon + 1))}});
  }
  out.body = text;
  return out;
}

bool same_word(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](char a, char b) { return lower(a) == lower(b); });
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::optional<std::uint32_t> read_decimal(std::string_view text, std::uint32_t highest) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > highest) {
    return std::nullopt;
  }
  return value;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (std::size_t begin = 0;;) {
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    out.push_back(line.substr(begin, end - begin));
    if (end == line.size()) return out;
    begin = end + 1;
  }
}

}  // namespace damson::sim
