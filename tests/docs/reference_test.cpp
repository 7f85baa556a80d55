#include "reference.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace damson::docs {
namespace {

std::string markdown(std::string_view text) { return to_markdown(read_header(text)); }

TEST(reference, shows_members_with_types_and_defaults) {
  EXPECT_EQ(markdown(R"(/// One port.
struct request {
  /// What is
  /// carried|sent.
  transport how = transport::tcp;
  std::chrono::milliseconds timeout{30'000};
  std::optional<int> none{};
};
)"),
            R"(#### `request` (struct)

One port.

| member | type | default | |
|---|---|---|---|
| `how` | `transport` | `transport::tcp` | What is carried\|sent. |
| `timeout` | `std::chrono::milliseconds` | `30'000` |  |
| `none` | `std::optional<int>` |  |  |

)");
}

TEST(reference, has_no_column_without_content) {
  EXPECT_EQ(markdown("struct s {\n  int a;\n};\nenum class e { x, y };\n"),
            R"(#### `s` (struct)

| member | type | |
|---|---|---|
| `a` | `int` |  |

#### `e` (enum)

Values: `x`, `y`.

)");
}

TEST(reference, shows_overloads_under_one_heading_and_neighbours_in_one_block) {
  EXPECT_EQ(markdown(R"(/// A.
std::string to_string(a);
/// B and C.
std::string to_string(b);
std::string to_text(c);
)"),
            R"(#### `to_string`

```c++
std::string to_string(a);
```

A.

#### `to_string`, `to_text`

```c++
std::string to_string(b);
std::string to_text(c);
```

B and C.

)");
}

TEST(reference, leaves_out_special_members_that_say_nothing) {
  EXPECT_EQ(markdown(R"(class c {
 public:
  c();
  c& operator=(c&&) noexcept;
  ~c();
  /// Does.
  void work();
};
)"),
            R"(#### `c` (class)

##### `c::work`

```c++
void work();
```

Does.

)");
}

TEST(reference, fills_in_headers_and_names_the_one_it_cannot_read) {
  const auto folder = std::filesystem::path{testing::TempDir()} /
                      ("damson_reference_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream{folder / "good.hpp"} << "/// F.\nvoid f();\n";
  std::ofstream{folder / "bad.hpp"} << "\nvoid f(\n";
  EXPECT_EQ(fill_in("# Title\n\n<!-- reference: good.hpp -->\n\nEnd.\n", folder),
            "# Title\n\n#### `f`\n\n```c++\nvoid f();\n```\n\nF.\n\nEnd.\n");
  try {
    fill_in("<!-- reference: bad.hpp -->\n", folder);
    ADD_FAILURE() << "no exception";
  } catch (const unreadable& error) {
    EXPECT_EQ(std::string{error.what()}, "bad.hpp, line 3: a declaration does not end");
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace damson::docs
