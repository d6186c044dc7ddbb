// SPDX-License-Identifier: Apache-2.0
#include "host/operation/shapes.h"
#include "host/tools/host_tools.h"
#include "tools/tools.h"

#include <fmt/format.h>

namespace berth::tools {
namespace {

using operation::Operations;

/// No text may stand where the contract has none.
std::optional<std::string> text_of(const Json& object, const char* key) {
    return object.contains(key) ? std::optional(object.at(key).get<std::string>()) : std::nullopt;
}

OperationStatus status_of(store::OperationStatus status) {
    switch (status) {
        case store::OperationStatus::working:
            return OperationStatus::working;
        case store::OperationStatus::completed:
            return OperationStatus::completed;
        case store::OperationStatus::failed:
            return OperationStatus::failed;
        case store::OperationStatus::cancelled:
            return OperationStatus::cancelled;
    }
    std::unreachable();
}

OperationSummary operation_summary(const operation::State& state) {
    const auto& row = state.row;
    OperationSummary out{.id = OperationId::parse(row.id).value(),
                         .tool = row.tool,
                         .status = status_of(row.status),
                         .created_at = row.created_at,
                         .updated_at = row.updated_at,
                         .expires_at = row.expires_at};
    if (auto name = ContainerName::parse(row.container)) out.container = *std::move(name);
    return out;
}

/// What the runner answers when a call becomes an operation, as the contract's type.
Operation to_operation(const operation::State& state) {
    const Json json = operation::operation_json(state);
    auto summary = operation_summary(state);
    Operation out{.id = std::move(summary.id),
                  .tool = std::move(summary.tool),
                  .container = std::move(summary.container),
                  .status = summary.status,
                  .created_at = std::move(summary.created_at),
                  .updated_at = std::move(summary.updated_at),
                  .expires_at = std::move(summary.expires_at),
                  .next = json.at("next").get<std::string>()};
    if (const auto found = json.find("progress"); found != json.end()) {
        out.progress = {.done = found->at("done").get<std::int64_t>(),
                        .message = text_of(*found, "message")};
        if (found->contains("total")) out.progress->total = found->at("total").get<std::int64_t>();
    }
    if (const auto found = json.find("result"); found != json.end()) out.result = *found;
    if (const auto found = json.find("error"); found != json.end()) {
        out.error = {.code = found->at("code").get<std::string>(),
                     .message = found->at("message").get<std::string>(),
                     .field = text_of(*found, "field"),
                     .hint = text_of(*found, "hint")};
        if (found->contains("next")) out.error->next = found->at("next");
    }
    return out;
}

Result<OperationList::Output> list(Operations& operations, const OperationList::Input& in,
                                   const Call& call) {
    OperationList::Output out{.operations = {}, .total = 0};
    for (const auto& state : BERTH_TRY(operations.list(call.caller))) {
        auto summary = operation_summary(state);
        if (in.status && summary.status != *in.status) continue;
        ++out.total;
        if (static_cast<std::int64_t>(out.operations.size()) < in.limit)
            out.operations.push_back(std::move(summary));
    }
    return out;
}

Result<Preview> preview(Operations& operations, const OperationCancel::Input& in,
                        const Call& call) {
    const auto found = to_operation(
        BERTH_TRY(operations.get(in.id.to_string(), call, std::chrono::milliseconds(0))));
    const auto what = found.container ? fmt::format("{} of container '{}'", found.tool,
                                                    found.container->to_string())
                                      : found.tool;
    return Preview{.would = found.status == OperationStatus::working
                                ? fmt::format("stop {}, which is working", what)
                                : fmt::format("change nothing: {} has ended as {}", what,
                                              to_string(found.status)),
                   .target = encode(found)};
}

}  // namespace

void bind_operation_tools(ToolRegistry& registry, Operations& operations) {
    registry.bind<OperationGet>(
        [&operations](const OperationGet::Input& in, const Call& call) -> Result<Operation> {
            return to_operation(BERTH_TRY(
                operations.get(in.id.to_string(), call, std::chrono::seconds(in.wait_seconds))));
        });
    registry.bind<OperationList>([&operations](const OperationList::Input& in, const Call& call) {
        return list(operations, in, call);
    });
    registry.bind<OperationCancel>(
        [&operations](const OperationCancel::Input& in, const Call& call) -> Result<Operation> {
            return to_operation(BERTH_TRY(operations.cancel(in.id.to_string(), call)));
        },
        [&operations](const OperationCancel::Input& in, const Call& call) {
            return preview(operations, in, call);
        });
}

}  // namespace berth::tools
