// SPDX-License-Identifier: Apache-2.0
// Border file of <yaml.h> (libyaml): of its two interfaces the one that gives events, so that no
// tree is there before it is known to be small, and an alias, which can stand for a billion nodes,
// is refused unseen.
#include "host/gpu/yaml.h"

#include <fmt/format.h>
#include <yaml.h>

#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace berth::gpu {
namespace {

constexpr std::size_t scalar_bytes_max = 64UL * 1024;  // far more than any path or variable

struct DeleteParser {
    void operator()(yaml_parser_t* parser) const noexcept {
        ::yaml_parser_delete(parser);
        delete parser;
    }
};
struct DeleteEvent {
    void operator()(yaml_event_t* event) const noexcept { ::yaml_event_delete(event); }
};

std::string_view view_of(const yaml_char_t* bytes, std::size_t count) {
    return {reinterpret_cast<const char*>(bytes), count};
}

std::optional<std::int64_t> integer_of(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    int base = 10;
    if (text.size() > 1 && text.starts_with('0')) {
        constexpr int octal = 8, hexadecimal = 16;
        base = text[1] == 'x' ? hexadecimal : octal;
        text.remove_prefix(text[1] == 'x' || text[1] == 'o' ? 2 : 1);
    }
    std::int64_t value = 0;
    if (text.starts_with('-')) return std::nullopt;
    const auto [end, problem] =
        std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return negative ? -value : value;
}

/// What a scalar without quotes means.
Json plain_value(std::string_view text) {
    for (const auto* none : {"", "~", "null", "Null", "NULL"})
        if (text == none) return nullptr;
    for (const auto* yes : {"true", "True", "TRUE"})
        if (text == yes) return true;
    for (const auto* no : {"false", "False", "FALSE"})
        if (text == no) return false;
    if (const auto integer = integer_of(text)) return *integer;
    double number = 0;
    const auto unsigned_text = text.substr(text.starts_with('+') ? 1 : 0);
    const auto* const end = unsigned_text.data() + unsigned_text.size();
    const auto read = std::from_chars(unsigned_text.data(), end, number);
    if (read.ec == std::errc{} && read.ptr == end && std::isfinite(number)) return number;
    return std::string(text);
}

/// The document so far: what is open, and where the next value goes.
class Building {
public:
    Result<> begin(Json container) {
        if (open_.size() >= json_depth_max)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("has more than {} levels", json_depth_max));
        if (wants_key())
            return fail(ErrorCode::invalid_argument, "has a key that is a list or a mapping");
        open_.push_back({.value = std::move(container)});
        return {};
    }
    Result<> end() {
        auto value = std::move(open_.back().value);
        open_.pop_back();
        return put(std::move(value));
    }
    Result<> scalar(std::string_view text, bool plain) {
        if (text.size() > scalar_bytes_max)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("has a value of more than {} bytes", scalar_bytes_max));
        if (!wants_key()) return put(plain ? plain_value(text) : Json(std::string(text)));
        auto& open = open_.back();
        if (open.value.contains(text))
            return fail(ErrorCode::invalid_argument,
                        fmt::format("has the key '{}' twice in one mapping", text));
        open.key = std::string(text);
        return {};
    }
    [[nodiscard]] Json take() { return std::move(whole_); }

private:
    struct Open {
        Json value;
        std::optional<std::string> key = {};  // of a mapping: of the value that comes next
    };
    [[nodiscard]] bool wants_key() const {
        return !open_.empty() && open_.back().value.is_object() && !open_.back().key;
    }
    Result<> put(Json value) {
        if (open_.empty()) {
            whole_ = std::move(value);
        } else if (auto& open = open_.back(); open.value.is_object()) {
            open.value[*open.key] = std::move(value);
            open.key.reset();
        } else {
            open.value.push_back(std::move(value));
        }
        return {};
    }

    std::vector<Open> open_;
    Json whole_ = nullptr;
};

Result<> take_event(Building& building, const yaml_event_t& event) {
    const auto refuse = [](std::string_view what) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("has {}, which is not read: write it without", what));
    };
    const auto marked = [&](const yaml_char_t* anchor, const yaml_char_t* tag) -> Result<> {
        if (anchor != nullptr) return refuse("an anchor (&)");
        if (tag != nullptr) return refuse("a tag (!)");
        return {};
    };
    switch (event.type) {
        case YAML_ALIAS_EVENT:
            return refuse("an alias (*)");
        case YAML_SCALAR_EVENT: {
            const auto& scalar = event.data.scalar;
            BERTH_TRY(marked(scalar.anchor, scalar.tag));
            return building.scalar(view_of(scalar.value, scalar.length),
                                   scalar.style == YAML_PLAIN_SCALAR_STYLE);
        }
        case YAML_SEQUENCE_START_EVENT:
            BERTH_TRY(marked(event.data.sequence_start.anchor, event.data.sequence_start.tag));
            return building.begin(Json::array());
        case YAML_MAPPING_START_EVENT:
            BERTH_TRY(marked(event.data.mapping_start.anchor, event.data.mapping_start.tag));
            return building.begin(Json::object());
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
            return building.end();
        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_STREAM_END_EVENT:
        case YAML_DOCUMENT_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            return {};
    }
    std::unreachable();
}

}  // namespace

Result<Json> parse_yaml(std::string_view text, std::size_t bytes_max) {
    if (text.size() > bytes_max)
        return fail(ErrorCode::invalid_argument, fmt::format("has more than {} bytes", bytes_max));
    auto raw = std::make_unique<yaml_parser_t>();
    if (::yaml_parser_initialize(raw.get()) == 0)
        return fail(ErrorCode::unavailable, "there is no memory for a YAML parser");
    const std::unique_ptr<yaml_parser_t, DeleteParser> parser(raw.release());
    ::yaml_parser_set_encoding(parser.get(), YAML_UTF8_ENCODING);
    ::yaml_parser_set_input_string(
        parser.get(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
    Building building;
    for (int documents = 0;;) {
        yaml_event_t event{};
        const bool parsed = ::yaml_parser_parse(parser.get(), &event) != 0;
        const std::unique_ptr<yaml_event_t, DeleteEvent> owned(&event);
        const auto in_line = [&](std::string_view what, std::size_t line) {
            return fail(ErrorCode::invalid_argument, fmt::format("line {}: {}", line + 1, what));
        };
        if (!parsed)
            return in_line(parser->problem == nullptr ? "is no YAML" : parser->problem,
                           parser->problem_mark.line);
        if (event.type == YAML_STREAM_END_EVENT) break;
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            return in_line("has a second document", event.start_mark.line);
        if (auto taken = take_event(building, event); !taken)
            return in_line(taken.error().message, event.start_mark.line);
    }
    return building.take();
}

}  // namespace berth::gpu
