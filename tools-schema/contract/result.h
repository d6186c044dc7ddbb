// SPDX-License-Identifier: Apache-2.0
// The one error type every room speaks, and the Result that carries it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth {

/// The closed list of what can go wrong; errors.json says what each means on every wire.
enum class ErrorCode : std::uint8_t {
    invalid_argument,
    not_found,
    already_exists,
    busy,
    quota_exceeded,
    denied,
    needs_confirmation,
    unavailable,
    timed_out,
    unsupported,
    internal,
};

/// One bad field of an input: where it is (JSON Pointer) and what is wrong with it.
struct FieldProblem {
    std::string field;
    std::string message;
    bool operator==(const FieldProblem&) const = default;
};

/// A call of a tool that can be made as it stands.
struct NextCall {
    std::string tool;
    std::string arguments;  // a JSON object, as text
    bool operator==(const NextCall&) const = default;
    /// As words tell it: `container_get {"name":"ada"}`.
    [[nodiscard]] std::string text() const { return tool + " " + arguments; }
};

/// What went wrong, told to a caller who must decide what to do next.
/// `code` is for programs, `message` for people, `hint` names the next step ("call gpu_list {}").
struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;
    std::string field = {};  // JSON Pointer into the arguments, when the input is at fault
    std::string hint = {};
    std::vector<FieldProblem> problems = {};  // every bad field, when there is more than one
    // What a program needs besides, as JSON text ("details" on a wire), or "".
    std::string data = {};
    std::optional<NextCall> next_call = {};  // the call that `hint` ends with, if it names one

    /// Puts the caller's view in front: "create container 'ada': no such image 'deb13'".
    [[nodiscard]] Error in(std::string_view doing) && {
        message = std::string(doing) + ": " + message;
        return std::move(*this);
    }
    /// Says which argument is at fault, as a JSON Pointer.
    [[nodiscard]] Error at(std::string_view pointer) && {
        field = pointer;
        return std::move(*this);
    }
    /// Names the next step in words: what a caller decides, or a person has to do.
    [[nodiscard]] Error next(std::string_view step) && {
        hint = step;
        next_call.reset();
        return std::move(*this);
    }
    /// Names the next step as a call that can be made as it stands, behind the words that are
    /// there. It never changes more than the refused call would have, but for what undoes the
    /// refusal.
    [[nodiscard]] Error call(std::string_view tool, const nlohmann::ordered_json& arguments) &&;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline Error make_error(ErrorCode code, std::string message) {
    return Error{.code = code, .message = std::move(message)};
}

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
    return std::unexpected(make_error(code, std::move(message)));
}

[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
    return std::unexpected(std::move(error));
}

}  // namespace berth

/// Unwraps a Result, or returns its error from the enclosing function. The counter gives each use a
/// name of its own, so that one may stand inside another.
#define BERTH_TRY(expression) BERTH_TRY_NUMBERED(expression, __COUNTER__)
#define BERTH_TRY_NUMBERED(expression, number) BERTH_TRY_NAMED(expression, number)
#define BERTH_TRY_NAMED(expression, number) BERTH_TRY_AS(expression, try_result_##number)
#define BERTH_TRY_AS(expression, name)                       \
    __extension__({                                          \
        auto name = (expression);                            \
        if (!name) [[unlikely]]                              \
            return std::unexpected(std::move(name).error()); \
        *std::move(name);                                    \
    })
