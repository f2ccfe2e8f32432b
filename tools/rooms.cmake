# One library a room (folder). Every room is included from the project's root: #include "drivers/dfu/dfuse.h".

# hilmark_room(NAME SOURCES file... [USES library...])
function(hilmark_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES" ${ARGN})
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ROOM_USES})
  # Several headers are in nearly every file and slow to parse.
  if(TARGET hilmark_base AND NOT name STREQUAL hilmark_base)
    target_precompile_headers(${name} REUSE_FROM hilmark_base)
  endif()
endfunction()

# hilmark_test(NAME [ONE_AT_A_TIME] SOURCES file... [USES library...]): a GoogleTest binary, each of its tests known to ctest
# by name. ONE_AT_A_TIME: they share something of the machine (a unit's lock). APART: it uses nothing of the rig, so that the
# rig's precompiled header does not fit it.
function(hilmark_test name)
  cmake_parse_arguments(TEST "ONE_AT_A_TIME;APART" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_USES} GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  # Tests are compiled more often than they are run.
  target_compile_options(${name} PRIVATE -O0)
  if(NOT TEST_APART)
    target_precompile_headers(${name} REUSE_FROM hilmark_test_base)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  set(lock)
  if(TEST_ONE_AT_A_TIME)
    set(lock RESOURCE_LOCK ${name})
  endif()
  gtest_discover_tests(${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 120 ${lock})
endfunction()

# hilmark_fuzz(NAME SOURCE file CORPUS folder [USES library...]): a libFuzzer target, built by the preset `fuzz` alone
# (clang has libFuzzer, g++ has not) and run by `./rig fuzz` from the corpus in the tree.
function(hilmark_fuzz name)
  if(NOT HILMARK_FUZZ)
    return()
  endif()
  cmake_parse_arguments(FUZZ "" "SOURCE;CORPUS" "USES" ${ARGN})
  add_executable(${name}_fuzz ${FUZZ_SOURCE})
  target_link_libraries(${name}_fuzz PRIVATE ${FUZZ_USES})
  target_include_directories(${name}_fuzz PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name}_fuzz PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/targets)
  add_dependencies(fuzz ${name}_fuzz)
  file(APPEND ${PROJECT_BINARY_DIR}/targets.txt "${name} ${CMAKE_CURRENT_SOURCE_DIR}/${FUZZ_CORPUS}\n")
endfunction()
