# Compiles the code in the documents as a reader's program would be.

cmake_minimum_required(VERSION 3.25)

string(RANDOM LENGTH 12 name)
set(folder "${SCRATCH}/snippets-${name}")
file(MAKE_DIRECTORY "${folder}")
execute_process(COMMAND "${TOOL}" snippets "${folder}" "${SOURCE}/README.md" "${SOURCE}/docs/api.md"
                RESULT_VARIABLE result)

list(TRANSFORM SYSTEM_DIRS PREPEND "-isystem")
file(GLOB sources "${folder}/*.cpp" "${folder}/*.c")
list(LENGTH sources count)
foreach(source IN LISTS sources)
  if(source MATCHES "\\.cpp$")
    set(compiler "${CXX}" -std=c++20 "-I${SOURCE}/include" ${SYSTEM_DIRS})
  else()
    set(compiler "${CC}" -std=c99)
  endif()
  execute_process(COMMAND ${compiler} "-I${SOURCE}/include/compat" -Wall -Wextra -Wpedantic -Werror
                          -fsyntax-only "${source}" RESULT_VARIABLE one_result)
  if(NOT one_result EQUAL 0)
    set(result "${one_result}")
  endif()
endforeach()
file(REMOVE_RECURSE "${folder}")

if(NOT result EQUAL 0 OR count LESS 2)
  message(FATAL_ERROR "the code in README.md or docs/api.md does not compile")
endif()
