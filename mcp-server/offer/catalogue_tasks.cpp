// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/catalogue_tasks.h"

#include "base/clock.h"
#include "mcp-server/jsonrpc/error_object.h"
#include "mcp-server/offer/allowed_calls.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

/// What berthd says of an operation that is none, or none of the caller's, is about the id; the
/// rest is about berthd.
std::unexpected<Fault> refused(const std::string& id, const Error& error) {
    if (error.code == ErrorCode::not_found || error.code == ErrorCode::invalid_argument) {
        return invalid_params("unknown task", {{"taskId", id}});
    }
    return std::unexpected(Fault{.http_status = 200, .error = jsonrpc::to_rpc_error(error)});
}

std::string progress_text(const Json& operation) {
    const auto progress = operation.find("progress");
    if (progress == operation.end() || !progress->is_object()) return "";
    return text_member(*progress, "message");
}

}  // namespace

const Json* operation_in(const Json& answer) {
    if (!answer.is_object()) return nullptr;
    const auto found = answer.find("operation");
    return found != answer.end() && !text_member(*found, "id").empty() ? &*found : nullptr;
}

Task task_of(const Json& operation) {
    Task task{.id = text_member(operation, "id"),
              .status = text_member(operation, "status"),
              .message = progress_text(operation),
              .created_at = text_member(operation, "created_at"),
              .updated_at = text_member(operation, "updated_at"),
              .poll_interval_ms = task_poll_ms};
    if (task.status == "completed") {
        task.outcome = TypedOutput{operation.value("result", Json::object())};
    } else if (task.status == "failed") {
        // The extension's "failed" is for protocol errors alone.
        task.status = "completed";
        const Json error = operation.value("error", Json::object());
        task.outcome =
            jsonrpc::from_rpc_error({.message = text_member(error, "message"), .data = error});
    }
    return task;
}

std::expected<Task, Fault> CatalogueTasks::get(const std::string& id, const Asked& asked) {
    const auto answer = invoker_.invoke("operation_get", {{"id", id}}, asked.call);
    if (!answer) return refused(id, answer.error());
    return task_of(*answer);
}

std::expected<void, Fault> CatalogueTasks::update(const std::string& id, const Json& /*responses*/,
                                                  const Asked& asked) {
    const auto task = get(id, asked);
    if (!task) return std::unexpected(task.error());
    return {};
}

std::expected<void, Fault> CatalogueTasks::cancel(const std::string& id, const Asked& asked) {
    const auto answer = invoker_.invoke("operation_cancel", {{"id", id}}, asked.call);
    if (!answer) return refused(id, answer.error());
    return {};
}

}  // namespace berth::mcp
