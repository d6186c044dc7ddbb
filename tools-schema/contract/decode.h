// SPDX-License-Identifier: Apache-2.0
// What generated decoders are made of: strict reading of one JSON object that collects every
// problem with its JSON Pointer instead of stopping at the first, and the encoders that go back.
#pragma once

#include "tools-schema/contract/json.h"
#include "tools-schema/contract/names.h"
#include "tools-schema/contract/result.h"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

/// Every problem found in one input; the first 20 are kept and the rest are counted.
class Problems {
public:
    void add(std::string field, std::string message);
    [[nodiscard]] bool empty() const { return found_.empty(); }
    /// invalid_argument: the first problem's field, all problems in the message and in `problems`.
    [[nodiscard]] Error error() const;

private:
    std::vector<FieldProblem> found_;
    std::size_t not_kept_ = 0;
};

/// Bounds from the schema; which of them apply depends on the type.
struct Bounds {
    std::int64_t minimum = std::numeric_limits<std::int64_t>::min();
    std::int64_t maximum = std::numeric_limits<std::int64_t>::max();
    std::size_t length_min = 0;  // characters of a string (UTF-8 code points), or items of an array
    std::size_t length_max = std::numeric_limits<std::size_t>::max();
};

/// Appends one segment to a JSON Pointer, escaped (RFC 6901).
[[nodiscard]] std::string pointer_to(std::string_view parent, std::string_view key);
[[nodiscard]] std::string pointer_to(std::string_view parent, std::size_t index);

/// What a value is called in an error: "a string", "an integer", "null", …
[[nodiscard]] std::string_view kind_of(const Json& value);

/// Reads one value of type T at `pointer`; on a problem records it and returns nothing.
/// Specialised for each type the contract can hold; generated code adds its enums and structs.
template <class T>
struct Decode;

template <>
struct Decode<std::string> {
    static std::optional<std::string> read(const Json& value, const std::string& pointer,
                                           const Bounds& bounds, Problems& problems);
};
template <>
struct Decode<std::int64_t> {
    static std::optional<std::int64_t> read(const Json& value, const std::string& pointer,
                                            const Bounds& bounds, Problems& problems);
};
template <>
struct Decode<bool> {
    static std::optional<bool> read(const Json& value, const std::string& pointer,
                                    const Bounds& bounds, Problems& problems);
};
/// An object of any kind.
template <>
struct Decode<Json> {
    static std::optional<Json> read(const Json& value, const std::string& pointer,
                                    const Bounds& bounds, Problems& problems);
};

/// Types with parse(): ContainerName, PciAddress, SshPublicKey, …
template <class T>
    requires requires(std::string_view text) {
        { T::parse(text) } -> std::same_as<Result<T>>;
    }
struct Decode<T> {
    static std::optional<T> read(const Json& value, const std::string& pointer,
                                 const Bounds& bounds, Problems& problems) {
        const auto text = Decode<std::string>::read(value, pointer, bounds, problems);
        if (!text) return std::nullopt;
        auto parsed = T::parse(*text);
        if (parsed) return *std::move(parsed);
        problems.add(pointer, std::move(parsed).error().message);
        return std::nullopt;
    }
};

/// Checks that an array is one and has an allowed number of items; nothing if not.
[[nodiscard]] const Json* read_array(const Json& value, const std::string& pointer,
                                     const Bounds& bounds, Problems& problems);

/// `item_bounds` apply to each item, `bounds` to their number.
template <class T>
std::optional<std::vector<T>> read_list(const Json& value, const std::string& pointer,
                                        const Bounds& bounds, const Bounds& item_bounds,
                                        Problems& problems) {
    const Json* array = read_array(value, pointer, bounds, problems);
    if (array == nullptr) return std::nullopt;
    std::vector<T> out;
    bool whole = true;
    for (std::size_t index = 0; index < array->size(); ++index) {
        auto item =
            Decode<T>::read((*array)[index], pointer_to(pointer, index), item_bounds, problems);
        if (item) {
            out.push_back(*std::move(item));
        } else {
            whole = false;
        }
    }
    return whole ? std::optional(std::move(out)) : std::nullopt;
}

/// One object being read. Keys outside `known` are problems, with the nearest known key named.
class ObjectReader {
public:
    ObjectReader(const Json& object, std::string pointer,
                 std::initializer_list<std::string_view> known, Problems& problems);

    /// A field that must be there.
    template <class T>
    std::optional<T> required(std::string_view key, const Bounds& bounds = {}) {
        const Json* value = find_required(key);
        return value ? Decode<T>::read(*value, pointer_to(pointer_, key), bounds, problems_)
                     : std::nullopt;
    }
    /// A field that may be absent; absent and null are the same.
    template <class T>
    std::optional<T> optional(std::string_view key, const Bounds& bounds = {}) {
        const Json* value = find(key);
        return value ? Decode<T>::read(*value, pointer_to(pointer_, key), bounds, problems_)
                     : std::nullopt;
    }
    template <class T>
    std::optional<std::vector<T>> required_list(std::string_view key, const Bounds& bounds,
                                                const Bounds& items = {}) {
        const Json* value = find_required(key);
        return value ? read_list<T>(*value, pointer_to(pointer_, key), bounds, items, problems_)
                     : std::nullopt;
    }
    template <class T>
    std::optional<std::vector<T>> optional_list(std::string_view key, const Bounds& bounds,
                                                const Bounds& items = {}) {
        const Json* value = find(key);
        return value ? read_list<T>(*value, pointer_to(pointer_, key), bounds, items, problems_)
                     : std::nullopt;
    }

private:
    [[nodiscard]] const Json* find(std::string_view key) const;
    [[nodiscard]] const Json* find_required(std::string_view key);
    const Json* object_;
    std::string pointer_;
    Problems& problems_;
};

/// Value to Json. Generated code adds overloads for its enums and structs.
[[nodiscard]] inline Json encode(const std::string& value) {
    return value;
}
[[nodiscard]] inline Json encode(std::int64_t value) {
    return value;
}
[[nodiscard]] inline Json encode(bool value) {
    return value;
}
/// Json itself, and not what would become Json by itself.
template <std::same_as<Json> T>
[[nodiscard]] Json encode(const T& value) {
    return value;
}
template <class T>
    requires requires(const T& value) {
        { value.to_string() } -> std::convertible_to<std::string>;
    }
[[nodiscard]] Json encode(const T& value) {
    return value.to_string();
}
template <class T>
[[nodiscard]] Json encode(const std::vector<T>& values) {
    Json out = Json::array();
    for (const auto& value : values) out.push_back(encode(value));
    return out;
}

/// The candidate most like `text`, if one is near enough to be what was meant; else "".
[[nodiscard]] std::string nearest(std::string_view text,
                                  const std::vector<std::string>& candidates);

}  // namespace berth
