# What the library and the tool stand on. GoogleTest is looked for by tests/CMakeLists.txt.

find_package(Threads REQUIRED)

# Asio and Beast are headers; a part that needs a compiled Boost library names it where it is used.
set(DAMSON_BOOST_COMPONENTS headers)
if(DAMSON_BUILD_TOOL)
  list(APPEND DAMSON_BOOST_COMPONENTS json)
  find_package(CLI11 REQUIRED)
endif()
find_package(Boost 1.81 REQUIRED COMPONENTS ${DAMSON_BOOST_COMPONENTS})

find_package(PkgConfig REQUIRED)
pkg_check_modules(libmnl REQUIRED IMPORTED_TARGET libmnl)
