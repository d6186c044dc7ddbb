// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/dialer.h"

#include "base/files.h"
#include "tunnel/carry/front_probe.h"
#include "tunnel/carry/token_file.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace berth::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// The first request may be there before the sentinel routes the name.
constexpr milliseconds probe_again_first{50};
constexpr milliseconds probe_every{500};

constexpr std::size_t greeting_bytes = std::size_t{16} * 1024;

bool is_refusal(const Error& why) {
    return why.code != ErrorCode::unavailable && why.code != ErrorCode::timed_out &&
           why.code != ErrorCode::busy;
}

}  // namespace

Dialer::Dialer(DialerOptions options, std::function<void(const DialerNews&)> told)
    : options_(std::move(options)), told_(std::move(told)) {}

Result<std::unique_ptr<Dialer>> Dialer::start(DialerOptions options,
                                              std::function<void(const DialerNews&)> told) {
    options.hello.ports.clear();
    for (const auto& [port, target] : options.targets) options.hello.ports.push_back(port);
    if (options.server_name.empty()) options.server_name = options.host;
    std::unique_ptr<Dialer> dialer(new Dialer(std::move(options), std::move(told)));
    BERTH_TRY(dialer->set_up());
    return dialer;
}

Result<> Dialer::set_up() {
    context_ = BERTH_TRY(TlsContext::client(options_.authorities, options_.certificate));
    BERTH_TRY(read_token(options_.token_file));
    stop_ = Fd(::eventfd(0, EFD_CLOEXEC));
    if (!stop_) return fail(system_error("make an event", errno));
    const auto target = [this](SessionId, const StreamOpening& opening) {
        const auto found = options_.targets.find(opening.port);
        return found == options_.targets.end() ? std::nullopt : std::optional(found->second);
    };
    const auto ended = [this](SessionId id, const Error& why, const SessionSums& /*carried*/) {
        const std::scoped_lock lock(mutex_);
        if (id == current_) ended_ = why;
        changed_.notify_all();
    };
    const auto leaving = [this](SessionId id) {
        // The session stays for as long as the sentinel has it: streams may come still.
        const std::scoped_lock lock(mutex_);
        if (id == current_) leaving_ = true;
        changed_.notify_all();
    };
    const auto begun = [this](SessionId id, std::string_view first) {
        const std::scoped_lock lock(mutex_);
        if (id == current_ && !asked_.empty() && first.contains(asked_)) carried_ = true;
    };
    carrier_ = BERTH_TRY(Carrier::start(
        {.target = target, .begun = begun, .ended = ended, .leaving = leaving}, options_.limits));
    thread_ = std::thread([this] { run(); });
    return {};
}

Dialer::~Dialer() {
    if (!thread_.joinable()) return;
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    (void)::eventfd_write(stop_.get(), 1);
    changed_.notify_all();
    thread_.join();
}

void Dialer::run() {
    while (true) {
        auto established = dial();
        if (!established) {
            const milliseconds wait = next_wait(established.error());
            {
                const std::scoped_lock lock(mutex_);
                if (stopping_) return;
            }
            told_({.kind = DialerNews::Kind::failed, .why = established.error(), .wait = wait});
            if (pause(wait)) return;
            continue;
        }
        SessionId id = 0;
        {
            const std::scoped_lock lock(mutex_);
            id = ++current_;
            ended_.reset();
            leaving_ = false;
        }
        carrier_->adopt(id, *std::move(established));
        attend();
        const std::scoped_lock lock(mutex_);
        if (stopping_) return;
    }
}

/// Until the session is over or another is needed.
void Dialer::attend() {
    const auto over = [this] { return stopping_ || ended_ || leaving_; };
    std::optional<std::string> problem;
    const bool named = !options_.hello.hostname.empty();
    if (!named) {
        backoff_.reset();
        told_({.kind = DialerNews::Kind::open});
    }
    for (bool first = true; named; first = false) {
        const auto asked = ask_front();
        if (asked) {
            backoff_.reset();
            told_({.kind = DialerNews::Kind::joined});
            break;
        }
        std::unique_lock lock(mutex_);
        if (over()) break;
        if (!first && problem != asked.error().message) {
            problem = asked.error().message;
            lock.unlock();
            told_({.kind = DialerNews::Kind::unheard, .why = asked.error(), .wait = probe_every});
            lock.lock();
        }
        if (changed_.wait_for(lock, first ? probe_again_first : probe_every, over)) break;
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, over);
    if (stopping_ || leaving_) return;
    const Error why = *ended_;
    lock.unlock();
    const milliseconds wait = next_wait(why);
    told_({.kind = DialerNews::Kind::lost, .why = why, .wait = wait});
    (void)pause(wait);
}

/// True when it is to stop.
bool Dialer::pause(milliseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return stopping_; });
}

milliseconds Dialer::next_wait(const Error& why) {
    return backoff_.next(is_refusal(why));
}

Result<> Dialer::wait_for(const Fd& socket, short events, steady_clock::time_point until) {
    std::array<pollfd, 2> polled{pollfd{.fd = socket.get(), .events = events, .revents = 0},
                                 pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    const int found = ::poll(polled.data(), polled.size(),
                             static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (polled[1].revents != 0) return fail(ErrorCode::unavailable, "it is to stop");
    if (found == 0) {
        return fail(ErrorCode::timed_out,
                    fmt::format("no answer within {} s", options_.step_wait_max.count() / 1000));
    }
    return {};
}

Result<Fd> Dialer::connect() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int problem =
        ::getaddrinfo(options_.host.c_str(), std::to_string(options_.port).c_str(), &hints, &found);
    if (problem != 0) {
        return fail(ErrorCode::unavailable,
                    fmt::format("{}: {}", options_.host, ::gai_strerror(problem)));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
    Error why = make_error(ErrorCode::unavailable, "it has no address");
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        Fd socket(::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!socket) continue;
        if (::connect(socket.get(), one->ai_addr, one->ai_addrlen) != 0 && errno != EINPROGRESS) {
            why = system_error("connect", errno);
            continue;
        }
        const auto ready = wait_for(socket, POLLOUT, steady_clock::now() + options_.step_wait_max);
        int refused = 0;
        socklen_t size = sizeof refused;
        (void)::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &refused, &size);
        if (ready && refused == 0) {
            KernelAddress address;
            (void)::getpeername(socket.get(), address.get(), &address.size);
            front_ = SocketAddress::of(address);
            return socket;
        }
        why = ready ? system_error("connect", refused) : ready.error();
    }
    return fail(std::move(why));
}

/// Sends what is to be sent, and gives what comes to `plain`, until `done` says so.
Result<> Dialer::exchange(const Fd& socket, Channel& tls, std::string& plain,
                          const std::function<Result<bool>()>& done) {
    const auto until = steady_clock::now() + options_.step_wait_max;
    std::array<char, greeting_bytes> buffer{};
    while (true) {
        while (!tls.output().empty()) {
            const auto output = tls.output();
            const ssize_t sent = ::send(socket.get(), output.data(), output.size(), MSG_NOSIGNAL);
            if (sent >= 0) {
                tls.sent(static_cast<std::size_t>(sent));
            } else if (errno == EAGAIN) {
                BERTH_TRY(wait_for(socket, POLLOUT, until));
            } else {
                return fail(system_error("send", errno));
            }
        }
        if (BERTH_TRY(done())) return {};
        BERTH_TRY(wait_for(socket, POLLIN, until));
        const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EAGAIN) continue;
        if (got < 0) return fail(system_error("receive", errno));
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
        const auto received = tls.receive(bytes, plain);
        const bool last = got == 0 || (received && !*received);
        if (!received) return fail(received.error());
        if (last && !BERTH_TRY(done())) {
            return fail(ErrorCode::unavailable, "the connection was closed");
        }
    }
}

Result<> Dialer::say_hello(const Fd& socket, Channel& tls, std::string& early) {
    Hello hello = options_.hello;
    hello.token = BERTH_TRY(read_token(options_.token_file));
    tls.send(encode(hello));
    std::optional<Arrived<HelloAnswer>> answer;
    BERTH_TRY(exchange(socket, tls, early, [&]() -> Result<bool> {
        answer = BERTH_TRY(read_answer(early));
        return answer.has_value();
    }));
    if (answer->value.error) return fail(*answer->value.error);
    early.erase(0, answer->bytes);
    return {};
}

Result<Established> Dialer::dial() {
    const std::string place = fmt::format("the sentinel at {}:{}", options_.host, options_.port);
    auto socket = connect();
    if (!socket) return fail(std::move(socket).error().in(place));
    Channel tls(context_, options_.server_name);
    std::string early;
    auto agreed = exchange(*socket, tls, early, [&tls]() -> Result<bool> { return tls.ready(); });
    if (!agreed) return fail(std::move(agreed).error().in(place));
    if (tls.protocol() != alpn) {
        return fail(ErrorCode::unsupported, place + " takes no tunnels");
    }
    const auto heard = say_hello(*socket, tls, early);
    if (!heard) return fail(Error(heard.error()).in(place));
    return Established{.socket = *std::move(socket),
                       .tls = std::move(tls),
                       .side = MuxSide::even,
                       .early = std::move(early)};
}

/// A request for our own name, as anybody's: it comes back through the sentinel, the tunnel and
/// the service behind it, or it does not count. That it was ours that came is known by the random
/// bytes in its ClientHello.
Result<> Dialer::ask_front() {
    if (!front_) return fail(ErrorCode::unavailable, "the sentinel's address is not known");
    const KernelAddress address = front_->to_kernel();
    const Fd socket(
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return fail(system_error("make a socket", errno));
    const auto until = steady_clock::now() + options_.step_wait_max;
    if (::connect(socket.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
        return fail(system_error("connect", errno));
    }
    BERTH_TRY(wait_for(socket, POLLOUT, until));
    const std::string hello = hello_for(options_.hello.hostname);
    {
        const std::scoped_lock lock(mutex_);
        asked_ = random_in(hello);
        carried_ = false;
    }
    // Into an empty buffer of the kernel's it goes whole.
    if (::send(socket.get(), hello.data(), hello.size(), MSG_NOSIGNAL) < 0) {
        return fail(system_error("send", errno));
    }
    std::string answer;
    while (true) {
        BERTH_TRY(wait_for(socket, POLLIN, until));
        std::array<char, 64> bytes{};
        const ssize_t got = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
        if (got < 0 && errno == EAGAIN) continue;
        if (got > 0) answer.append(bytes.data(), static_cast<std::size_t>(got));
        auto problem = problem_in(answer, alert_unrecognized_name);
        if (!problem && got <= 0) problem = "closes connections without an answer";
        if (!problem) continue;
        if (problem->empty()) {
            const std::scoped_lock lock(mutex_);
            if (carried_) return {};
            problem = "answers, but not through this tunnel: the sentinel leads the name elsewhere";
        }
        return fail(ErrorCode::unavailable, fmt::format("{}, asked through the sentinel, {}",
                                                        options_.hello.hostname, *problem));
    }
}

}  // namespace berth::tunnel
