// docs/api.md and this tree's headers.

#include <gmock/gmock.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "reference.hpp"

namespace damson::docs {
namespace {

using testing::HasSubstr;

const std::filesystem::path tree{DAMSON_SOURCE_TREE};

TEST(api_reference, is_what_the_headers_say) {
  EXPECT_TRUE(read_file(tree / "docs/api.md") == api_reference(tree))
      << "docs/api.md is out of date. Run: make docs";
}

TEST(api_reference, has_every_header) {
  const std::string text = read_file(tree / "docs/api.in.md");
  for (const auto* const folder : {"damson", "compat/plum"}) {
    for (const auto& file : std::filesystem::directory_iterator{tree / "include" / folder}) {
      const std::string name = std::string{folder} + '/' + file.path().filename().string();
      if (name == "damson/damson.hpp") continue;  // nothing but the others
      EXPECT_THAT(text, HasSubstr("\n<!-- reference: " + name + " -->\n"));
    }
  }
}

/// One of each kind, so that a reader which passes something over is noticed.
TEST(api_reference, has_names_of_every_kind) {
  const std::string text = api_reference(tree);
  for (const std::string_view name : {"`client::async_map`",
                                      "`client::keep_open`",
                                      "`client::~client`",
                                      "`mapping::detach`",
                                      "`mapping::operator bool`",
                                      "`map_request` (struct)",
                                      "`allow_permanent`",
                                      "`errc` (enum)",
                                      "`no_gateway = 1`",
                                      "`closed`",
                                      "`engine` (class)",
                                      "`engine::deadline`",
                                      "`channel_id` (strong type",
                                      "`input`",
                                      "`output`",
                                      "`log_sink`",
                                      "`engine_limits` (struct)",
                                      "`131'072`",
                                      "`read_network_facts`",
                                      "`boot_time_now`",
                                      "`ip_address::in_same_network`",
                                      "`operator<<`",
                                      "`DAMSON_VERSION_STRING`",
                                      "`library_version`",
                                      "`plum_init`",
                                      "`plum_mapping_t` (struct)",
                                      "`external_host`",
                                      "`PLUM_STATE_DESTROYING = 4`",
                                      "`PLUM_ERR_NOT_AVAIL`",
                                      "`plum_mapping_callback_t`"}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
}

}  // namespace
}  // namespace damson::docs
