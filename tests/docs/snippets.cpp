#include "snippets.hpp"

#include <algorithm>
#include <cstddef>
#include <fstream>

#include "reference.hpp"

namespace damson::docs {

namespace {

constexpr std::string_view known_to_readers = R"(#include <chrono>
#include <functional>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <damson/damson.hpp>
namespace asio = boost::asio;
)";

std::string place(const std::filesystem::path& document, std::size_t line) {
  return "#line " + std::to_string(line) + " \"" + document.string() + "\"\n";
}

}  // namespace

std::vector<snippet> snippets_in(std::string_view markdown) {
  constexpr std::string_view fence = "```";
  std::vector<snippet> out;
  bool inside = false;
  for (std::size_t number = 1; !markdown.empty(); ++number) {
    const std::string_view line = markdown.substr(0, markdown.find('\n'));
    markdown.remove_prefix(std::min(line.size() + 1, markdown.size()));
    if (line.starts_with(fence)) {
      inside = !inside;
      if (inside) out.push_back({std::string{line.substr(fence.size())}, number + 1, ""});
    } else if (inside) {
      out.back().code += std::string{line} + '\n';
    }
  }
  return out;
}

void write_snippets(const std::filesystem::path& folder,
                    std::span<const std::filesystem::path> documents) {
  std::ofstream together{folder / "together.cpp"};
  together << known_to_readers;
  std::size_t number = 0;
  for (const auto& document : documents) {
    for (const snippet& each : snippets_in(read_file(document))) {
      if (each.language != "cpp" && each.language != "c") continue;
      const std::string name = "snippet_" + std::to_string(++number);
      const std::string body = place(document, each.line) + each.code;
      if (each.language == "c" || each.code.starts_with("#include"))
        std::ofstream{folder / (name + '.' + each.language)} << body;
      else
        together << "namespace " << name << " {\n" << body << "}\n";
    }
  }
}

}  // namespace damson::docs
