// SPDX-License-Identifier: Apache-2.0
#include "sentinel/page/visit.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <array>
#include <utility>

namespace berth::sentinel {

Visit::Visit(PagePlace place) : place_(std::move(place)), ssl_(SSL_new(place_.page().context())) {
    if (!ssl_) {
        over_ = true;
        return;
    }
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl_.get());
}

void Visit::receive(std::string_view bytes) {
    if (over_ || bytes.empty()) return;
    (void)BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    step();
    ERR_clear_error();  // whatever a client did is no error of ours
}

void Visit::step() {
    const auto gave_up = [this](int result) {
        over_ = SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ;
    };
    if (const int done = SSL_do_handshake(ssl_.get()); done != 1) return gave_up(done);
    std::array<char, 4096> buffer{};
    while (!over_) {
        const int got = SSL_read(ssl_.get(), buffer.data(), buffer.size());
        if (got <= 0) return gave_up(got);
        request_.append(buffer.data(), static_cast<std::size_t>(got));
        if (request_.contains("\r\n\r\n")) return answer();
        if (request_.size() > request_bytes_max) over_ = true;
    }
}

void Visit::answer() {
    const std::string text = place_.page().answer(!request_.starts_with("HEAD "));
    (void)SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
    (void)SSL_shutdown(ssl_.get());
    over_ = true;
}

std::string Visit::take_output() {
    char* bytes = nullptr;
    const long count = ssl_ ? BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &bytes) : 0;
    std::string output;
    if (count > 0) output.assign(bytes, static_cast<std::size_t>(count));
    if (ssl_) (void)BIO_reset(SSL_get_wbio(ssl_.get()));
    return output;
}

}  // namespace berth::sentinel
