#include "header_reader.hpp"

#include <gmock/gmock.h>

#include <string>
#include <string_view>
#include <vector>

namespace damson::docs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;
using enum declaration_kind;

/// What is in one namespace, as `kind name`.
std::vector<declaration> read(const std::string& body) {
  return read_header("#pragma once\n\n#include <x>\n\nnamespace damson {\n\n" + body +
                     "\n}  // namespace damson\n")
      .declarations;
}

auto is(declaration_kind kind, const std::string& name, const std::string& doc = "") {
  return AllOf(Field("kind", &declaration::kind, kind), Field("name", &declaration::name, name),
               Field("doc", &declaration::doc, doc));
}

TEST(header_reader, takes_the_first_detached_comment_for_the_headers_own) {
  const header found = read_header(
      "#pragma once\n\n/// About.\n///\n/// More.\n\n#include <x>\n\n/// F.\nvoid f();\n");
  EXPECT_EQ(found.intro, "About.\n\nMore.");
  EXPECT_THAT(found.declarations, ElementsAre(is(function, "f", "F.")));
}

TEST(header_reader, reads_structs_with_both_styles_of_comments) {
  const auto found = read(R"(/// One port.
struct request {
  /// What is
  /// carried.
  damson::transport transport = damson::transport::tcp;
  std::chrono::milliseconds timeout{30'000};  ///< above 0,
                                              ///< at most a day
  static constexpr std::size_t most =
      1'100;
  std::optional<std::function<void(int)>> call{};
  friend bool operator==(const request&, const request&) = default;
};)");
  ASSERT_THAT(found, ElementsAre(is(type, "request", "One port.")));
  EXPECT_THAT(found[0].members, ElementsAre(is(variable, "transport", "What is\ncarried."),
                                            is(variable, "timeout", "above 0,\nat most a day"),
                                            is(variable, "most"), is(variable, "call")));
}

TEST(header_reader, reads_enums) {
  const auto found = read(R"(/// E.
enum class e : std::uint8_t {
  a = 1,  ///< first
  b,      ///< second, and
          ///< more
  c,
};
enum class short_one { x, y };
enum class id : std::uint32_t {};)");
  ASSERT_THAT(
      found, ElementsAre(is(enumeration, "e", "E."), is(enumeration, "short_one"), is(type, "id")));
  EXPECT_THAT(found[0].members,
              ElementsAre(is(enumerator, "a", "first"), is(enumerator, "b", "second, and\nmore"),
                          is(enumerator, "c")));
  EXPECT_THAT(found[1].members, ElementsAre(is(enumerator, "x"), is(enumerator, "y")));
}

TEST(header_reader, reads_classes_and_leaves_out_what_is_private_or_deleted) {
  const auto found = read(R"(class other;

class c : public base {
 public:
  /// Made.
  constexpr explicit c(const bytes& b = {}) noexcept : bytes_{b[0], 1}, size_(2) {
    if (b) return;
  }
  c(const c&) = delete;
  ~c();

  explicit operator bool() const noexcept { return size_ != 0; }
  template <class Token>
  auto async_wait(Token&& token) && {
    return initiate<Token, void(int)>([](auto handler) { handler(1); }, token);
  }

 private:
  friend class other;
  void hidden();
  int size_ = 0;

 public:
  bool operator<(int) const;
};)");
  ASSERT_THAT(found, ElementsAre(is(type, "c")));
  EXPECT_THAT(found[0].members, ElementsAre(is(function, "c", "Made."), is(function, "~c"),
                                            is(function, "operator bool"),
                                            is(function, "async_wait"), is(function, "operator<")));
  EXPECT_EQ(found[0].members[0].text, "constexpr explicit c(const bytes& b = {}) noexcept");
  EXPECT_EQ(found[0].members[3].text, "template <class Token>\nauto async_wait(Token&& token) &&");
}

TEST(header_reader, knows_gaps_between_functions) {
  const auto found = read("/// A.\nvoid a();\nvoid b();\n\nvoid c();\n");
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_FALSE(found[1].after_gap);
  EXPECT_TRUE(found[2].after_gap);
}

TEST(header_reader, reads_aliases_sections_and_nothing_of_details) {
  const auto found = read(R"(namespace detail {
class hidden {};
}

// ----------------------------------------------------
// Inputs

/// Any.
using input = std::variant<a, b>;)");
  EXPECT_THAT(found, ElementsAre(is(section, "Inputs"), is(alias, "input", "Any.")));
}

TEST(header_reader, passes_over_traits_and_comments_that_are_no_documentation) {
  const header found = read_header(
      "// A note.\ntemplate <>\nstruct std::is_error_code_enum<damson::errc> : std::true_type "
      "{};\n");
  EXPECT_THAT(found.declarations, IsEmpty());
}

TEST(header_reader, reads_c) {
  const header found = read_header(R"(#ifndef GUARD
#define GUARD

/*
 * The C interface.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PLUM_ERR_INVALID (-1) /* makes no sense */

/* ---------------------------------------
 * Start: what comes
 * first.
 */

typedef enum {
  LEVEL_A = 0, /* least */
  LEVEL_B = 1
} level_t;

/* Called. */
typedef void (*callback_t)(level_t level, const char *message);

/*
 * All zero is
 * the default.
 */
typedef struct {
  char host[PLUM_MAX]; /* a
                          name */
  /* Handed back. */
  void *user_ptr;
} config_t;

/* Starts. */
PLUM_EXPORT int start(const config_t *config,
                      int more);

#ifdef __cplusplus
}
#endif

#endif
)");
  EXPECT_EQ(found.intro, "The C interface.");
  ASSERT_THAT(found.declarations,
              ElementsAre(is(macro, "PLUM_ERR_INVALID", "makes no sense"),
                          is(section, "Start", "What comes\nfirst."), is(enumeration, "level_t"),
                          is(alias, "callback_t", "Called."),
                          is(type, "config_t", "All zero is\nthe default."),
                          is(function, "start", "Starts.")));
  EXPECT_THAT(found.declarations[2].members,
              ElementsAre(is(enumerator, "LEVEL_A", "least"), is(enumerator, "LEVEL_B")));
  EXPECT_THAT(found.declarations[4].members, ElementsAre(is(variable, "host", "a\nname"),
                                                         is(variable, "user_ptr", "Handed back.")));
  EXPECT_EQ(found.declarations[5].text, "int start(const config_t *config,\n          int more)");
}

TEST(header_reader, says_where_it_does_not_understand) {
  for (const std::string_view text :
       {"struct s {\n", "void f(\n", "namespace a {}\n}\n", "///< of nothing\n", "int\n",
        "/* open\n", "typedef int number;\n", "= 3;\n"}) {
    EXPECT_THROW(read_header(text), unreadable) << text;
  }
}

}  // namespace
}  // namespace damson::docs
