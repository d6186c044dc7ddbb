// SPDX-License-Identifier: Apache-2.0
#include "tunnel/announce/announcer.h"

#include "tunnel/announce/secured.h"
#include "tunnel/carry/token_file.h"

#include <fmt/format.h>

#include <random>
#include <utility>

namespace berth::tunnel {
namespace {

constexpr std::string_view primaries_path = "/sentinel/primaries";
constexpr std::chrono::milliseconds answer_wait_max{5'000};
/// For each of the two requests when this ends: a sentinel that is not there holds up no stop.
constexpr std::chrono::milliseconds leave_wait_max{1'000};
/// The answer has what was registered, which may be a thousand names.
constexpr std::size_t told_bytes_max = std::size_t{512} * 1024;

}  // namespace

Announcer::Announcer(AnnouncerOptions options, HttpClient::Secure secure,
                     std::function<void(const AnnouncerNews&)> told)
    : options_(std::move(options)),
      told_(std::move(told)),
      client_(options_.host, options_.port, std::move(secure)) {}

Result<std::unique_ptr<Announcer>> Announcer::start(
    AnnouncerOptions options, std::function<void(const AnnouncerNews&)> told) {
    if (options.server_name.empty()) options.server_name = options.host;
    BERTH_TRY(read_token(options.token_file));
    HttpClient::Secure secure;
    if (options.tls) {
        secure =
            secured(BERTH_TRY(TlsContext::client(options.authorities, options.certificate, "")),
                    options.server_name);
    }
    std::unique_ptr<Announcer> one(
        new Announcer(std::move(options), std::move(secure), std::move(told)));
    one->thread_ =
        std::jthread([&announcer = *one](const std::stop_token& stop) { announcer.run(stop); });
    return one;
}

Announcer::~Announcer() {
    thread_.request_stop();
    wake_.notify_all();
}

void Announcer::run(const std::stop_token& stop) {
    Announcement announcement(options_.primary.generation, options_.beat_every,
                              std::random_device()());
    bool may_be_there = false;
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            if (wake_.wait_until(lock, stop, announcement.due(),
                                 [&stop] { return stop.stop_requested(); })) {
                break;
            }
        }
        const auto answer = say(
            announcement.next(),
            {.read_timeout = answer_wait_max, .cancelled = stop, .body_bytes_max = told_bytes_max});
        may_be_there = true;  // until an answer says otherwise
        if (stop.stop_requested()) break;
        const auto news = announcement.answered(answer, std::chrono::steady_clock::now());
        may_be_there = announcement.registered();
        if (news) told_(*news);
    }
    if (may_be_there) leave(announcement);
}

/// Who took over in the meantime stays: it is another's registration now.
void Announcer::leave(const Announcement& announcement) {
    const HttpSendOptions how{.read_timeout = leave_wait_max, .body_bytes_max = told_bytes_max};
    if (!announcement.is_ours(say(Announcement::Word::beat, how))) return;
    (void)send(
        {.method = "DELETE", .path = fmt::format("{}/{}", primaries_path, options_.primary.pool)},
        how);
}

Announcement::Answer Announcer::say(Announcement::Word word, const HttpSendOptions& how) {
    HttpRequest request{.method = "POST", .path = std::string(primaries_path)};
    if (word == Announcement::Word::beat) {
        request.method = "PUT";
        request.path += "/" + options_.primary.pool;
    } else {
        request.headers.emplace("Content-Type", "application/json");
        request.body = claim_body(options_.primary);
    }
    return read_registry_answer(BERTH_TRY(send(std::move(request), how)));
}

Result<HttpResponse> Announcer::send(HttpRequest request, const HttpSendOptions& how) {
    const std::string token = BERTH_TRY(read_token(options_.token_file));
    if (!token.empty()) request.headers.emplace("Authorization", "Bearer " + token);
    return client_.send(request, how);
}

}  // namespace berth::tunnel
