// SPDX-License-Identifier: Apache-2.0
// A berthd that answers as a test tells it, and remembers what it was asked.
#pragma once

#include "mcp-server/protocol/offer.h"
#include "tools-schema/registry/invoker.h"

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace berth::mcp {

struct Invoked {
    std::string tool;
    Json arguments;
    Call call;
};

class ToldHost final : public Invoker {
public:
    using Answer = std::function<Result<Json>(const Json& arguments, const Call& call)>;

    /// Fill before the first call.
    std::map<std::string, Answer, std::less<>> tools = {};
    bool down = false;

    void gives(const std::string& tool, Json answer) {
        tools[tool] = [answer = std::move(answer)](const Json&, const Call&) { return answer; };
    }
    void fails(const std::string& tool, Error error) {
        tools[tool] = [error = std::move(error)](const Json&, const Call&) -> Result<Json> {
            return fail(error);
        };
    }
    /// container_list and container_get of these.
    void has_containers(std::vector<std::string> names) {
        tools["container_list"] = [names](const Json& arguments, const Call&) {
            Json list = Json::array();
            for (const auto& name : names) {
                const bool wanted = name > arguments.value("after", "") &&
                                    list.size() < arguments.value("limit", std::size_t{100});
                if (wanted) list.push_back({{"name", name}, {"state", "running"}});
            }
            return Json{{"containers", list}, {"total", names.size()}};
        };
        tools["container_get"] = [names](const Json& arguments, const Call&) -> Result<Json> {
            for (const auto& name : names) {
                if (arguments.at("name") == name) return Json{{"name", name}, {"state", "running"}};
            }
            return fail(ErrorCode::not_found, "no such container");
        };
    }

    /// warning_list and warning_get of these.
    void has_warnings(Json warnings) {
        gives("warning_list", {{"warnings", warnings}, {"total", warnings.size()}});
        tools["warning_get"] = [warnings](const Json& arguments, const Call&) -> Result<Json> {
            for (const Json& one : warnings) {
                if (arguments.at("id") == one.at("id")) return one;
            }
            return fail(ErrorCode::not_found, "no such warning");
        };
    }

    Result<Json> invoke(std::string_view tool, const Json& arguments, const Call& call) override {
        {
            const std::scoped_lock lock(mutex_);
            invoked_.push_back({std::string(tool), arguments, call});
        }
        if (down) {
            return fail(
                make_error(ErrorCode::unavailable, "berthd: nothing listens").next("start berthd"));
        }
        const auto found = tools.find(tool);
        if (found == tools.end()) {
            return fail(ErrorCode::not_found, "no tool " + std::string(tool));
        }
        return found->second(arguments, call);
    }

    [[nodiscard]] std::vector<Invoked> invoked() const {
        const std::scoped_lock lock(mutex_);
        return invoked_;
    }
    [[nodiscard]] std::vector<std::string> invoked_tools() const {
        std::vector<std::string> names;
        for (const auto& one : invoked()) names.push_back(one.tool);
        return names;
    }

private:
    mutable std::mutex mutex_;
    std::vector<Invoked> invoked_;
};

/// A request of a client that can do nothing special.
inline Asked plain_request() {
    return {.log = [](LogLevel, const Json&) {}, .end_stream = [] {}};
}

/// Lets a client call these and nothing else.
inline std::shared_ptr<const ToolScope> only(std::vector<std::string> names) {
    return std::make_shared<ToolScope>(
        ToolScope{.key = "test", .allows = [names = std::move(names)](std::string_view tool) {
                      return std::ranges::find(names, tool) != names.end();
                  }});
}

/// The Error of an answer that must have failed with one.
template <class T>
Error error_of(const std::expected<T, Refusal>& answer) {
    if (!answer && std::holds_alternative<Error>(answer.error())) {
        return std::get<Error>(answer.error());
    }
    return make_error(ErrorCode::internal, "the test found no error");
}

/// The code of the Fault of an answer; 0 when there is none.
template <class T>
int fault_code(const std::expected<T, Refusal>& answer) {
    if (answer || !std::holds_alternative<Fault>(answer.error())) return 0;
    return std::get<Fault>(answer.error()).error.code;
}

}  // namespace berth::mcp
