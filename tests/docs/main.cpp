// damson_docs reference SOURCE_TREE            prints docs/api.md as it has to be
// damson_docs snippets FOLDER DOCUMENT...      writes the documents' code into the folder, to be
// compiled

#include <cstddef>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <span>
#include <string_view>
#include <vector>

#include "reference.hpp"
#include "snippets.hpp"

int main(int argc, char** argv) try {
  const std::span words{argv, static_cast<std::size_t>(argc)};
  if (words.size() == 3 && std::string_view{words[1]} == "reference") {
    std::cout << damson::docs::api_reference(words[2]);
    return EXIT_SUCCESS;
  }
  if (words.size() > 3 && std::string_view{words[1]} == "snippets") {
    const std::vector<std::filesystem::path> documents(words.begin() + 3, words.end());
    damson::docs::write_snippets(words[2], documents);
    return EXIT_SUCCESS;
  }
  std::cerr << "usage: damson_docs reference SOURCE_TREE | snippets FOLDER DOCUMENT...\n";
  return 2;
} catch (const std::exception& error) {
  std::cerr << "damson_docs: " << error.what() << '\n';
  return EXIT_FAILURE;
}
