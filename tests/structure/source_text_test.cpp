#include "source_text.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace damson::structure {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct blanking_case {
  std::string text;
  std::string without_comments;
  std::string code_only;
};

TEST(source_text, blanks_comments_and_the_insides_of_literals) {
  const std::vector<blanking_case> cases{
      {.text = "a // b\nc", .without_comments = "a     \nc", .code_only = "a     \nc"},
      {.text = "a /* b\n */ c", .without_comments = "a     \n    c", .code_only = "a     \n    c"},
      {.text = "a /* b", .without_comments = "a     ", .code_only = "a     "},
      {.text = R"("// b" c)", .without_comments = R"("// b" c)", .code_only = R"("    " c)"},
      {.text = R"("a\"b" c)", .without_comments = R"("a\"b" c)", .code_only = R"("    " c)"},
      {.text = R"('"' + "b")", .without_comments = R"('"' + "b")", .code_only = R"(' ' + " ")"},
      {.text = "1'000 + '/'", .without_comments = "1'000 + '/'", .code_only = "1'000 + ' '"},
      {.text = "0xff'ff'00", .without_comments = "0xff'ff'00", .code_only = "0xff'ff'00"},
      {.text = "u8'a'", .without_comments = "u8'a'", .code_only = "u8' '"},
      {.text = "R\"x(a\")x\" b",
       .without_comments = "R\"x(a\")x\" b",
       .code_only = "R\"      \" b"},
      {.text = "\"open\nb", .without_comments = "\"open\nb", .code_only = "\"    \nb"},
  };
  for (const blanking_case& c : cases) {
    EXPECT_EQ(without_comments(c.text), c.without_comments) << c.text;
    EXPECT_EQ(code_only(c.text), c.code_only) << c.text;
  }
}

TEST(source_text, finds_includes_in_every_spelling) {
  EXPECT_THAT(includes_of("#include <vector>\n"
                          "  #  include \"wire/pcp.hpp\"  // why\n"
                          "// #include <thread>\n"
                          "/* #include <mutex>\n"
                          "#include <mutex> */\n"
                          "#ifdef never\n"
                          "#include/**/<sys/socket.h>\n"
                          "#endif\n"
                          "const char* text = \"#include <future>\";\n"
                          "#include HEADER\n"
                          "#include_next <ctime>"),
              ElementsAre(include_directive{.line = 1, .quoted = false, .name = "vector"},
                          include_directive{.line = 2, .quoted = true, .name = "wire/pcp.hpp"},
                          include_directive{.line = 7, .quoted = false, .name = "sys/socket.h"},
                          include_directive{.line = 10, .quoted = false, .name = ""},
                          include_directive{.line = 11, .quoted = false, .name = "ctime"}));
  EXPECT_THAT(includes_of(""), IsEmpty());
}

TEST(source_text, counts_lines_from_one) {
  EXPECT_EQ(line_at("a\nb\nc", 0), 1U);
  EXPECT_EQ(line_at("a\nb\nc", 2), 2U);
  EXPECT_EQ(line_at("a\nb\nc", 4), 3U);
}

}  // namespace
}  // namespace damson::structure
