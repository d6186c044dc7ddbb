// SPDX-License-Identifier: Apache-2.0
// A command line run against a berthd that remembers what it was asked and answers as it is told.
#pragma once

#include "mcp-server/cli/cli.h"

#include <sstream>
#include <string>
#include <vector>

namespace berth::cli {

struct FakeBerthd {
    Result<Json> answer = Json::object();
    std::string input = {};
    Device out_device = {};
    Device err_device = {};
    bool interrupt = false;  // ^C comes while the call is under way

    bool cancelled = false;
    std::string socket = {};
    std::string tool = {};
    Json arguments = {};
    std::string out = {};
    std::string err = {};

    /// Runs one command line and returns its exit code.
    int run(std::vector<std::string> words) {
        std::istringstream in(input);
        std::ostringstream out_stream;
        std::ostringstream err_stream;
        const int code = run_cli(std::move(words), {.connect =
                                                        [this](const std::string& path) {
                                                            socket = path;
                                                            return std::make_unique<Line>(*this);
                                                        },
                                                    .in = in,
                                                    .out = out_stream,
                                                    .err = err_stream,
                                                    .out_device = out_device,
                                                    .err_device = err_device,
                                                    .on_interrupt =
                                                        [this](std::stop_source source) {
                                                            if (interrupt) source.request_stop();
                                                            return nullptr;
                                                        }});
        out = out_stream.str();
        err = err_stream.str();
        return code;
    }

private:
    struct Line final : Invoker {
        explicit Line(FakeBerthd& to) : berthd(to) {}
        Result<Json> invoke(std::string_view name, const Json& given, const Call& call) override {
            berthd.cancelled = call.cancelled.stop_requested();
            berthd.tool = name;
            berthd.arguments = given;
            return berthd.answer;
        }
        FakeBerthd& berthd;
    };
};

}  // namespace berth::cli
