#pragma once

/// The version of the headers. The library's own is `damson::library_version()`.

#define DAMSON_VERSION_MAJOR 0
#define DAMSON_VERSION_MINOR 1
#define DAMSON_VERSION_PATCH 0
#define DAMSON_VERSION_STRING "0.1.0"

namespace damson {

/// The version that the program was linked with, as "MAJOR.MINOR.PATCH".
const char* library_version() noexcept;

}  // namespace damson
