#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "rules.hpp"
#include "source_tree.hpp"

namespace damson::structure {
namespace {

using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Key;
using testing::UnorderedElementsAre;

class this_tree : public testing::Test {
 protected:
  const source_tree tree_ = read_source_tree(DAMSON_SOURCE_TREE);
};

// An empty tree would pass everything below.
TEST_F(this_tree, is_read_whole) {
  EXPECT_THAT(tree_, IsSupersetOf({Key("CMakeLists.txt"), Key("include/damson/types.hpp"),
                                   Key("tests/structure/this_tree_test.cpp"), Key(".ci/run")}));
}

TEST_F(this_tree, includes_in_the_one_allowed_direction) {
  EXPECT_THAT(check_includes(tree_), IsEmpty());
}

TEST_F(this_tree, keeps_the_engine_free_of_clocks_threads_and_the_outside_world) {
  EXPECT_THAT(check_banned_calls(tree_), IsEmpty());
}

TEST_F(this_tree, keeps_the_simulator_away_from_our_codec) {
  EXPECT_THAT(check_simulator_reach(tree_), IsEmpty());
}

TEST_F(this_tree, names_no_path_of_one_machine) {
  EXPECT_THAT(check_machine_paths(tree_), IsEmpty());
}

TEST_F(this_tree, explains_the_quirks_that_it_names) {
  EXPECT_THAT(check_quirk_numbers(tree_), IsEmpty());
}

class tree_on_disk : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(root_); }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, std::string_view text) const {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream{file, std::ios::binary} << text;
  }

  const std::filesystem::path root_ =
      std::filesystem::path{testing::TempDir()} /
      ("damson-" + std::string{testing::UnitTest::GetInstance()->current_test_info()->name()});
};

TEST_F(tree_on_disk, is_read_without_build_trees_version_control_and_binaries) {
  write("src/base/rng.cpp", "text");
  write("README.md", "");
  write("build/release/x.cpp", "generated");
  write("build-other/x.cpp", "generated");
  write(".git/config", "theirs");
  write("docs/picture.png", std::string_view{"\x89PNG\0", 5});
  EXPECT_THAT(read_source_tree(root_),
              UnorderedElementsAre(Key("src/base/rng.cpp"), Key("README.md")));
}

TEST_F(tree_on_disk, shows_planted_violations_of_each_rule) {
  write("src/core/engine.cpp",
        "#include <boost/asio.hpp>\nauto t = std::chrono::steady_clock::now();\n");
  write("src/wire/pcp.hpp",
        "// /ho"
        "me/somebody/pcp.hpp\n");
  write("sim/gateway.cpp", "#include \"wire/pcp.hpp\"\n");
  const source_tree tree = read_source_tree(root_);
  EXPECT_EQ(check_includes(tree).size(), 2U);
  EXPECT_EQ(check_banned_calls(tree).size(), 1U);
  EXPECT_EQ(check_simulator_reach(tree).size(), 1U);
  EXPECT_EQ(check_machine_paths(tree).size(), 1U);
  // Put together, so that this file names none.
  const std::string quirk = std::string{"Q"} + "-9";
  EXPECT_EQ(check_quirk_numbers({{"src/a.cpp", "// " + quirk + "8 " + quirk + "9\n"},
                                 {"docs/quirks.md", "| " + quirk + "8 | known | here |\n"}})
                .size(),
            1U);
}

}  // namespace
}  // namespace damson::structure
