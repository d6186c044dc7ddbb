// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tunnel/containarium_hello.h"

#include "tools-schema/contract/decode.h"

#include <algorithm>
#include <array>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr std::array<std::string_view, 8> fields = {
    "token",           "spot_id",        "ports",       "pool",
    "public_hostname", "public_aliases", "public_port", "public_base_domains"};
constexpr std::size_t text_bytes_in_line = containarium_hello_bytes_max;

std::unexpected<Error> complaint(const char* words) {
    return fail(ErrorCode::invalid_argument, words);
}

/// In the order in which the original looks.
Result<> check_as_they_do(const tunnel::Hello& hello) {
    if (hello.host.empty()) return complaint("spot_id is required");
    if (hello.ports.empty()) return complaint("at least one port is required");
    if (hello.hostname.empty()) return {};
    if (hello.port == 0) return complaint("public_port is required when public_hostname is set");
    if (hello.pool.empty()) return complaint("pool is required when public_hostname is set");
    return {};
}

Result<tunnel::Hello> hello_of_line(std::string_view line) {
    Json document = BERTH_TRY(parse_json(line, containarium_hello_bytes_max));
    if (!document.is_object()) return complaint("the hello is no object");
    // Their decoder passes over what it does not know.
    Json known = Json::object();
    for (const auto& [key, value] : document.items()) {
        if (std::ranges::find(fields, key) != fields.end()) known[key] = value;
    }
    Problems problems;
    ObjectReader reader(known, "",
                        {"token", "spot_id", "ports", "pool", "public_hostname", "public_aliases",
                         "public_port", "public_base_domains"},
                        problems);
    constexpr Bounds words{.length_max = text_bytes_in_line};
    constexpr Bounds list{.length_max = tunnel::names_max};
    constexpr Bounds port_number{.minimum = 1, .maximum = 65535};
    const auto text = [&](const char* field) {
        return reader.optional<std::string>(field, words).value_or("");
    };
    const auto names = [&](const char* field) {
        return reader.optional_list<std::string>(field, list, words)
            .value_or(std::vector<std::string>{});
    };
    tunnel::Hello hello{.token = text("token"),
                        .pool = text("pool"),
                        .host = text("spot_id"),
                        .hostname = text("public_hostname"),
                        .aliases = names("public_aliases"),
                        .base_domains = names("public_base_domains")};
    const auto ports =
        reader.optional_list<std::int64_t>("ports", {.length_max = tunnel::ports_max}, port_number);
    const auto port =
        reader.optional<std::int64_t>("public_port", {.minimum = 0, .maximum = 65535});
    if (!problems.empty()) return fail(problems.error());
    for (const auto one : ports.value_or(std::vector<std::int64_t>{})) {
        hello.ports.push_back(static_cast<std::uint16_t>(one));
    }
    hello.port = static_cast<std::uint16_t>(port.value_or(0));
    BERTH_TRY(check_as_they_do(hello));
    // Names without a hostname mean nothing to them.
    if (hello.hostname.empty()) hello.aliases.clear(), hello.base_domains.clear();
    return hello;
}

/// These characters Go escapes for the sake of browsers.
std::string as_go_escapes(std::string_view json) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> escapes = {
        {{"<", "\\u003c"},
         {">", "\\u003e"},
         {"&", "\\u0026"},
         {"\u2028", "\\u2028"},
         {"\u2029", "\\u2029"}}};
    std::string out;
    while (!json.empty()) {
        const auto found = std::ranges::find_if(
            escapes, [json](const auto& one) { return json.starts_with(one.first); });
        const bool plain = found == escapes.end();
        out += plain ? json.substr(0, 1) : found->second;
        json.remove_prefix(plain ? 1 : found->first.size());
    }
    return out;
}

}  // namespace

Result<std::optional<tunnel::Arrived<tunnel::Hello>>> read_containarium_hello(
    std::string_view bytes) {
    const auto end = bytes.substr(0, containarium_hello_bytes_max).find('\n');
    if (end == std::string_view::npos) {
        if (bytes.size() >= containarium_hello_bytes_max) return complaint("the hello is too long");
        return std::nullopt;
    }
    return tunnel::Arrived<tunnel::Hello>{.value = BERTH_TRY(hello_of_line(bytes.substr(0, end))),
                                          .bytes = end + 1};
}

std::string containarium_answer(const std::optional<Error>& refused) {
    // The first address that the original gives out. Hosts only log it; nothing listens there.
    if (!refused) return "{\"ok\":true,\"assigned_ip\":\"127.0.0.2\"}\n";
    return as_go_escapes(to_text(Json{{"ok", false}, {"error", refused->message}})) + "\n";
}

}  // namespace berth::sentinel
