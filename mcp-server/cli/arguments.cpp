// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/arguments.h"

#include "base/files.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <istream>
#include <iterator>

namespace berth::cli {
namespace {

constexpr std::size_t input_bytes_max = 4 * 1024 * 1024;  // more than any field may have

Result<Json> read_integer(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem == std::errc{} && end == text.data() + text.size()) return number;
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a whole number", text));
}

Result<Json> read_item(const Json& schema, const std::string& text) {
    const auto type = schema.value("type", "");
    if (type == "integer") return read_integer(text);
    if (type != "object") return text;
    if (!text.starts_with('{') && schema["properties"].contains("container_port")) {
        return read_port_request(text);
    }
    return parse_json(text);
}

Result<std::string> read_input(std::istream& in) {
    std::string text(input_bytes_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() <= input_bytes_max) return text;
    return fail(ErrorCode::quota_exceeded,
                fmt::format("standard input has more than {} bytes", input_bytes_max));
}

/// Puts the content of a file, or of standard input, in place of "@FILE" and "-"; for a list, each
/// of its lines is an item, but for empty ones and comments.
Result<Words> with_files(const Words& texts, bool list, std::istream& in) {
    Words whole;
    for (const auto& text : texts) {
        if (text != "-" && !text.starts_with('@')) {
            whole.push_back(text);
            continue;
        }
        const auto content = text == "-" ? BERTH_TRY(read_input(in))
                                         : BERTH_TRY(read_file(text.substr(1), input_bytes_max));
        if (!list) {
            whole.push_back(content);
            continue;
        }
        for (std::size_t at = 0; at < content.size();) {
            const auto end = std::min(content.find('\n', at), content.size());
            const auto row = content.substr(at, end - at);
            if (!row.empty() && row != "\r" && row.front() != '#') whole.push_back(row);
            at = end + 1;
        }
    }
    return whole;
}

Result<Json> read_field(const Json& property, const Words& texts) {
    if (property.value("type", "") != "array") return read_item(property, texts.front());
    Json list = Json::array();
    for (const auto& text : texts) list.push_back(BERTH_TRY(read_item(property["items"], text)));
    return list;
}

/// Text that is no UTF-8 cannot be sent; it must not be replaced on the way either.
Result<> check_text(const Json& arguments) {
    try {
        (void)arguments.dump();
        return {};
    } catch (const Json::exception&) {
        return fail(ErrorCode::invalid_argument, "the arguments must be UTF-8 text");
    }
}

}  // namespace

Result<Json> read_port_request(std::string_view text) {
    const auto ports = text.substr(0, text.find('/'));
    const auto colon = ports.find(':');
    Json request;
    if (colon == std::string_view::npos) {
        request["container_port"] = BERTH_TRY(read_integer(ports));
    } else {
        request["container_port"] = BERTH_TRY(read_integer(ports.substr(colon + 1)));
        request["host_port"] = BERTH_TRY(read_integer(ports.substr(0, colon)));
    }
    if (ports.size() < text.size()) request["protocol"] = text.substr(ports.size() + 1);
    return request;
}

Result<Json> to_arguments(const Verb& verb, const Given& given, std::istream& in) {
    Json arguments = Json::object();
    for (const auto& [name, property] : verb.properties.items()) {
        if (given.flags.contains(name)) arguments[name] = !(property.value("default", false));
        const auto found = given.values.find(name);
        if (found == given.values.end()) continue;
        auto texts = found->second;
        if (std::ranges::find(verb.from_file, name) != verb.from_file.end()) {
            texts = BERTH_TRY(with_files(texts, property.value("type", "") == "array", in));
        }
        auto value = read_field(property, texts);
        if (!value) return fail(std::move(value).error().at(pointer_to("", name)));
        arguments[name] = *std::move(value);
    }
    for (const auto& name : verb.required) {
        if (arguments.contains(name)) continue;
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("{} is missing", positional_name(name)))
                        .at(pointer_to("", name)));
    }
    BERTH_TRY(check_text(arguments));
    return arguments;
}

}  // namespace berth::cli
