#include "header_reader.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <optional>
#include <utility>

namespace damson::docs {

namespace {

using namespace std::string_view_literals;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool begins_with_word(std::string_view text, std::string_view word) {
  return text.starts_with(word) && (text.size() == word.size() || !is_word(text[word.size()]));
}

/// Takes the word from the front of the text if it is there.
bool take_word(std::string_view& text, std::string_view word) {
  if (!begins_with_word(text, word)) return false;
  text = trimmed(text.substr(word.size()));
  return true;
}

std::string_view last_word(std::string_view text) {
  text = trimmed(text);
  std::size_t begin = text.size();
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  return text.substr(begin);
}

/// The place of the first such character outside of all brackets, angle brackets among them.
std::size_t find_outside(std::string_view text, char wanted) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == wanted && depth == 0) return i;
    if ("(<[{"sv.contains(c)) ++depth;
    if (")>]}"sv.contains(c)) --depth;
  }
  return std::string_view::npos;
}

/// Without the template head and what a declaration begins with that is not part of its type.
std::string_view without_template_head(std::string_view text) {
  if (!begins_with_word(text, "template")) return text;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<') ++depth;
    if (text[i] == '>' && --depth == 0) return trimmed(text.substr(i + 1));
  }
  return text;
}

bool is_function(std::string_view text) {
  text = without_template_head(text);
  return text.contains("operator") || find_outside(text, '(') != std::string_view::npos;
}

std::string function_name(std::string_view text) {
  text = without_template_head(text);
  if (const auto at = text.find("operator"); at != std::string_view::npos)
    return std::string{trimmed(text.substr(at, text.find('(', at) - at))};
  const std::string_view before = trimmed(text.substr(0, find_outside(text, '(')));
  const std::string_view name = last_word(before);
  const bool is_destructor = before.substr(0, before.size() - name.size()).ends_with('~');
  return (is_destructor ? "~" : "") + std::string{name};
}

/// A declaration that is one of a forward-declared type.
bool is_forward(std::string_view text) {
  const bool is_type = take_word(text, "class") || take_word(text, "struct");
  return is_type && std::ranges::all_of(text, is_word);
}

class reader {
 public:
  explicit reader(std::string_view text) : text_(text) {}

  header read() {
    header out;
    out.declarations = scope(true);
    if (at_ < text_.size()) fail("a closing brace too many");
    out.intro = std::move(intro_);
    return out;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    const auto line = 1 + std::ranges::count(text_.substr(0, at_), '\n');
    throw unreadable{"line " + std::to_string(line) + ": " + std::string{what}};
  }

  std::string_view rest() const { return text_.substr(at_); }
  bool sees(std::string_view what) const { return rest().starts_with(what); }

  std::string_view take_line() {
    const auto line = rest().substr(0, rest().find('\n'));
    at_ += line.size();
    return line;
  }

  /// How many line ends were passed over.
  std::size_t skip_space() {
    std::size_t lines = 0;
    for (; at_ < text_.size() && is_space(text_[at_]); ++at_) lines += text_[at_] == '\n' ? 1U : 0U;
    return lines;
  }

  /// From an opening bracket to behind its closing one.
  void skip_balanced() {
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      if (sees("//")) take_line();
      if (sees("/*")) at_ = text_.find("*/", at_) + 1;
      if (at_ >= text_.size()) break;
      const char c = text_[at_];
      if ("({["sv.contains(c)) ++depth;
      if (")}]"sv.contains(c) && --depth == 0) {
        ++at_;
        return;
      }
    }
    fail("a bracket is not closed");
  }

  // Comments

  static void add_line(std::string& doc, std::string_view line) {
    if (!doc.empty()) doc += '\n';
    doc += line;
  }

  /// The text of a C comment, without signs.
  std::string take_c_comment() {
    const std::size_t end = text_.find("*/", at_);
    if (end == std::string_view::npos) fail("a comment is not closed");
    std::string_view inside = text_.substr(at_ + 2, end - at_ - 2);
    at_ = end + 2;
    std::string out;
    while (!inside.empty()) {
      const std::string_view whole = inside.substr(0, inside.find('\n'));
      inside.remove_prefix(std::min(whole.size() + 1, inside.size()));
      std::string_view line = trimmed(whole);
      if (line.starts_with("* ") || line == "*") line.remove_prefix(std::min(line.size(), 2UZ));
      if (!out.empty() || !line.empty()) add_line(out, line);
    }
    return std::string{trimmed(out)};
  }

  /// At a comment. `lines`: how many line ends there are between it and what stood before.
  void comment(std::vector<declaration>& into, std::size_t lines) {
    if (sees("///<")) {
      if (into.empty()) fail("a trailing comment without anything before it");
      add_line(into.back().doc, trimmed(take_line().substr(4)));
    } else if (sees("///")) {
      std::string_view line = take_line().substr(3);
      if (line.starts_with(' ')) line.remove_prefix(1);
      add_line(doc_, line);
    } else if (sees("/*")) {
      std::string text = take_c_comment();
      if (text.starts_with("-----"))
        section(into, text.substr(text.find('\n') + 1));
      else if (lines == 0 && !into.empty())
        into.back().doc = std::move(text);
      else
        doc_ = std::move(text);
    } else if (const auto line = take_line(); line.starts_with("// -----")) {
      skip_space();
      if (sees("// ")) section(into, take_line().substr(3));
    }
  }

  /// A title, or a title with a colon and a text that goes on.
  static void section(std::vector<declaration>& into, std::string_view text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const bool goes_on = text.size() > line.size() + 1 && text[line.size() + 1] != '\n';
    const std::string_view title = goes_on ? line.substr(0, line.find(':')) : line;
    text.remove_prefix(title.size());
    if (text.starts_with(':')) text.remove_prefix(1);
    declaration out;
    out.kind = declaration_kind::section;
    out.name = title;
    out.doc = trimmed(text);
    if (!out.doc.empty())
      out.doc.front() =
          static_cast<char>(std::toupper(static_cast<unsigned char>(out.doc.front())));
    into.push_back(std::move(out));
  }

  // Scopes

  /// Up to the closing brace, which is left standing, or the end. What is private is read and
  /// dropped.
  std::vector<declaration> scope(bool is_public) {
    std::vector<declaration> out;
    std::vector<declaration> dropped;
    for (;;) {
      const std::size_t lines = skip_space();
      gap_ = gap_ || lines > 1;
      if (lines > 1) leave_detached_comment();
      if (at_ >= text_.size() || sees("}")) return out;
      auto& into = is_public ? out : dropped;
      if (sees("//") || sees("/*")) {
        comment(into, lines);
      } else if (sees("#")) {
        preprocessor(into);
      } else if (const auto access = access_specifier()) {
        is_public = *access;
      } else {
        one_declaration(into);
      }
    }
  }

  std::optional<bool> access_specifier() {
    for (const auto& [word, access] : {std::pair{"public:"sv, true}, std::pair{"private:"sv, false},
                                       std::pair{"protected:"sv, false}}) {
      if (!sees(word)) continue;
      at_ += word.size();
      return access;
    }
    return std::nullopt;
  }

  /// The first comment that belongs to nothing is the header's own.
  void leave_detached_comment() {
    if (intro_.empty()) intro_ = doc_;
    doc_.clear();
  }

  void preprocessor(std::vector<declaration>& into) {
    std::string line{take_line()};
    while (line.ends_with('\\')) {
      ++at_;
      line += take_line();
    }
    std::string_view text = line;
    const bool defines = take_word(text, "#define");
    std::string_view value = text;
    while (!value.empty() && is_word(value.front())) value.remove_prefix(1);
    const std::string_view name = text.substr(0, text.size() - value.size());
    value = trimmed(value);
    // Include guards and attributes say nothing to the reader.
    if (!defines || value.empty() || name == "PLUM_EXPORT") {
      doc_.clear();
      return;
    }
    declaration out = made(declaration_kind::macro, name, "");
    if (const auto comment = value.find("/*"); comment != std::string_view::npos) {
      out.doc = trimmed(value.substr(comment + 2, value.find("*/") - comment - 2));
      value = trimmed(value.substr(0, comment));
    }
    out.text = value;
    into.push_back(std::move(out));
  }

  declaration made(declaration_kind kind, std::string_view name, std::string_view text) {
    declaration out;
    out.kind = kind;
    out.name = name;
    out.text = text;
    out.doc = std::exchange(doc_, {});
    out.after_gap = std::exchange(gap_, false);
    return out;
  }

  // Declarations

  void one_declaration(std::vector<declaration>& into) {
    const std::size_t begin = at_;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      const std::string_view head = trimmed(text_.substr(begin, at_ - begin));
      if (c == '(' || c == '[') ++depth;
      if (c == ')' || c == ']') --depth;
      if (depth > 0) continue;
      if (c == ';') {
        ++at_;
        simple(into, head, begin);
        return;
      }
      if (c == ':' && sees("::")) {
        ++at_;
      } else if (c == ':' && head.contains(')')) {
        skip_initialisers();
        add_function(into, head, begin);
        return;
      } else if (c == '{' && block(into, head, begin)) {
        return;
      }
    }
    fail("a declaration does not end");
  }

  /// At an opening brace; false where it is an initialiser, which is then behind.
  bool block(std::vector<declaration>& into, std::string_view head, std::size_t begin) {
    std::string_view words = head;
    const bool is_typedef = take_word(words, "typedef");
    if (take_word(words, "namespace") || words.starts_with("extern \"C\"")) {
      transparent(into, words);
    } else if (take_word(words, "enum")) {
      take_word(words, "class");
      enumeration(into, words, is_typedef);
    } else if (begins_with_word(words, "template") && words.starts_with("template <>")) {
      skip_balanced();  // traits of the library that this specialises
      after_body();
      doc_.clear();
    } else if (begins_with_word(words, "class") || begins_with_word(words, "struct")) {
      type(into, words, is_typedef);
    } else if (is_function(head)) {
      skip_balanced();
      add_function(into, head, begin);
    } else {
      skip_balanced();
      --at_;
      return false;
    }
    return true;
  }

  void transparent(std::vector<declaration>& into, std::string_view name) {
    if (name == "detail") {
      skip_balanced();
      doc_.clear();
      return;
    }
    ++at_;
    auto inside = scope(true);
    std::ranges::move(inside, std::back_inserter(into));
    expect('}');
  }

  void expect(char what) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != what) fail(std::string{"expected "} + what);
    ++at_;
  }

  /// The name between the closing brace and the semicolon, where there is one.
  std::string after_body() {
    const std::size_t end = text_.find(';', at_);
    if (end == std::string_view::npos) fail("a type does not end");
    const std::string name{trimmed(text_.substr(at_, end - at_))};
    at_ = end + 1;
    return name;
  }

  void type(std::vector<declaration>& into, std::string_view words, bool is_typedef) {
    const bool is_struct = take_word(words, "struct");
    if (!is_struct) take_word(words, "class");
    const std::string_view name = words.substr(0, words.find_first_of(" :"));
    declaration out = made(declaration_kind::type, name, is_struct ? "struct" : "class");
    ++at_;
    out.members = scope(is_struct);
    expect('}');
    const std::string typedef_name = after_body();
    if (is_typedef) out.name = typedef_name;
    gap_ = false;
    into.push_back(std::move(out));
  }

  void enumeration(std::vector<declaration>& into, std::string_view words, bool is_typedef) {
    const std::string_view name = trimmed(words.substr(0, words.find(':')));
    declaration out = made(declaration_kind::enumeration, name, "");
    if (const auto colon = words.find(':'); colon != std::string_view::npos)
      out.text = trimmed(words.substr(colon + 1));
    ++at_;
    for (;;) {
      const std::size_t lines = skip_space();
      if (sees("}")) break;
      if (sees(",")) {
        ++at_;
      } else if (sees("//") || sees("/*")) {
        comment(out.members, lines);
      } else {
        const std::size_t end = text_.find_first_of(",}/\n", at_);
        if (end == std::string_view::npos) fail("an enumeration does not end");
        const std::string_view whole = trimmed(text_.substr(at_, end - at_));
        at_ = end;
        out.members.push_back(
            made(declaration_kind::enumerator, trimmed(whole.substr(0, whole.find('='))), whole));
      }
    }
    expect('}');
    const std::string typedef_name = after_body();
    if (is_typedef) out.name = typedef_name;
    if (out.members.empty()) {
      out.kind = declaration_kind::type;
      out.text = "strong type over " + out.text;
    }
    into.push_back(std::move(out));
  }

  /// From the colon of a constructor to behind its body.
  void skip_initialisers() {
    for (;;) {
      at_ = text_.find_first_of("({", at_);
      if (at_ == std::string_view::npos) fail("a constructor does not end");
      skip_balanced();
      skip_space();
      if (sees(",")) continue;
      if (sees("{")) skip_balanced();
      return;
    }
  }

  /// What ended with a semicolon.
  void simple(std::vector<declaration>& into, std::string_view head, std::size_t begin) {
    std::string_view words = head;
    if (begins_with_word(head, "friend") || head.ends_with("= delete") ||
        head.ends_with("= default") || is_forward(head)) {
      doc_.clear();
    } else if (take_word(words, "using")) {
      into.push_back(made(declaration_kind::alias, trimmed(words.substr(0, words.find('='))),
                          unindented(head, begin)));
    } else if (begins_with_word(head, "typedef")) {
      const auto star = head.find("(*");
      if (star == std::string_view::npos) fail("a typedef that is no function pointer");
      into.push_back(made(declaration_kind::alias,
                          head.substr(star + 2, head.find(')', star) - star - 2),
                          unindented(head, begin)));
    } else if (is_function(head)) {
      add_function(into, head, begin);
    } else {
      const std::string_view before = head.substr(0, head.find_first_of("={["));
      const std::string_view name = last_word(before);
      if (name.empty()) fail("a declaration without a name");
      into.push_back(made(declaration_kind::variable, name, unindented(head, begin)));
    }
  }

  void add_function(std::vector<declaration>& into, std::string_view head, std::size_t begin) {
    if (begins_with_word(head, "friend")) return;
    into.push_back(made(declaration_kind::function, function_name(head), unindented(head, begin)));
  }

  /// The lines of a declaration, moved to the left by as much as its first one stands to the right.
  std::string unindented(std::string_view head, std::size_t begin) const {
    const std::size_t line_begin = text_.rfind('\n', begin) + 1;
    const std::string indentation = "\n" + std::string(begin - line_begin, ' ');
    std::string out{head};
    for (std::size_t at = 0; (at = out.find(indentation, at)) != std::string::npos; ++at)
      out.erase(at + 1, indentation.size() - 1);
    if (out.starts_with("PLUM_EXPORT ")) {
      constexpr std::size_t attribute = "PLUM_EXPORT "sv.size();
      out.erase(0, attribute);
      const std::string aligned = "\n" + std::string(attribute, ' ');
      for (std::size_t at = 0; (at = out.find(aligned, at)) != std::string::npos; ++at)
        out.erase(at + 1, attribute);
    }
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string intro_;
  std::string doc_;   ///< of what comes next
  bool gap_ = false;  ///< before what comes next
};

}  // namespace

header read_header(std::string_view text) { return reader{text}.read(); }

}  // namespace damson::docs
