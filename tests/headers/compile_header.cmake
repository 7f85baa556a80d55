# Compiles HEADER, included twice, and nothing else.

cmake_minimum_required(VERSION 3.25)

if(NOT COMPILER)
  message("skipped: ${COMPILER_NAME} was not found")
  return()
endif()

if(STANDARD MATCHES "c\\+\\+")
  set(language c++)
else()
  set(language c)
endif()
list(TRANSFORM SYSTEM_DIRS PREPEND "-isystem")

execute_process(
  COMMAND "${COMPILER}" -std=${STANDARD} -fsyntax-only -Wall -Wextra -Werror -pedantic
          "-I${INCLUDE_DIR}" ${SYSTEM_DIRS} -include "${HEADER}" -include "${HEADER}" -x ${language}
          /dev/null RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${HEADER} does not compile alone as ${STANDARD} with ${COMPILER_NAME}")
endif()
