# Turns off one protection of the engine after the other and lets the simulator's tests run: each
# time one of them has to fail. A mutant is a file NAME.mutant:
#
#     What is turned off (Q-number or section of an RFC)
#     === src/proto/epoch.cpp
#     text that stands there once
#     === becomes
#     what stands there instead
#
#   cmake -DSOURCE=. -DCHECK=ON -P run.cmake                     only: can each still be made?
#   cmake -DSOURCE=. -DSCRATCH=folder [-DONLY=regex] [-DJOBS=2] -P run.cmake
#
# SCRATCH keeps a copy of the tree and its build, so that a second run is quick.

cmake_minimum_required(VERSION 3.25)

set(longest_test_run 600) # s; a mutant that never ends is caught as well

# Takes the file apart into `what`, `path`, `old` and `new`.
function(read_mutant file)
  file(READ "${file}" text)
  set(form "^([^\n]+)\n=== (src/[^\n]+)\n(.*\n)=== becomes\n(.*)$")
  if(NOT text MATCHES "${form}")
    message(FATAL_ERROR "${file} is no mutant: see the top of run.cmake")
  endif()
  set(what "${CMAKE_MATCH_1}" PARENT_SCOPE)
  set(path "${CMAKE_MATCH_2}" PARENT_SCOPE)
  set(old "${CMAKE_MATCH_3}" PARENT_SCOPE)
  set(new "${CMAKE_MATCH_4}" PARENT_SCOPE)
endfunction()

# `mutated` becomes the text of the file with the mutant in it.
function(mutate name path old new)
  if(NOT EXISTS "${SOURCE}/${path}")
    message(FATAL_ERROR "${name} can not be made any more: there is no ${path}")
  endif()
  file(READ "${SOURCE}/${path}" text)
  string(FIND "${text}" "${old}" first)
  string(FIND "${text}" "${old}" last REVERSE)
  if(first EQUAL -1)
    message(FATAL_ERROR "${name} can not be made any more: its text is not in ${path}")
  elseif(NOT first EQUAL last)
    message(FATAL_ERROR "${name} can not be made any more: its text is in ${path} more than once")
  endif()
  string(REPLACE "${old}" "${new}" text "${text}")
  set(mutated "${text}" PARENT_SCOPE)
endfunction()

function(build because)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" --build "${SCRATCH}/build" --parallel "${JOBS}" --target
            damson_sim_tests
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output
    RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${because} does not build:\n${output}")
  endif()
endfunction()

# `failed` becomes the name of the test that failed first; empty when all held.
function(run_tests filter)
  execute_process(
    COMMAND "${SCRATCH}/build/tests/sim/damson_sim_tests" --gtest_fail_fast
            "--gtest_filter=${filter}"
    TIMEOUT ${longest_test_run}
    OUTPUT_VARIABLE output
    ERROR_QUIET
    RESULT_VARIABLE result)
  set(failed "" PARENT_SCOPE)
  if(NOT result EQUAL 0)
    string(REGEX MATCHALL "\\[ RUN      \\] [^\n]+" begun "${output}")
    list(POP_BACK begun last)
    if(output MATCHES "\\[  FAILED  \\] ([A-Za-z0-9_./]+)")
      set(last "${CMAKE_MATCH_1}")
    else()
      string(REPLACE "[ RUN      ] " "" last "${last} (${result})")
    endif()
    set(failed "${last}" PARENT_SCOPE)
  endif()
endfunction()

# The scenarios first, because they say most clearly what is wrong; then lives made of seeds.
function(run_all_tests)
  run_tests("-*soak*:*chaos*")
  if(failed STREQUAL "")
    run_tests("*chaos*:hundreds/soak.holds/0:hundreds/soak.holds/1")
  endif()
  set(failed "${failed}" PARENT_SCOPE)
endfunction()

get_filename_component(SOURCE "${SOURCE}" ABSOLUTE)
if(SCRATCH)
  get_filename_component(SCRATCH "${SCRATCH}" ABSOLUTE)
endif()
file(GLOB mutants "${SOURCE}/tests/mutants/*.mutant")
list(LENGTH mutants count)
if(count LESS 25)
  message(FATAL_ERROR "only ${count} mutants in ${SOURCE}/tests/mutants")
endif()
foreach(mutant IN LISTS mutants)
  get_filename_component(name "${mutant}" NAME_WE)
  read_mutant("${mutant}")
  mutate("${name}" "${path}" "${old}" "${new}")
  list(APPEND paths "${path}")
endforeach()
if(CHECK)
  message("${count} mutants can be made")
  return()
endif()

if(NOT JOBS)
  set(JOBS 2)
endif()
string(TIMESTAMP began "%s")
set(tree "${SCRATCH}/tree")
file(REMOVE_RECURSE "${tree}")
file(COPY "${SOURCE}/CMakeLists.txt" "${SOURCE}/bench" "${SOURCE}/cmake" "${SOURCE}/include" "${SOURCE}/sim"
          "${SOURCE}/src" "${SOURCE}/tests" DESTINATION "${tree}")
# What an earlier run left mutated looks older now than what was built of it.
list(REMOVE_DUPLICATES paths)
list(TRANSFORM paths PREPEND "${tree}/" OUTPUT_VARIABLE to_touch)
file(TOUCH ${to_touch})
execute_process(
  COMMAND
    "${CMAKE_COMMAND}" -S "${tree}" -B "${SCRATCH}/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug
    -DCMAKE_CXX_FLAGS_DEBUG=-O1 -DDAMSON_BUILD_TOOL=OFF -DDAMSON_BUILD_EXAMPLES=OFF
    -DDAMSON_INSTALL=OFF
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "cannot be configured:\n${output}")
endif()
# Else what is compiled is not found in ccache again below another path.
set(ENV{CCACHE_BASEDIR} "${tree}")
set(ENV{CCACHE_NOHASHDIR} 1)
build("the tree without a mutant")
run_all_tests()
if(NOT failed STREQUAL "")
  message(FATAL_ERROR "${failed} fails without a mutant")
endif()

set(survivors "")
set(tried 0)
foreach(mutant IN LISTS mutants)
  get_filename_component(name "${mutant}" NAME_WE)
  if(ONLY AND NOT name MATCHES "${ONLY}")
    continue()
  endif()
  read_mutant("${mutant}")
  mutate("${name}" "${path}" "${old}" "${new}")
  file(WRITE "${tree}/${path}" "${mutated}")
  build("${name}")
  run_all_tests()
  math(EXPR tried "${tried} + 1")
  if(failed STREQUAL "")
    list(APPEND survivors "${name}")
    set(failed "SURVIVED")
  endif()
  string(LENGTH "${name}" width)
  math(EXPR missing "36 - ${width}")
  string(REPEAT " " ${missing} gap)
  message("${name}${gap}${failed}")
  file(COPY_FILE "${SOURCE}/${path}" "${tree}/${path}")
  file(TOUCH "${tree}/${path}")
endforeach()

string(TIMESTAMP ended "%s")
math(EXPR seconds "${ended} - ${began}")
list(LENGTH survivors alive)
message("${tried} mutants, ${alive} survived; ${seconds} s")
if(alive GREATER 0)
  list(JOIN survivors ", " survivors)
  message(FATAL_ERROR "No test minds that these protections are off: ${survivors}")
endif()
