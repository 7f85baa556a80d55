// What can be seen of the shared library from outside.

#include <gmock/gmock.h>

#include <sstream>
#include <string>
#include <vector>

#include "capi_test.hpp"
#include "interop/lab/net_namespace.hpp"
#include "interop/lab/process.hpp"

namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

class capi_shared_library : public capi_network {};

std::vector<std::string> words_of_last_column(const std::string& table) {
  std::vector<std::string> found;
  std::istringstream rows{table};
  for (std::string row; std::getline(rows, row);) found.push_back(row.substr(row.rfind(' ') + 1));
  return found;
}

TEST_F(capi_shared_library, shows_the_functions_of_the_interface_and_nothing_else) {
  const lab::net_namespace here{"anywhere"};
  const std::string symbols =
      lab::run(here, {"nm", "--dynamic", "--defined-only", DAMSON_PLUM_LIBRARY});
  EXPECT_THAT(
      words_of_last_column(symbols),
      UnorderedElementsAre("plum_init", "plum_cleanup", "plum_create_mapping", "plum_query_mapping",
                           "plum_destroy_mapping", "plum_get_local_address", "plum_set_log_level",
                           "plum_get_dummytls_certificate", "plum_get_dummytls_host"));
}

TEST_F(capi_shared_library, has_the_name_of_its_interface_version) {
  const lab::net_namespace here{"anywhere"};
  EXPECT_THAT(lab::run(here, {"readelf", "--dynamic", DAMSON_PLUM_LIBRARY}),
              HasSubstr("soname: [libdamson-plum.so.0]"));
}

TEST_F(capi_shared_library, goes_on_after_it_was_unloaded) {
  const lan net;
  const lab::run_result result =
      lab::try_run(net.host(), {DAMSON_UNLOAD_PROGRAM, DAMSON_PLUM_LIBRARY});
  EXPECT_EQ(result.status, 0) << result.err;
}

}  // namespace
