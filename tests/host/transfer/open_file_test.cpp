// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/open_file.h"

#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <thread>

using namespace berth;
using namespace berth::transfer;

namespace {

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        out = Fd(ends[0]);
        in = Fd(ends[1]);
    }
    Fd out, in;
};

}  // namespace

TEST_CASE("only a file or a pipe that is open for it is used", "[transfer]") {
    const TemporaryDirectory directory;
    directory.write("file", "x");
    const auto path = directory.path() / "file";
    using enum OpenFile::Use;
    const Fd reading(::open(path.c_str(), O_RDONLY)), writing(::open(path.c_str(), O_WRONLY));
    const Fd by_path(::open(path.c_str(), O_PATH)), event(::eventfd(0, 0));
    const Fd place(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY));
    CHECK(OpenFile::of(reading.get(), read, {}));
    CHECK(OpenFile::of(writing.get(), write, {}));
    for (const auto& [descriptor, use] :
         {std::pair(reading.get(), write), std::pair(writing.get(), read),
          std::pair(by_path.get(), read), std::pair(event.get(), read),
          std::pair(place.get(), read)}) {
        const auto opened = OpenFile::of(descriptor, use, {});
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code == ErrorCode::invalid_argument);
        CHECK(opened.error().field == "/file");
    }
}

TEST_CASE("a pipe that stands still holds nobody who wants to leave", "[transfer]") {
    (void)::signal(SIGPIPE, SIG_IGN);
    const Pipe pipe;
    std::stop_source stop;
    auto file = OpenFile::of(pipe.in.get(), OpenFile::Use::write, stop.get_token()).value();
    const std::jthread later([&stop] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        stop.request_stop();
    });
    const auto written = file.write(std::string(1 << 20, 'x'));
    REQUIRE_FALSE(written);
    CHECK(written.error().code == ErrorCode::unavailable);
    CHECK(file.bytes() > 0);
}

TEST_CASE("a socket serves as a pipe does", "[transfer]") {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    Fd in(ends[0]);
    const Fd out(ends[1]);
    std::stop_source stop;
    auto to = OpenFile::of(in.get(), OpenFile::Use::write, stop.get_token()).value();
    auto from = OpenFile::of(out.get(), OpenFile::Use::read, {}).value();
    REQUIRE(to.write("hello"));
    std::array<char, 16> piece{};
    CHECK(from.read(piece).value() == 5);
    const std::jthread later([&stop] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        stop.request_stop();
    });
    CHECK(to.write(std::string(8 << 20, 'x')).error().code == ErrorCode::unavailable);
    in.reset();
    std::size_t rest = 1;
    while (rest > 0) rest = from.read(piece).value();
}

TEST_CASE("what goes into a pipe comes out, and the end is an end", "[transfer]") {
    (void)::signal(SIGPIPE, SIG_IGN);
    Pipe pipe;
    const std::string sent(300'000, 'y');
    {
        auto from = OpenFile::of(pipe.out.get(), OpenFile::Use::read, {}).value();
        std::jthread writer([&pipe, &sent] {
            {
                auto to = OpenFile::of(pipe.in.get(), OpenFile::Use::write, {}).value();
                (void)to.write(sent);
            }
            pipe.in.reset();
        });
        std::string got;
        std::array<char, 5000> piece{};
        for (;;) {
            const auto count = from.read(piece).value();
            if (count == 0) break;
            got.append(piece.data(), count);
        }
        CHECK(got == sent);
    }
    Pipe broken;
    auto to = OpenFile::of(broken.in.get(), OpenFile::Use::write, {}).value();
    broken.out.reset();
    CHECK(to.write("x").error().message.contains("nobody reads"));
}
