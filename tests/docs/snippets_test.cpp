#include "snippets.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "reference.hpp"

namespace damson::docs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(snippets, are_found_with_language_and_line) {
  EXPECT_THAT(snippets_in("Text\n```cpp\nint a;\nint b;\n```\n\n```\nplain\n```\n"),
              ElementsAre(snippet{"cpp", 3, "int a;\nint b;\n"}, snippet{"", 8, "plain\n"}));
}

TEST(snippets, are_written_as_sources_that_name_their_document) {
  const auto folder =
      std::filesystem::path{testing::TempDir()} / ("damson_snippets_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::array documents{folder / "doc.md"};
  std::ofstream{documents[0]} << "```cpp\nvoid f();\n```\n```sh\nls\n```\n"
                                 "```cpp\n#include <x>\nint main() {}\n```\n```c\nint c;\n```\n";
  write_snippets(folder, documents);
  const std::string place = '"' + documents[0].string() + "\"\n";
  EXPECT_THAT(read_file(folder / "together.cpp"),
              AllOf(HasSubstr("namespace snippet_1 {\n#line 2 " + place + "void f();\n}\n"),
                    Not(HasSubstr("ls"))));
  EXPECT_EQ(read_file(folder / "snippet_2.cpp"),
            "#line 8 " + place + "#include <x>\nint main() {}\n");
  EXPECT_EQ(read_file(folder / "snippet_3.c"), "#line 12 " + place + "int c;\n");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace damson::docs
