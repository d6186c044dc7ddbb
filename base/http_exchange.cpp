// SPDX-License-Identifier: Apache-2.0
#include "base/http_exchange.h"

#include <fmt/format.h>

#include <utility>

namespace berth::http {
namespace {

constexpr std::string_view last_chunk = "0\r\n\r\n";

/// A line end in a value would begin a header of somebody else's making.
bool is_one_line(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

bool Exchange::begin(int status, const HttpHeaders& headers) {
    const std::scoped_lock lock(mutex_);
    if (phase_ != Phase::waiting) return false;
    phase_ = Phase::streaming;
    if (!form_.chunked || form_.last || connection_.stopping()) connection_.close_after_answer();
    if (connection_.send_head(head(status, headers), hurry_)) return true;
    break_off();
    return false;
}

bool Exchange::write(std::string_view piece) {
    const std::scoped_lock lock(mutex_);
    if (phase_ != Phase::streaming || client_left()) return false;
    if (piece.empty() || !form_.has_body) return true;  // an empty chunk would be the last one
    const bool sent =
        form_.chunked
            ? connection_.send_piece(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece), hurry_)
            : connection_.send_piece(piece, hurry_);
    if (!sent) break_off();
    return sent;
}

void Exchange::end() {
    hurry_ = true;
    const std::scoped_lock lock(mutex_);
    if (phase_ != Phase::streaming) return;
    unwatch();  // the client that has its answer may leave, and that ends nothing any more
    if (!send_last()) return;
    connection_.finish_sending();
}

std::stop_token Exchange::gone() {
    const std::scoped_lock lock(gone_mutex_);
    if (!gone_.stop_possible() && !unwatched_) {
        gone_ = std::stop_source();
        watch_ = watcher_.watch(connection_.descriptor(), gone_);
    }
    return gone_.get_token();
}

bool Exchange::finish(bool well) {
    const std::scoped_lock lock(mutex_);
    if (phase_ == Phase::waiting) {
        phase_ = Phase::over;
        return false;
    }
    if (phase_ == Phase::streaming && well) (void)send_last();
    if (phase_ == Phase::streaming) break_off();
    return true;
}

std::string Exchange::head(int status, const HttpHeaders& headers) const {
    std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status, status < 400 ? "OK" : "Error");
    for (const auto& [name, value] : headers) {
        if (is_one_line(name) && is_one_line(value)) text += fmt::format("{}: {}\r\n", name, value);
    }
    if (form_.chunked) text += "Transfer-Encoding: chunked\r\n";
    if (connection_.closing()) text += "Connection: close\r\n";
    return text + "\r\n";
}

/// A socket takes bytes for some time after its peer has left. When the server stops, it is the
/// server that looks like leaving, and the last words may still be said.
bool Exchange::client_left() {
    const std::scoped_lock lock(gone_mutex_);
    return gone_.stop_requested() && !connection_.stopping();
}

bool Exchange::send_last() {
    const bool sent =
        !form_.chunked || !form_.has_body || connection_.send_piece(last_chunk, hurry_);
    if (!sent) break_off();
    phase_ = Phase::over;
    return sent;
}

void Exchange::break_off() {
    phase_ = Phase::over;
    connection_.abandon();
}

void Exchange::unwatch() {
    const std::scoped_lock lock(gone_mutex_);
    watcher_.forget(connection_.descriptor(), std::exchange(watch_, 0));
    unwatched_ = true;
}

}  // namespace berth::http
