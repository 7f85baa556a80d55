#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace damson::docs {

/// One block of code between two fences of a Markdown text.
struct snippet {
  std::string language;  ///< the word behind the fence
  std::size_t line = 0;  ///< of its first line of code, from 1
  std::string code;

  friend bool operator==(const snippet&, const snippet&) = default;
};

std::vector<snippet> snippets_in(std::string_view markdown);

/// Writes the C++ and C blocks of the documents into the folder as sources that must compile: what
/// begins with an include is a source of its own; all other C++ goes into one source, each block in
/// a namespace, behind the includes and names that readers are expected to know. Errors of the
/// compiler name the document and its line.
void write_snippets(const std::filesystem::path& folder,
                    std::span<const std::filesystem::path> documents);

}  // namespace damson::docs
