# What the library and the tool stand on. GoogleTest is looked for by tests/CMakeLists.txt.

find_package(Threads REQUIRED)

# Boost's headers only: Asio and JSON are used without compiled parts, and src/wire/boost_url.cpp
# compiles URL, whose static library in Debian cannot become part of a shared one.
find_package(Boost 1.81 REQUIRED COMPONENTS headers)

# Its folder for those who are not told by CMake, unless every compiler looks there.
get_target_property(DAMSON_BOOST_DIRS Boost::headers INTERFACE_INCLUDE_DIRECTORIES)
list(REMOVE_ITEM DAMSON_BOOST_DIRS ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})

# Static where that can be had, so that a program needs nothing at run time.
find_package(pugixml REQUIRED)
if(TARGET pugixml::static)
  set(DAMSON_PUGIXML pugixml::static)
else()
  set(DAMSON_PUGIXML pugixml::pugixml)
endif()

if(DAMSON_BUILD_TOOL)
  find_package(CLI11 REQUIRED)
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(libmnl REQUIRED IMPORTED_TARGET libmnl)
