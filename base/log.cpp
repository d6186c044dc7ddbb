// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

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

/// spdlog's own default logger writes to standard output, which is never ours to write to.
std::shared_ptr<spdlog::logger>& logger() {
    static std::shared_ptr<spdlog::logger> one = spdlog::stderr_logger_mt("berth");
    return one;
}

void write(spdlog::level::level_enum level, std::string_view event,
           std::initializer_list<Field> fields) {
    if (!logger()->should_log(level)) return;
    std::string line(event);
    for (const auto& [key, value] : fields) line += fmt::format(" {}={}", key, as_value(value));
    logger()->log(level, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void start(std::string_view program, std::string_view level) {
    logger() = spdlog::stderr_logger_mt(std::string(program));
    logger()->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
    logger()->set_level(spdlog::level::from_str(std::string(level)));
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
