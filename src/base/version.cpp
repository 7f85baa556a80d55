#include <damson/version.hpp>

namespace damson {

const char* library_version() noexcept { return DAMSON_VERSION_STRING; }

}  // namespace damson
