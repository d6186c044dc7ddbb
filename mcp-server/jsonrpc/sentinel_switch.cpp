// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/sentinel_switch.h"

#include "mcp-server/jsonrpc/rpc_client.h"
#include "tools-schema/registry/tool_spec.h"

#include <fmt/format.h>

#include <utility>

namespace berth {
namespace {

constexpr const char* next_step =
    "start berth-sentinel with --state-dir and --admin-socket, and name that socket: "
    "`socket` of [sentinel] in mcp.toml, BERTH_SENTINEL_SOCKET for berth";

class SentinelSwitch final : public Invoker {
public:
    SentinelSwitch(std::unique_ptr<Invoker> berthd, std::string socket)
        : berthd_(std::move(berthd)), socket_(std::move(socket)) {
        if (!socket_.empty()) sentinel_ = connect_rpc(socket_);
    }

    [[nodiscard]] Result<Json> invoke(std::string_view tool, const Json& arguments,
                                      const Call& call) override {
        const ToolSpec* const spec = find_tool(tool);
        if (spec == nullptr || !is_of_sentinel(*spec)) {
            return berthd_->invoke(tool, arguments, call);
        }
        if (!sentinel_) {
            return fail(
                make_error(ErrorCode::unavailable, "no sentinel is configured").next(next_step));
        }
        auto answer = sentinel_->invoke(tool, arguments, call);
        if (!answer && answer.error().code == ErrorCode::unavailable) {
            return fail(make_error(ErrorCode::unavailable,
                                   fmt::format("no sentinel answers at {}", socket_))
                            .next(next_step));
        }
        return answer;
    }

private:
    std::unique_ptr<Invoker> berthd_, sentinel_;
    std::string socket_;
};

}  // namespace

std::unique_ptr<Invoker> with_sentinel(std::unique_ptr<Invoker> berthd,
                                       std::string sentinel_socket) {
    return std::make_unique<SentinelSwitch>(std::move(berthd), std::move(sentinel_socket));
}

}  // namespace berth
