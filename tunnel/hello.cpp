// SPDX-License-Identifier: Apache-2.0
#include "tunnel/hello.h"

#include "base/byte_reader.h"
#include "tools-schema/contract/decode.h"
#include "tools-schema/contract/error_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace berth::tunnel {
namespace {

constexpr std::size_t length_bytes = 4;
constexpr std::size_t text_bytes_max = 255;
constexpr std::size_t token_bytes_max = 512;

std::string with_length(const std::string& text) {
    std::string out;
    for (std::size_t at = length_bytes; at-- > 0;) {
        out += static_cast<char>(text.size() >> (8 * at) & 0xffU);
    }
    return out + text;
}

/// The text behind its length; nothing while it is not whole.
Result<std::optional<std::string_view>> text_of(std::string_view bytes, std::size_t bytes_max) {
    ByteReader reader(bytes);
    const auto length = reader.number(length_bytes);
    if (!length) return std::nullopt;
    if (*length > bytes_max) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("a message of {} bytes, and {} is the most", *length, bytes_max));
    }
    return reader.take(*length);
}

Result<> check_ports(const Hello& hello) {
    if (!hello.hostname.empty() &&
        std::ranges::find(hello.ports, hello.port) == hello.ports.end()) {
        return fail(make_error(ErrorCode::invalid_argument, "is none of \"ports\"").at("/port"));
    }
    return {};
}

Result<Hello> hello_of(std::string_view text) {
    const Json document = BERTH_TRY(parse_json(text, hello_bytes_max));
    Problems problems;
    ObjectReader reader(document, "",
                        {"token", "pool", "host", "ports", "port", "hostname", "aliases",
                         "base_domains", "generation"},
                        problems);
    constexpr Bounds words{.length_max = text_bytes_max};
    constexpr Bounds list{.length_max = names_max};
    constexpr Bounds port_number{.minimum = 1, .maximum = 65535};
    const auto token = reader.optional<std::string>("token", {.length_max = token_bytes_max});
    const auto pool = reader.optional<std::string>("pool", words);
    const auto host =
        reader.required<std::string>("host", {.length_min = 1, .length_max = text_bytes_max});
    const auto ports = reader.required_list<std::int64_t>(
        "ports", {.length_min = 1, .length_max = ports_max}, port_number);
    const auto port = reader.optional<std::int64_t>("port", port_number);
    const auto hostname = reader.optional<std::string>("hostname", words);
    const auto aliases = reader.optional_list<std::string>("aliases", list, words);
    const auto bases = reader.optional_list<std::string>("base_domains", list, words);
    const auto generation = reader.optional<std::int64_t>(
        "generation", {.minimum = 0, .maximum = std::numeric_limits<std::int64_t>::max()});
    if (!problems.empty()) return fail(problems.error());
    Hello hello{.token = token.value_or(""),
                .pool = pool.value_or(""),
                .host = *host,
                .port = static_cast<std::uint16_t>(port.value_or(0)),
                .hostname = hostname.value_or(""),
                .aliases = aliases.value_or(std::vector<std::string>{}),
                .base_domains = bases.value_or(std::vector<std::string>{}),
                .generation = static_cast<std::uint64_t>(generation.value_or(0))};
    for (const auto one : *ports) hello.ports.push_back(static_cast<std::uint16_t>(one));
    BERTH_TRY(check_ports(hello));
    return hello;
}

Result<HelloAnswer> answer_of(std::string_view text) {
    const Json document = BERTH_TRY(parse_json(text, answer_bytes_max));
    Problems problems;
    ObjectReader reader(document, "", {"session", "code", "error", "field", "next"}, problems);
    const auto session = reader.optional<std::int64_t>(
        "session", {.minimum = 1, .maximum = std::numeric_limits<std::int64_t>::max()});
    const auto code = reader.optional<std::string>("code");
    const auto error = reader.optional<std::string>("error");
    const auto field = reader.optional<std::string>("field");
    const auto next = reader.optional<std::string>("next");
    if (!problems.empty()) return fail(problems.error());
    if (session) return HelloAnswer{.session = static_cast<std::uint64_t>(*session)};
    if (!error) return fail(ErrorCode::invalid_argument, "an answer without a session or an error");
    return HelloAnswer{.error = Error{
                           // a later sentinel may know more
                           .code = error_code(code.value_or("")).value_or(ErrorCode::unavailable),
                           .message = *error,
                           .field = field.value_or(""),
                           .hint = next.value_or("")}};
}

}  // namespace

std::string encode(const Hello& hello) {
    Json out;
    if (!hello.token.empty()) out["token"] = hello.token;
    if (!hello.pool.empty()) out["pool"] = hello.pool;
    out["host"] = hello.host;
    out["ports"] = hello.ports;
    if (hello.port != 0) out["port"] = hello.port;
    if (!hello.hostname.empty()) out["hostname"] = hello.hostname;
    if (!hello.aliases.empty()) out["aliases"] = hello.aliases;
    if (!hello.base_domains.empty()) out["base_domains"] = hello.base_domains;
    out["generation"] = hello.generation;
    return with_length(to_text(out));
}

std::string encode(const HelloAnswer& answer) {
    if (!answer.error) return with_length(to_text(Json{{"session", answer.session}}));
    const Error& error = *answer.error;
    Json out{{"code", error_info(error.code).name}, {"error", error.message}};
    if (!error.field.empty()) out["field"] = error.field;
    if (!error.hint.empty()) out["next"] = error.hint;
    std::string text = to_text(out);
    // A message that repeats what was sent may be long; that something is wrong is what counts.
    if (text.size() > answer_bytes_max) {
        text = to_text(Json{{"code", error_info(error.code).name}, {"error", "refused"}});
    }
    return with_length(text);
}

Result<std::optional<Arrived<Hello>>> read_hello(std::string_view bytes) {
    const auto text = BERTH_TRY(text_of(bytes, hello_bytes_max));
    if (!text) return std::nullopt;
    return Arrived<Hello>{.value = BERTH_TRY(hello_of(*text)),
                          .bytes = length_bytes + text->size()};
}

Result<std::optional<Arrived<HelloAnswer>>> read_answer(std::string_view bytes) {
    const auto text = BERTH_TRY(text_of(bytes, answer_bytes_max));
    if (!text) return std::nullopt;
    return Arrived<HelloAnswer>{.value = BERTH_TRY(answer_of(*text)),
                                .bytes = length_bytes + text->size()};
}

}  // namespace berth::tunnel
