// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace berth {
namespace {

constexpr std::size_t problems_max = 20;
constexpr double exact_integer_max = 9007199254740992.0;  // 2^53: above it doubles skip integers

void refuse_kind(const Json& value, const std::string& pointer, std::string_view wanted,
                 Problems& problems) {
    problems.add(pointer, fmt::format("must be {}, not {}", wanted, kind_of(value)));
}

/// "between 1 and 64", "at least 1", "at most 64".
std::string range_text(std::int64_t low, std::int64_t high, bool has_low, bool has_high) {
    if (has_low && has_high) return fmt::format("between {} and {}", low, high);
    return has_low ? fmt::format("at least {}", low) : fmt::format("at most {}", high);
}

/// Records a problem when `length` is out of bounds.
bool length_fits(std::size_t length, std::string_view what, const std::string& pointer,
                 const Bounds& bounds, Problems& problems) {
    if (length >= bounds.length_min && length <= bounds.length_max) return true;
    const auto range = range_text(static_cast<std::int64_t>(bounds.length_min),
                                  static_cast<std::int64_t>(bounds.length_max),
                                  bounds.length_min > 0, bounds.length_max != Bounds{}.length_max);
    problems.add(pointer, fmt::format("must have {} {}, not {}", range, what, length));
    return false;
}

/// JSON Schema counts 5.0 as an integer, and some clients write it so.
std::optional<std::int64_t> as_integer(const Json& value) {
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(Bounds{}.maximum)) {
        return std::nullopt;
    }
    if (value.is_number_integer()) return value.get<std::int64_t>();
    if (!value.is_number_float()) return std::nullopt;
    const auto number = value.get<double>();
    if (std::trunc(number) != number || std::abs(number) > exact_integer_max) return std::nullopt;
    return static_cast<std::int64_t>(number);
}

/// How many insertions, deletions and replacements lead from one text to the other.
std::size_t edit_distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
        }
    }
    return row.back();
}

}  // namespace

void Problems::add(std::string field, std::string message) {
    if (found_.size() == problems_max) {
        ++not_kept_;
    } else {
        found_.push_back({.field = std::move(field), .message = std::move(message)});
    }
}

Error Problems::error() const {
    auto error = make_error(ErrorCode::invalid_argument, "");
    for (const auto& problem : found_) {
        if (!error.message.empty()) error.message += "; ";
        if (!problem.field.empty()) error.message += problem.field + ": ";
        error.message += problem.message;
    }
    if (not_kept_ > 0) error.message += fmt::format("; and {} more", not_kept_);
    if (!found_.empty()) error.field = found_.front().field;
    if (found_.size() > 1) error.problems = found_;
    return error;
}

std::string pointer_to(std::string_view parent, std::string_view key) {
    std::string pointer = std::string(parent) + '/';
    for (const char c : key) {
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
    return pointer;
}

std::string pointer_to(std::string_view parent, std::size_t index) {
    return fmt::format("{}/{}", parent, index);
}

std::string_view kind_of(const Json& value) {
    if (value.is_string()) return "a string";
    if (value.is_number_integer()) return "an integer";
    if (value.is_number()) return "a number";
    if (value.is_boolean()) return "a boolean";
    if (value.is_array()) return "an array";
    if (value.is_object()) return "an object";
    return "null";
}

std::optional<std::string> Decode<std::string>::read(const Json& value, const std::string& pointer,
                                                     const Bounds& bounds, Problems& problems) {
    if (!value.is_string()) {
        refuse_kind(value, pointer, "a string", problems);
        return std::nullopt;
    }
    const auto& text = value.get_ref<const std::string&>();
    const auto characters = static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
    if (!length_fits(characters, "characters", pointer, bounds, problems)) return std::nullopt;
    return text;
}

std::optional<Json> Decode<Json>::read(const Json& value, const std::string& pointer, const Bounds&,
                                       Problems& problems) {
    if (value.is_object()) return value;
    refuse_kind(value, pointer, "an object", problems);
    return std::nullopt;
}

std::optional<std::int64_t> Decode<std::int64_t>::read(const Json& value,
                                                       const std::string& pointer,
                                                       const Bounds& bounds, Problems& problems) {
    const auto number = as_integer(value);
    if (!number && !value.is_number_unsigned()) {
        refuse_kind(value, pointer, "an integer", problems);
        return std::nullopt;
    }
    if (number && *number >= bounds.minimum && *number <= bounds.maximum) return number;
    problems.add(pointer, fmt::format("must be {}, not {}",
                                      range_text(bounds.minimum, bounds.maximum,
                                                 bounds.minimum != Bounds{}.minimum, true),
                                      to_text(value)));
    return std::nullopt;
}

std::optional<bool> Decode<bool>::read(const Json& value, const std::string& pointer, const Bounds&,
                                       Problems& problems) {
    if (value.is_boolean()) return value.get<bool>();
    refuse_kind(value, pointer, "true or false", problems);
    return std::nullopt;
}

const Json* read_array(const Json& value, const std::string& pointer, const Bounds& bounds,
                       Problems& problems) {
    if (!value.is_array()) {
        refuse_kind(value, pointer, "an array", problems);
        return nullptr;
    }
    return length_fits(value.size(), "items", pointer, bounds, problems) ? &value : nullptr;
}

ObjectReader::ObjectReader(const Json& object, std::string pointer,
                           std::initializer_list<std::string_view> known, Problems& problems)
    : object_(object.is_object() ? &object : nullptr),
      pointer_(std::move(pointer)),
      problems_(problems) {
    if (object_ == nullptr) {
        refuse_kind(object, pointer_, "an object", problems_);
        return;
    }
    for (const auto& [key, value] : object.items()) {
        if (std::ranges::find(known, key) != known.end()) continue;
        const auto meant = nearest(key, {known.begin(), known.end()});
        problems_.add(pointer_to(pointer_, key),
                      fmt::format("unknown field '{}'{}", key,
                                  meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant)));
    }
}

const Json* ObjectReader::find(std::string_view key) const {
    if (object_ == nullptr) return nullptr;
    const auto found = object_->find(key);
    return found == object_->end() || found->is_null() ? nullptr : &*found;
}

const Json* ObjectReader::find_required(std::string_view key) {
    const Json* value = find(key);
    if (value == nullptr && object_ != nullptr)
        problems_.add(pointer_to(pointer_, key), "is required");
    return value;
}

std::string nearest(std::string_view text, const std::vector<std::string>& candidates) {
    constexpr std::size_t prefix_characters_min = 3;
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(1, text.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        const bool begun = text.size() >= prefix_characters_min && candidate.starts_with(text);
        const std::size_t distance = begun ? 1 : edit_distance(text, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace berth
