// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace berth::log {
namespace {

/// A value is quoted when it could be mistaken for more than one field or more than one line.
std::string as_value(std::string_view value) {
    const bool plain = !value.empty() && std::ranges::all_of(value, [](unsigned char c) {
        return c > ' ' && c != '"' && c != '=' && c != '\\' && c < 0x7f;
    });
    if (plain) return std::string(value);
    std::string out = "\"";
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < ' ' || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    return out + '"';
}

void write(spdlog::level::level_enum level, std::string_view event,
           std::initializer_list<Field> fields) {
    if (!spdlog::should_log(level)) return;
    std::string line(event);
    for (const auto& [key, value] : fields) line += fmt::format(" {}={}", key, as_value(value));
    spdlog::default_logger_raw()->log(level, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void start(std::string_view program, std::string_view level) {
    spdlog::set_default_logger(spdlog::stderr_logger_mt(std::string(program)));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
    spdlog::set_level(spdlog::level::from_str(std::string(level)));
    spdlog::flush_on(spdlog::level::debug);
}

void debug(std::string_view event, std::initializer_list<Field> fields) {
    write(spdlog::level::debug, event, fields);
}
void info(std::string_view event, std::initializer_list<Field> fields) {
    write(spdlog::level::info, event, fields);
}
void warning(std::string_view event, std::initializer_list<Field> fields) {
    write(spdlog::level::warn, event, fields);
}
void error(std::string_view event, std::initializer_list<Field> fields) {
    write(spdlog::level::err, event, fields);
}

}  // namespace berth::log
