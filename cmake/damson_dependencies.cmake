# What the library and the tool stand on. GoogleTest is looked for by tests/CMakeLists.txt.

find_package(Threads REQUIRED)

# Boost's headers only: Asio and JSON are used without compiled parts.
find_package(Boost 1.81 REQUIRED COMPONENTS headers)

if(DAMSON_BUILD_TOOL)
  find_package(CLI11 REQUIRED)
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(libmnl REQUIRED IMPORTED_TARGET libmnl)
