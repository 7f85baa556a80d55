# What `cmake --install` puts where: headers, libraries, the tool, and what lets CMake and pkg-config
# find them. Everything is found from where it lies, so the prefix may be chosen at install time and
# the tree moved afterwards.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The C interface has a folder of its own, so that <plum/plum.h> is found only by those who ask for it.
set(plum_include_dir "${CMAKE_INSTALL_INCLUDEDIR}/damson-compat")
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/damson")

install(
  DIRECTORY "${PROJECT_SOURCE_DIR}/include/damson"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT damson_development
  FILES_MATCHING
  PATTERN "*.hpp")
install(
  DIRECTORY "${PROJECT_SOURCE_DIR}/include/compat/plum"
  DESTINATION "${plum_include_dir}"
  COMPONENT damson_development
  FILES_MATCHING
  PATTERN "*.h")
install(
  FILES "${PROJECT_SOURCE_DIR}/LICENSE-APACHE" "${PROJECT_SOURCE_DIR}/LICENSE-MIT"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}"
  COMPONENT damson_runtime)

# One export set for each target of the package, so that a C program needs to find nothing of what the
# C++ archives stand on.
function(damson_install_library target part include_dir)
  install(
    TARGETS ${target}
    EXPORT damson_${part}
    INCLUDES
    DESTINATION "${include_dir}"
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT damson_development
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
            COMPONENT damson_runtime
            NAMELINK_COMPONENT damson_development)
  install(
    EXPORT damson_${part}
    NAMESPACE damson::
    FILE damson-${part}-targets.cmake
    DESTINATION "${package_dir}"
    COMPONENT damson_development)
endfunction()

damson_install_library(damson damson "${CMAKE_INSTALL_INCLUDEDIR}")
damson_install_library(damson_testing testing "${CMAKE_INSTALL_INCLUDEDIR}")
damson_install_library(damson_engine engine "${CMAKE_INSTALL_INCLUDEDIR}")
damson_install_library(damson_plum plum "${plum_include_dir}")

if(DAMSON_BUILD_TOOL)
  install(TARGETS damson_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT damson_runtime)
endif()

# find_package(damson)

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/damson-config.cmake.in" "${PROJECT_BINARY_DIR}/damson-config.cmake"
  INSTALL_DESTINATION "${package_dir}"
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/damson-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(
  FILES "${PROJECT_BINARY_DIR}/damson-config.cmake"
        "${PROJECT_BINARY_DIR}/damson-config-version.cmake"
  DESTINATION "${package_dir}"
  COMPONENT damson_development)

# pkg-config

set(pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${pc_dir}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
  set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
  file(RELATIVE_PATH way_up "/${pc_dir}" "/")
  string(REGEX REPLACE "/$" "" way_up "${way_up}")
  set(pc_prefix "\${pcfiledir}/${way_up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()

# Boost has no pkg-config file to refer to.
set(pc_boost "")
foreach(dir IN LISTS DAMSON_BOOST_DIRS)
  string(APPEND pc_boost " -I${dir}")
endforeach()

foreach(name IN ITEMS damson damson-engine damson-plum damson-testing)
  configure_file("${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in" "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY)
  install(
    FILES "${PROJECT_BINARY_DIR}/${name}.pc"
    DESTINATION "${pc_dir}"
    COMPONENT damson_development)
endforeach()
