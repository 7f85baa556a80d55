# Configures, builds and runs the project in SOURCE in a new folder below SCRATCH, which is removed at
# the end.

cmake_minimum_required(VERSION 3.25)

string(RANDOM LENGTH 12 name)
set(folder "${SCRATCH}/consumer-${name}")

function(run)
  execute_process(
    COMMAND ${ARGV}
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output
    RESULT_VARIABLE result)
  message("${output}")
  if(NOT result EQUAL 0)
    file(REMOVE_RECURSE "${folder}")
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "failed with ${result}: ${command}")
  endif()
endfunction()

# Found through these alone, whatever is installed on the machine.
set(ENV{PKG_CONFIG_PATH} "${PREFIX}/${LIBDIR}/pkgconfig")
set(ENV{LD_LIBRARY_PATH} "${PREFIX}/${LIBDIR}:$ENV{LD_LIBRARY_PATH}")

file(MAKE_DIRECTORY "${folder}")
if(EXISTS "${SOURCE}/CMakeLists.txt")
  run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${folder}" -G "${GENERATOR}"
      "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_C_COMPILER=${CC}" "-DCMAKE_CXX_FLAGS=${FLAGS}"
      "-DCMAKE_C_FLAGS=${FLAGS}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}" "-DCMAKE_PREFIX_PATH=${PREFIX}"
      "-DDAMSON_SOURCE=${DAMSON_SOURCE}" --no-warn-unused-cli)
  run("${CMAKE_COMMAND}" --build "${folder}" --target consumer)
else()
  run(sh "${SOURCE}/build.sh" "${folder}" "${CC}" "${CXX}" "${PREFIX}" ${FLAGS})
endif()
if(EXISTS "${folder}/consumer")
  run("${folder}/consumer")
endif()
file(REMOVE_RECURSE "${folder}")
