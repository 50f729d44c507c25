# Finds valtrace and adds tests that fail when a program loses memory or needs too much of it.
#
#   list(APPEND CMAKE_MODULE_PATH /usr/local/share/valtrace/cmake)
#   find_package(Valtrace REQUIRED)     # Valtrace_FOUND, Valtrace_EXECUTABLE, Valtrace_VERSION
#
#   valtrace_add_test(NAME name COMMAND program [arg…]   # program: a path, or a target's name
#     [LIMITS …]            # of check-budget: --max-peak 10M --max-allocations 5000 …
#     [SUPPRESSIONS file]   # known leaks, in LeakSanitizer's syntax
#     [FORMAT format]       # text, github, junit or sarif, see valtrace-check-budget(1)
#     [WORKING_DIRECTORY folder])
#
# The test `name` runs the program: it fails with the program's status, or when it lost blocks. With
# LIMITS a test `name.budget` runs after it and fails when one is exceeded. Traces are kept in the folder
# valtrace of the build folder.
include(FindPackageHandleStandardArgs)

find_program(Valtrace_EXECUTABLE valtrace HINTS "${CMAKE_CURRENT_LIST_DIR}/../../../bin")
mark_as_advanced(Valtrace_EXECUTABLE)
if(Valtrace_EXECUTABLE)
  execute_process(COMMAND "${Valtrace_EXECUTABLE}" --version OUTPUT_VARIABLE Valtrace_VERSION)
  string(REGEX REPLACE "^valtrace ([^ ]+).*" "\\1" Valtrace_VERSION "${Valtrace_VERSION}")
endif()
find_package_handle_standard_args(Valtrace REQUIRED_VARS Valtrace_EXECUTABLE
                                  VERSION_VAR Valtrace_VERSION)

function(valtrace_add_test)
  cmake_parse_arguments(arg "" "NAME;SUPPRESSIONS;FORMAT;WORKING_DIRECTORY" "COMMAND;LIMITS" ${ARGN})
  if(NOT arg_NAME OR NOT arg_COMMAND OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "valtrace_add_test: NAME and COMMAND are wanted (${arg_UNPARSED_ARGUMENTS})")
  endif()
  list(POP_FRONT arg_COMMAND program)
  if(TARGET "${program}")
    set(program "$<TARGET_FILE:${program}>")
  endif()
  set(options "")
  if(arg_SUPPRESSIONS)
    get_filename_component(file "${arg_SUPPRESSIONS}" ABSOLUTE)
    list(APPEND options --suppressions "${file}")
  endif()
  if(arg_FORMAT)
    list(APPEND options --format "${arg_FORMAT}")
  endif()
  if(NOT arg_WORKING_DIRECTORY)
    set(arg_WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  set(trace "${CMAKE_CURRENT_BINARY_DIR}/valtrace/${arg_NAME}.vtr")
  add_test(NAME "${arg_NAME}" WORKING_DIRECTORY "${arg_WORKING_DIRECTORY}"
           COMMAND "${Valtrace_EXECUTABLE}" run -q -o "${trace}" --fail-on-leak ${options} --
                   "${program}" ${arg_COMMAND})
  if(arg_LIMITS)
    add_test(NAME "${arg_NAME}.budget" WORKING_DIRECTORY "${arg_WORKING_DIRECTORY}"
             COMMAND "${Valtrace_EXECUTABLE}" check-budget ${arg_LIMITS} ${options} "${trace}")
    set_tests_properties("${arg_NAME}.budget" PROPERTIES DEPENDS "${arg_NAME}")
  endif()
endfunction()
