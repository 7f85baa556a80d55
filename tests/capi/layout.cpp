// The layout of the interface as C++ sees it.

#include "layout.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace {

#define DAMSON_ASSERT(what, number) static_assert((what) == (number));
DAMSON_NUMBERS(DAMSON_ASSERT)
#if defined(__LP64__)
DAMSON_LAYOUT(DAMSON_ASSERT)
#endif

static_assert(std::is_same_v<decltype(&plum_init), int (*)(const plum_config_t*)>);
static_assert(std::is_same_v<decltype(&plum_cleanup), int (*)()>);
static_assert(std::is_same_v<decltype(&plum_create_mapping),
                             int (*)(const plum_mapping_t*, plum_mapping_callback_t)>);
static_assert(
    std::is_same_v<decltype(&plum_query_mapping), int (*)(int, plum_state_t*, plum_mapping_t*)>);
static_assert(std::is_same_v<decltype(&plum_destroy_mapping), int (*)(int)>);
static_assert(std::is_same_v<decltype(&plum_get_local_address), int (*)(char*, std::size_t)>);
static_assert(std::is_same_v<decltype(&plum_set_log_level), void (*)(plum_log_level_t)>);
static_assert(std::is_same_v<decltype(&plum_get_dummytls_certificate),
                             int (*)(plum_dummytls_cert_type_t, char*, std::size_t)>);
static_assert(
    std::is_same_v<decltype(&plum_get_dummytls_host), int (*)(const char*, char*, std::size_t)>);
static_assert(std::is_same_v<plum_log_callback_t, void (*)(plum_log_level_t, const char*)>);
static_assert(
    std::is_same_v<plum_mapping_callback_t, void (*)(int, plum_state_t, const plum_mapping_t*)>);

}  // namespace
