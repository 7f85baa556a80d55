#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace damson::structure {

/// The text files of a source tree: path from its root, with '/', to content.
using source_tree = std::map<std::string, std::string>;

/// Reads a source tree from the disk. Left out are version control, build trees, caches, symbolic
/// links and files that hold a NUL byte. Throws `std::runtime_error` for a file that cannot be
/// read.
source_tree read_source_tree(const std::filesystem::path& root);

}  // namespace damson::structure
