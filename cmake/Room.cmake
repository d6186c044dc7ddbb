# SPDX-License-Identifier: Apache-2.0
# A room is one static library that may use exactly the rooms and libraries it names here.

# berth_room(NAME SOURCES file... USES target...)
function(berth_room name)
    cmake_parse_arguments(ROOM "" "" "SOURCES;USES" ${ARGN})
    add_library(${name} STATIC ${ROOM_SOURCES})
    target_link_libraries(${name} PUBLIC berth_flags ${ROOM_USES})
    if(NOT name STREQUAL "contract")
        target_precompile_headers(${name} REUSE_FROM contract)
    endif()
endfunction()

# berth_program(NAME SOURCES file... USES target...): one process, one composition root.
function(berth_program name)
    cmake_parse_arguments(PROGRAM "" "" "SOURCES;USES" ${ARGN})
    add_executable(${name} ${PROGRAM_SOURCES})
    target_link_libraries(${name} PRIVATE berth_flags ${PROGRAM_USES})
    target_precompile_headers(${name} REUSE_FROM contract)
endfunction()
