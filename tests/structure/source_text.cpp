#include "source_text.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace damson::structure {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Walks over C++ source once and copies it, blanking what the caller does not want to see.
class blanker {
 public:
  blanker(std::string_view text, bool blank_literals)
      : text_{text}, blank_literals_{blank_literals} {}

  std::string run() {
    while (at_ < text_.size()) {
      step();
    }
    return std::move(out_);
  }

 private:
  void step() {
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("//")) {
      blank(std::min(rest.find('\n'), rest.size()));
    } else if (rest.starts_with("/*")) {
      blank(length_through(rest, "*/", 2));
    } else if (rest.starts_with('"')) {
      literal(is_raw() ? raw_length(rest) : quoted_length(rest));
    } else if (rest.starts_with('\'') && !is_digit_separator()) {
      literal(quoted_length(rest));
    } else {
      keep(1);
    }
  }

  static std::size_t length_through(std::string_view rest, std::string_view end, std::size_t from) {
    const std::size_t found = rest.find(end, from);
    return found == std::string_view::npos ? rest.size() : found + end.size();
  }

  /// From the opening quote through the closing one, or to the end of the line without it.
  static std::size_t quoted_length(std::string_view rest) {
    std::size_t i = 1;
    while (i < rest.size() && rest[i] != rest.front() && rest[i] != '\n') {
      i += rest[i] == '\\' ? 2 : 1;
    }
    return std::min(i + 1, rest.size());
  }

  static std::size_t raw_length(std::string_view rest) {
    const std::string_view delimiter = rest.substr(1, rest.find('(') - 1);
    return length_through(rest, ")" + std::string{delimiter} + "\"", 1);
  }

  /// What stands without a gap before the current position, as in `u8R"` or `1'000`.
  std::string_view word_before() const {
    std::size_t begin = at_;
    while (begin > 0 && (is_word(text_[begin - 1]) || text_[begin - 1] == '\'')) {
      --begin;
    }
    return text_.substr(begin, at_ - begin);
  }

  bool is_digit_separator() const {
    const std::string_view word = word_before();
    return !word.empty() && std::isdigit(static_cast<unsigned char>(word.front())) != 0;
  }

  bool is_raw() const {
    const std::string_view word = word_before();
    return word == "R" || word == "u8R" || word == "uR" || word == "UR" || word == "LR";
  }

  void literal(std::size_t length) {
    if (!blank_literals_ || length < 2) {
      keep(length);
      return;
    }
    keep(1);
    blank(length - 2);
    keep(1);
  }

  void keep(std::size_t length) {
    out_.append(text_.substr(at_, length));
    at_ += length;
  }

  void blank(std::size_t length) {
    for (const char c : text_.substr(at_, length)) {
      out_.push_back(c == '\n' ? '\n' : ' ');
    }
    at_ += length;
  }

  std::string_view text_;
  bool blank_literals_;
  std::size_t at_ = 0;
  std::string out_;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string_view{} : text.substr(begin);
}

/// Takes `word` off the front of `text`; false and no change if it is not there.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) {
    return false;
  }
  text = trimmed(text.substr(word.size()));
  return true;
}

}  // namespace

std::string without_comments(std::string_view text) { return blanker{text, false}.run(); }

std::string code_only(std::string_view text) { return blanker{text, true}.run(); }

std::vector<include_directive> includes_of(std::string_view text) {
  const std::string source = without_comments(text);
  std::vector<include_directive> found;
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < source.size();) {
    const std::size_t end = std::min(source.find('\n', begin), source.size());
    std::string_view line = trimmed(std::string_view{source}.substr(begin, end - begin));
    begin = end + 1;
    ++line_number;
    if (!take(line, "#") || !(take(line, "include_next") || take(line, "include"))) {
      continue;
    }
    const bool quoted = line.starts_with('"');
    const bool named = quoted || line.starts_with('<');
    const std::size_t close = line.find(quoted ? '"' : '>', 1);
    const bool complete = named && close != std::string_view::npos;
    found.push_back({.line = line_number,
                     .quoted = quoted,
                     .name = std::string{complete ? line.substr(1, close - 1) : ""}});
  }
  return found;
}

std::size_t line_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  return 1 + static_cast<std::size_t>(std::ranges::count(before, '\n'));
}

}  // namespace damson::structure
