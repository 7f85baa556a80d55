#include "reference.hpp"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace damson::docs {

namespace {

using namespace std::string_view_literals;
using enum declaration_kind;

std::string code(std::string_view text) { return "`" + std::string{text} + "`"; }

/// One line, without what ends a cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string collapsed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n';
    if (!space || (!out.empty() && out.back() != ' ')) out += space ? ' ' : c;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

void paragraph(std::string& out, std::string_view text) {
  if (!text.empty()) out += std::string{text} + "\n\n";
}

struct variable_parts {
  std::string type;
  std::string value;
};

/// `std::chrono::seconds lifetime{7200}` is of that type and has 7200.
variable_parts parts_of(const declaration& what) {
  std::string text = collapsed(what.text);
  if (what.kind == alias) return {.type = text.substr(text.find('=') + 2), .value = ""};
  for (const auto prefix : {"static "sv, "constexpr "sv}) {
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
  }
  const std::size_t end = std::min(text.find_first_of("={["), text.size());
  const std::size_t name = text.rfind(what.name, end);
  std::string type = collapsed(text.substr(0, name));
  std::string value = text.substr(end);
  if (value.starts_with('[')) {
    type += value;
    value.clear();
  } else if (value.starts_with('=')) {
    value = collapsed(value.substr(1));
  } else if (value.starts_with('{')) {
    value = value.substr(1, value.size() - 2);
  }
  return {.type = std::move(type), .value = std::move(value)};
}

void variables(std::string& out, std::span<const declaration> members) {
  struct row {
    const declaration* what;
    variable_parts parts;
  };
  std::vector<row> rows;
  for (const declaration& member : members) {
    if (member.kind == variable || member.kind == alias)
      rows.push_back({.what = &member, .parts = parts_of(member)});
  }
  if (rows.empty()) return;
  const bool has_defaults =
      std::ranges::any_of(rows, [](const row& each) { return !each.parts.value.empty(); });
  out += has_defaults ? "| member | type | default | |\n|---|---|---|---|\n"
                      : "| member | type | |\n|---|---|---|\n";
  for (const auto& [what, parts] : rows) {
    out += "| " + code(what->name) + " | " + code(cell(parts.type)) + " | ";
    if (has_defaults) out += (parts.value.empty() ? "" : code(cell(parts.value))) + " | ";
    out += cell(what->doc) + " |\n";
  }
  out += '\n';
}

void enumerators(std::string& out, std::span<const declaration> members) {
  const bool has_docs =
      std::ranges::any_of(members, [](const declaration& each) { return !each.doc.empty(); });
  if (!has_docs) {
    std::string list;
    for (const declaration& member : members)
      list += (list.empty() ? "" : ", ") + code(member.text);
    paragraph(out, "Values: " + list + ".");
    return;
  }
  out += "| value | |\n|---|---|\n";
  for (const declaration& member : members)
    out += "| " + code(member.text) + " | " + cell(member.doc) + " |\n";
  out += '\n';
}

/// Constructors, destructors and assignments that do what everybody expects.
bool is_silent_special(const declaration& what, std::string_view type) {
  return what.doc.empty() &&
         (what.name == type || what.name.starts_with('~') || what.name == "operator=");
}

/// Functions that share one comment, or have none.
using function_group = std::vector<const declaration*>;

std::vector<function_group> groups_of(std::span<const declaration> declarations,
                                      std::string_view type) {
  std::vector<function_group> out;
  const declaration* previous = nullptr;
  for (const declaration& each : declarations) {
    if (each.kind != function || is_silent_special(each, type)) {
      previous = nullptr;
      continue;
    }
    const bool joins = previous != nullptr && each.doc.empty() &&
                       (!each.after_gap || out.back().front()->doc.empty());
    if (!joins) out.emplace_back();
    out.back().push_back(&each);
    previous = &each;
  }
  return out;
}

std::string heading_of(const function_group& group, std::string_view type) {
  std::vector<std::string> names;
  for (const declaration* each : group) {
    std::string name = type.empty() ? each->name : std::string{type} + "::" + each->name;
    if (std::ranges::count(names, name) == 0) names.push_back(std::move(name));
  }
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + code(name);
  return out;
}

void functions(std::string& out, std::span<const declaration> declarations, std::string_view type,
               std::string_view level, std::string& last_heading) {
  for (const function_group& group : groups_of(declarations, type)) {
    const std::string heading = heading_of(group, type);
    if (heading != last_heading) out += std::string{level} + ' ' + heading + "\n\n";
    last_heading = heading;
    out += "```c++\n";
    for (const declaration* each : group) out += each->text + ";\n";
    out += "```\n\n";
    paragraph(out, group.front()->doc);
  }
}

void macros(std::string& out, std::span<const declaration> declarations) {
  out += "| macro | value | |\n|---|---|---|\n";
  for (const declaration& each : declarations)
    out += "| " + code(each.name) + " | " + code(each.text) + " | " + cell(each.doc) + " |\n";
  out += '\n';
}

void one(std::string& out, const declaration& what) {
  switch (what.kind) {
    case section:
      out += "### " + what.name + "\n\n";
      paragraph(out, what.doc);
      break;
    case type: {
      out += "#### " + code(what.name) + " (" + what.text + ")\n\n";
      paragraph(out, what.doc);
      variables(out, what.members);
      std::string no_heading;
      functions(out, what.members, what.name, "#####", no_heading);
      break;
    }
    case enumeration:
      out += "#### " + code(what.name) + " (enum)\n\n";
      paragraph(out, what.doc);
      enumerators(out, what.members);
      break;
    case alias:
      out += "#### " + code(what.name) + "\n\n```c++\n" + what.text + ";\n```\n\n";
      paragraph(out, what.doc);
      break;
    case function:
    case macro:
    case variable:
    case enumerator:
      throw std::logic_error{what.name + " is no kind of its own here"};
  }
}

}  // namespace

std::string to_markdown(const header& what) {
  std::string out;
  paragraph(out, what.intro);
  const std::span<const declaration> all{what.declarations};
  std::string last_heading;
  for (std::size_t at = 0; at < all.size();) {
    // Functions and macros are told in runs, because neighbours may belong together.
    const auto kind = all[at].kind;
    const auto end =
        std::ranges::find_if(all.begin() + static_cast<std::ptrdiff_t>(at), all.end(),
                             [&](const declaration& each) { return each.kind != kind; });
    const auto run = all.subspan(at, static_cast<std::size_t>(end - all.begin()) - at);
    if (kind == function)
      functions(out, run, "", "####", last_heading);
    else if (kind == macro)
      macros(out, run);
    else
      for (const declaration& each : run) one(out, each);
    if (kind != function) last_heading.clear();
    at += run.size();
  }
  return out;
}

std::string fill_in(std::string_view text, const std::filesystem::path& include_dir) {
  constexpr auto mark = "<!-- reference: "sv;
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with(mark)) {
      const auto file = line.substr(mark.size(), line.rfind(" -->") - mark.size());
      try {
        out += to_markdown(read_header(read_file(include_dir / file)));
      } catch (const unreadable& error) {
        throw unreadable{std::string{file} + ", " + error.what()};
      }
      while (out.ends_with("\n\n")) out.pop_back();
    } else {
      out += std::string{line} + '\n';
    }
  }
  return out;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) throw std::runtime_error{"cannot read " + path.string()};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string api_reference(const std::filesystem::path& source_tree) {
  return fill_in(read_file(source_tree / "docs/api.in.md"), source_tree / "include");
}

}  // namespace damson::docs
