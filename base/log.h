// SPDX-License-Identifier: Apache-2.0
// One line per event on standard error, with structured fields. Standard output belongs to the
// stdio transport and is never written here. Only app/, worker loops and border callbacks log.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace berth::log {

using Field = std::pair<std::string_view, std::string>;

/// Sends everything at `level` ("debug", "info", "warning", "error") and above to standard error.
void start(std::string_view program, std::string_view level);

void debug(std::string_view event, std::initializer_list<Field> fields = {});
void info(std::string_view event, std::initializer_list<Field> fields = {});
void warning(std::string_view event, std::initializer_list<Field> fields = {});
void error(std::string_view event, std::initializer_list<Field> fields = {});

}  // namespace berth::log
