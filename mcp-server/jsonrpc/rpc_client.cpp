// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/rpc_client.h"

#include "base/http_client.h"
#include "mcp-server/jsonrpc/error_object.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"

#include <fmt/format.h>

namespace berth {
namespace {

using namespace jsonrpc;
using std::chrono::milliseconds;

/// For a caller that names no deadline.
constexpr milliseconds wait_max = std::chrono::hours(24);
/// berthd ends the call at the deadline; its answer gets this long to come back.
constexpr milliseconds grace{2'000};

class RpcClient final : public Invoker {
public:
    explicit RpcClient(std::string socket_path)
        : socket_path_(std::move(socket_path)), http_(socket_path_) {}

    Result<Json> invoke(std::string_view tool, const Json& arguments, const Call& call) override {
        const auto left =
            std::chrono::ceil<milliseconds>(call.deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return fail(ErrorCode::timed_out, "no time was left for the call");
        const milliseconds wait = std::min(left, wait_max);
        const Json message = {
            {"jsonrpc", "2.0"}, {"id", 1}, {"method", tool}, {"params", arguments}};
        const auto response = BERTH_TRY(explained(http_.send(
            {.method = "POST",
             .path = std::string(rpc_path),
             .headers = {{"content-type", "application/json"},
                         {std::string(rpc_timeout_header), std::to_string(wait.count())}},
             .body = to_text(message)},
            {.read_timeout = wait + grace, .cancelled = call.cancelled})));
        return read_answer(response);
    }

private:
    /// The caller knows berthd, not HTTP.
    template <class T>
    [[nodiscard]] Result<T> explained(Result<T> result) const {
        if (result) return result;
        Error error = std::move(result).error().in("berthd");
        if (error.code == ErrorCode::unavailable) {
            error.hint = fmt::format(
                "start berthd (systemctl start berthd, or scripts/quickstart.sh) so that it "
                "listens "
                "on {}",
                socket_path_);
        } else if (error.code == ErrorCode::denied) {
            error.hint = fmt::format("join the group that owns {}", socket_path_);
        }
        return fail(std::move(error));
    }

    [[nodiscard]] Result<Json> read_answer(const HttpResponse& response) const {
        auto payload = parse(response.body);
        if (payload && !payload->batch && payload->messages.front()) {
            if (auto* answer = std::get_if<Response>(&*payload->messages.front())) {
                if (!answer->error) return std::move(answer->result);
                if (response.status == 200) return fail(from_rpc_error(*answer->error));
                return fail(response.status == 503 ? ErrorCode::unavailable : ErrorCode::internal,
                            fmt::format("berthd refused the call: {}", answer->error->message));
            }
        }
        return fail(ErrorCode::internal, fmt::format("what answers at {} is not berthd (HTTP {})",
                                                     socket_path_, response.status));
    }

    std::string socket_path_;
    HttpClient http_;
};

}  // namespace

std::unique_ptr<Invoker> connect_rpc(std::string socket_path) {
    return std::make_unique<RpcClient>(std::move(socket_path));
}

}  // namespace berth
