# cmake -DBUILD=... -DPREFIX=... -P install.cmake: installs, and leaves nothing in the prefix that an
# earlier installation had put there and this one does not.

cmake_minimum_required(VERSION 3.25)

execute_process(
  COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}"
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "cmake --install failed; is everything built?\n${output}")
endif()

file(STRINGS "${BUILD}/install_manifest.txt" installed)
file(GLOB_RECURSE present "${PREFIX}/*")
foreach(file IN LISTS present)
  if(NOT file IN_LIST installed)
    file(REMOVE "${file}")
  endif()
endforeach()

# What is not found by any consumer below.
foreach(pattern IN ITEMS "bin/damson" "share/doc/damson/LICENSE-MIT" "include/damson/damson.hpp"
                         "include/damson-compat/plum/plum.h")
  if(NOT EXISTS "${PREFIX}/${pattern}")
    message(FATAL_ERROR "${pattern} was not installed")
  endif()
endforeach()
execute_process(COMMAND "${PREFIX}/bin/damson" --version COMMAND_ERROR_IS_FATAL ANY)
