// SPDX-License-Identifier: Apache-2.0
#include "tunnel/announce/announcement.h"

#include "tools-schema/contract/error_table.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <utility>

namespace berth::tunnel {
namespace {

ErrorCode code_of(int status) {
    switch (status) {
        case 401:
        case 403:
            return ErrorCode::denied;
        case 404:
            return ErrorCode::not_found;
        case 409:
            return ErrorCode::already_exists;
        default:
            return status >= 500 ? ErrorCode::unavailable : ErrorCode::invalid_argument;
    }
}

/// A text of the answer's; "" when it has none of that name.
std::string text_of(const Json& document, const char* name) {
    const auto found = document.find(name);
    return found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Whoever is asked again may take it, without anybody having changed something.
bool is_refusal(const Error& why) {
    return why.code != ErrorCode::unavailable && why.code != ErrorCode::timed_out &&
           why.code != ErrorCode::busy;
}

}  // namespace

std::string claim_body(const Primary& primary) {
    Json body{{"pool", primary.pool}, {"hostname", primary.hostname}, {"port", primary.port}};
    if (!primary.aliases.empty()) body["aliases"] = primary.aliases;
    if (!primary.base_domains.empty()) body["base_domains"] = primary.base_domains;
    if (!primary.ip.empty()) body["ip"] = primary.ip;
    body["generation"] = primary.generation;
    return to_text(body);
}

Result<std::optional<std::uint64_t>> read_registry_answer(const HttpResponse& response) {
    const auto parsed = parse_json(response.body);
    const Json document = parsed && parsed->is_object() ? *parsed : Json::object();
    if (response.status >= 200 && response.status < 300) {
        const auto generation = document.find("generation");
        if (generation == document.end() || !generation->is_number_unsigned()) return std::nullopt;
        return generation->get<std::uint64_t>();
    }
    std::string message = text_of(document, "error");
    if (message.empty()) message = fmt::format("the answer has status {}", response.status);
    Error why =
        make_error(error_code(text_of(document, "code")).value_or(code_of(response.status)), "");
    // What a program behind the registry's address says of itself is no word about this host.
    if (response.status == 404) why.code = ErrorCode::not_found;
    why.message = std::move(message);
    why.field = text_of(document, "field");
    why.hint = text_of(document, "next");
    return fail(std::move(why));
}

std::optional<AnnouncerNews> Announcement::answered(const Answer& answer, Moment now) {
    if (is_ours(answer)) {
        const bool is_new = !registered_ || !problem_.empty();
        registered_ = true;
        problem_.clear();
        backoff_.reset();
        due_ = now + beat_every_;
        return is_new ? std::optional(AnnouncerNews{}) : std::nullopt;
    }
    const Error why = answer
                          ? make_error(ErrorCode::busy, "another host has registered for the pool")
                                .next("stop berthd on one of the two")
                          : answer.error();
    const bool is_forgotten = registered_ && why.code == ErrorCode::not_found;
    if (answer || why.code == ErrorCode::not_found || why.code == ErrorCode::denied) {
        registered_ = false;
    }
    const auto wait = is_forgotten ? std::chrono::milliseconds(0) : backoff_.next(is_refusal(why));
    due_ = now + wait;
    if (why.message == problem_) return std::nullopt;
    problem_ = why.message;
    return AnnouncerNews{.kind = AnnouncerNews::Kind::failed, .why = why, .wait = wait};
}

}  // namespace berth::tunnel
