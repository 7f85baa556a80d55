#include "source_tree.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace damson::structure {
namespace {

bool is_left_out(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  return name == ".git" || name == ".cache" || name.starts_with("build");
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (!in) {
    throw std::runtime_error{"cannot read " + file.string()};
  }
  return text;
}

}  // namespace

source_tree read_source_tree(const std::filesystem::path& root) {
  source_tree tree;
  const std::filesystem::recursive_directory_iterator end;
  for (std::filesystem::recursive_directory_iterator entry{root}; entry != end; ++entry) {
    if (entry->is_symlink()) {
      continue;
    }
    if (entry->is_directory() && is_left_out(entry->path())) {
      entry.disable_recursion_pending();
    }
    if (!entry->is_regular_file()) {
      continue;
    }
    std::string text = read_file(entry->path());
    if (text.find('\0') == std::string::npos) {
      tree.emplace(entry->path().lexically_relative(root).generic_string(), std::move(text));
    }
  }
  return tree;
}

}  // namespace damson::structure
