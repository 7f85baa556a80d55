# How everything in this tree is compiled. The settings are made for the directory, not target by
# target, so that no target can be forgotten; a project that adds damson as a subdirectory keeps its own.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow)

if(DAMSON_WERROR)
  add_compile_options(-Werror)
endif()

if(DAMSON_SANITIZE)
  add_compile_options(-fsanitize=${DAMSON_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${DAMSON_SANITIZE})
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  # Both are about Asio's headers, inlined into our code: its fences, which the thread sanitizer does
  # not know, and its futures, in which instrumented code looks uninitialised to GCC.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan -Wno-maybe-uninitialized)
  endif()
endif()

if(PROJECT_IS_TOP_LEVEL AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(DAMSON_CCACHE ccache)
  mark_as_advanced(DAMSON_CCACHE)
  if(DAMSON_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${DAMSON_CCACHE}")
  endif()
endif()
