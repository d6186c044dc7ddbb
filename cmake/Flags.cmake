# SPDX-License-Identifier: Apache-2.0
# The flags every room is built with: warnings, hardening, sanitizers, ccache.

find_program(CCACHE ccache)
if(CCACHE)
    # The precompiled header needs ccache told that its timestamps do not matter. Paths are relative to the
    # checkout and its name does not count, so that every checkout of this machine shares one cache.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_library(berth_flags INTERFACE)
target_compile_features(berth_flags INTERFACE cxx_std_23)
target_include_directories(berth_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(berth_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wcast-qual
    -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough
    $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
    -fPIC  # programs too: they share the rooms' precompiled header
    -fstack-protector-strong -fstack-clash-protection $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
target_compile_definitions(berth_flags INTERFACE _GLIBCXX_ASSERTIONS)
target_link_options(berth_flags INTERFACE -Wl,-z,relro,-z,now)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(BERTH_WERROR "Warnings stop the build" OFF)
if(BERTH_WERROR)
    target_compile_options(berth_flags INTERFACE -Werror)
endif()

set(BERTH_SANITIZE "" CACHE STRING "Comma-separated sanitizers, for example address,undefined")
if(BERTH_SANITIZE)
    target_compile_options(berth_flags INTERFACE -fsanitize=${BERTH_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(berth_flags INTERFACE -fsanitize=${BERTH_SANITIZE})
endif()
