// SPDX-License-Identifier: Apache-2.0
// Keeps this host registered with a sentinel as its pool's primary, for as long as it lives, and
// says so when it ends. Nobody waits for it.
#pragma once

#include "base/http_client.h"
#include "tunnel/announce/announcement.h"
#include "tunnel/carry/tls_context.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace berth::tunnel {

struct AnnouncerOptions {
    std::string host = {};  // of the sentinel's control plane: a name or an address
    std::uint16_t port = 443;
    bool tls = true;
    std::string server_name = {};  // that its certificate must have; "": `host`
    std::filesystem::path authorities = {};
    OwnCertificate certificate = {};
    std::filesystem::path token_file = {};  // read again for each request; "": a certificate alone
    Primary primary = {};
    std::chrono::milliseconds beat_every{30'000};
};

class Announcer {
public:
    /// `told` is called from a thread of the announcer's, one news after the other.
    [[nodiscard]] static Result<std::unique_ptr<Announcer>> start(
        AnnouncerOptions options, std::function<void(const AnnouncerNews&)> told);
    Announcer(const Announcer&) = delete;
    Announcer& operator=(const Announcer&) = delete;
    /// Leaves the registry, if it answers soon and has nobody else for the pool.
    ~Announcer();

private:
    Announcer(AnnouncerOptions options, HttpClient::Secure secure,
              std::function<void(const AnnouncerNews&)> told);
    void run(const std::stop_token& stop);
    void leave(const Announcement& announcement);
    [[nodiscard]] Announcement::Answer say(Announcement::Word word, const HttpSendOptions& how);
    [[nodiscard]] Result<HttpResponse> send(HttpRequest request, const HttpSendOptions& how);

    const AnnouncerOptions options_;
    const std::function<void(const AnnouncerNews&)> told_;
    HttpClient client_;
    std::mutex mutex_;  // of the wait alone
    std::condition_variable_any wake_;
    std::jthread thread_;
};

}  // namespace berth::tunnel
