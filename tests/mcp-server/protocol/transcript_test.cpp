// SPDX-License-Identifier: Apache-2.0
// Runs tests/transcripts/*.txt against the protocol without I/O; transcripts.py runs the same files
// over stdio and HTTP.
#include "transcript.h"

#include "base/clock.h"
#include "base/files.h"
#include "fixture_server.h"
#include "mcp-server/protocol/dispatcher.h"
#include "tests/support/catch.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

using namespace berth;
using namespace berth::mcp;

namespace {

constexpr std::chrono::seconds answer_wait{10};
constexpr std::chrono::milliseconds before_repeating{20};

/// A client and its server in one process: what would be lines of a stream are calls and a queue.
class Conversation final : private Exchange {
public:
    Conversation() = default;
    ~Conversation() override { end(); }

    void say(const std::string& text) {
        auto payload = jsonrpc::parse(text);
        auto running = known(payload);
        if (payload && Dispatcher::may_wait(*payload)) {
            threads_.emplace_back([this, payload = std::move(payload), running]() mutable {
                answer(payload, std::move(running));
            });
        } else {
            answer(payload, std::move(running));
        }
        std::erase_if(listens_, [](const OpenListen& one) {
            return one.running->cancelled().stop_requested();
        });
    }

    /// The next message; nothing when there is none for too long.
    std::optional<Json> hear() {
        std::unique_lock lock(mutex_);
        if (!said_.wait_for(lock, answer_wait, [this] { return !messages_.empty(); })) return {};
        Json message = Json::parse(messages_.front());
        messages_.pop_front();
        return message;
    }

    /// Ends what still runs; the number of messages that nobody heard.
    std::size_t end() {
        (void)ending_.request_stop();
        threads_.clear();
        listens_.clear();
        session_->detach();
        const std::scoped_lock lock(mutex_);
        return messages_.size();
    }

private:
    using Parsed = std::expected<jsonrpc::Payload, jsonrpc::Refusal>;
    struct OpenListen {
        std::shared_ptr<Session::Running> running;
        std::unique_ptr<Hub::Subscription> subscription;
    };

    /// Known before the next message, which may cancel it.
    std::shared_ptr<Session::Running> known(const Parsed& payload) {
        if (!payload || payload->batch || !payload->messages.front()) return nullptr;
        const auto* request = std::get_if<jsonrpc::Request>(&*payload->messages.front());
        return request ? std::make_shared<Session::Running>(session_, request->id) : nullptr;
    }

    void answer(const Parsed& payload, std::shared_ptr<Session::Running> running) {
        const Outcome outcome = dispatcher_.answer(payload, {.session = session_,
                                                             .principal = "transcript",
                                                             .exchange = this,
                                                             .ending = ending_.get_token(),
                                                             .running = running});
        if (!outcome.text.empty()) send(outcome.text);
        if (outcome.agreed) {
            session_->agree(outcome.agreed->version, outcome.agreed->capabilities);
            session_->attach(server_.hub(), dispatcher_.changing_lists(),
                             [this](const std::string& message) { send(message); });
        }
        if (outcome.listen) open(*outcome.listen, std::move(running));
    }

    void open(const Listen& listen, std::shared_ptr<Session::Running> running) {
        send(listen.acknowledge);
        if (listen.empty()) {
            send(listen.end);
            return;
        }
        listens_.push_back({.running = std::move(running),
                            .subscription = server_.hub().subscribe(
                                listen.interest, listen.id,
                                [this](const std::string& message) { send(message); })});
    }

    void send(const std::string& message) override {
        const std::scoped_lock lock(mutex_);
        messages_.push_back(message);
        said_.notify_all();
    }

    FixtureServer server_;
    SystemClock clock_;
    Dispatcher dispatcher_{server_.offer(), server_.hub(),
                           auth::Seals(auth::SealKey::random(), clock_)};
    std::shared_ptr<Session> session_ = std::make_shared<Session>();
    std::mutex mutex_;
    std::condition_variable said_;
    std::deque<std::string> messages_;
    std::stop_source ending_;
    std::list<OpenListen> listens_;
    std::list<std::jthread> threads_;
};

void expect(Transcript& transcript, Conversation& conversation, const Json& expected) {
    const auto heard = conversation.hear();
    REQUIRE(heard);
    CAPTURE(to_text(*heard));
    CHECK(transcript.matches(expected, *heard));
}

void expect_in_any_order(Transcript& transcript, Conversation& conversation,
                         std::vector<Json>& expected) {
    while (!expected.empty()) {
        const auto heard = conversation.hear();
        REQUIRE(heard);
        CAPTURE(to_text(*heard));
        const auto found = std::ranges::find_if(expected, [&](const Json& one) {
            Transcript tried = transcript;  // what does not match must not keep anything
            return tried.matches(one, *heard);
        });
        REQUIRE(found != expected.end());
        CHECK(transcript.matches(*found, *heard));
        expected.erase(found);
    }
}

void repeat_until(Transcript& transcript, Conversation& conversation, const std::string& sent,
                  const Json& expected) {
    const auto end = std::chrono::steady_clock::now() + answer_wait;
    for (;;) {
        const auto heard = conversation.hear();
        REQUIRE(heard);
        if (transcript.matches(expected, *heard)) return;
        CAPTURE(to_text(*heard));
        REQUIRE(std::chrono::steady_clock::now() < end);
        std::this_thread::sleep_for(before_repeating);
        conversation.say(sent);
    }
}

void run(Transcript& transcript) {
    Conversation conversation;
    std::string sent;
    std::vector<Json> unordered;
    for (const auto& [kind, text] : transcript.steps()) {
        CAPTURE(text);
        if (kind != '~') expect_in_any_order(transcript, conversation, unordered);
        if (kind == '>') {
            sent = transcript.outgoing(text);
            conversation.say(sent);
        } else if (kind == '*') {
            repeat_until(transcript, conversation, sent, Json::parse(text));
        } else if (kind == '~') {
            unordered.push_back(Json::parse(text));
        } else {
            expect(transcript, conversation, Json::parse(text));
        }
    }
    expect_in_any_order(transcript, conversation, unordered);
    CHECK(conversation.end() == 0);
}

}  // namespace

TEST_CASE("the conversations in tests/transcripts go as written") {
    std::size_t conversations = 0;
    for (const auto& entry : std::filesystem::directory_iterator(BERTH_TRANSCRIPTS)) {
        if (entry.path().extension() != ".txt") continue;
        CAPTURE(entry.path().filename().string());
        const auto text = read_file(entry.path());
        REQUIRE(text);
        Transcript transcript(*text);
        if (transcript.only_http()) continue;
        run(transcript);
        ++conversations;
    }
    CHECK(conversations > 40);
}
