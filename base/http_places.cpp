// SPDX-License-Identifier: Apache-2.0
#include "base/http_places.h"

#include <utility>

namespace berth::http {
namespace {

constexpr std::size_t network_bytes_v6 = 8;  // what one machine may choose its address from
/// Connections that were told to go: threads still, for a moment, and so with a bound.
constexpr std::size_t leaving_max = 256;

}  // namespace

std::string Places::source_of(const KernelAddress& peer) {
    const auto address = SocketAddress::of(peer);
    if (!address) return "";
    return std::string(address->ip().substr(0, address->is_v6() ? network_bytes_v6 : 4));
}

Places::Admission Places::enter(int socket, std::string source) {
    std::size_t of_source = 0;
    std::pair<const int, One>*oldest = nullptr, *oldest_of_source = nullptr;
    const auto keep_older = [](auto*& oldest_yet, auto& entry) {
        if (oldest_yet == nullptr || entry.second.number < oldest_yet->second.number) {
            oldest_yet = &entry;
        }
    };
    for (auto& entry : open_) {
        const One& one = entry.second;
        if (!one.stranger || one.evicted) continue;
        keep_older(oldest, entry);
        if (source.empty() || one.source != source) continue;
        ++of_source;
        keep_older(oldest_of_source, entry);
    }
    const bool crowded = oldest_of_source != nullptr && of_source >= strangers_per_source_max_;
    const bool full = open_.size() - evicted_ >= in_all_max_;
    Admission admission{.admitted = !full && !crowded};
    if (!admission.admitted && evicted_ < leaving_max) {
        if (auto* const victim = crowded ? oldest_of_source : oldest; victim != nullptr) {
            victim->second.evicted = true;
            ++evicted_;
            admission = {.admitted = true, .evicted = victim->first};
        }
    }
    if (admission.admitted) open_[socket] = {.source = std::move(source), .number = next_++};
    return admission;
}

void Places::known(int socket, bool is_known) {
    const auto found = open_.find(socket);
    if (found != open_.end()) found->second.stranger = !is_known;
}

void Places::leave(int socket) {
    const auto found = open_.find(socket);
    if (found == open_.end()) return;
    if (found->second.evicted) --evicted_;
    open_.erase(found);
}

}  // namespace berth::http
