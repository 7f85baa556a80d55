#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "header_reader.hpp"

namespace damson::docs {

/// The reference of one header in Markdown, headings from the third level on.
std::string to_markdown(const header& what);

/// A text in which each line `<!-- reference: FILE -->` is replaced by the reference of that header
/// below `include_dir`.
std::string fill_in(std::string_view text, const std::filesystem::path& include_dir);

std::string read_file(const std::filesystem::path& path);

/// docs/api.md as it has to be.
std::string api_reference(const std::filesystem::path& source_tree);

}  // namespace damson::docs
