// SPDX-License-Identifier: Apache-2.0
// Exports and imports: where the bytes go to and come from. That is a file of the host's directory
// of exports, by its name, or one that the caller has opened with rights of its own.
#include "base/fd.h"
#include "host/tools/host_tools.h"
#include "host/tools/shapes.h"
#include "host/transfer/open_file.h"
#include "tools/tools.h"

#include <fmt/format.h>
#include <unistd.h>

namespace berth::tools {
namespace {

using transfer::ExportDirectory;
using transfer::OpenFile;
using transfer::TransferService;

std::unexpected<Error> no_file(std::string_view why, std::string_view next) {
    return fail(make_error(ErrorCode::invalid_argument, std::string(why))
                    .at("/file")
                    .next(std::string(next)));
}

/// Fails as an export would before it begins.
Result<container::View> check_export(container::ContainerService& containers,
                                     const ExportDirectory& exports,
                                     const ContainerExport::Input& in, const Call& call) {
    auto view = containers.get(in.container);
    if (!view) return fail(std::move(view).error().at("/container"));
    if (in.file) {
        BERTH_TRY(exports.check_free(*in.file));
    } else if (!call.file) {
        return no_file("there is neither the name of a file nor one that was passed along",
                       "name a file for the host's directory of exports");
    } else {
        (void)BERTH_TRY(OpenFile::of(*call.file, OpenFile::Use::write, call.cancelled));
    }
    return view;
}

Result<ContainerExport::Output> write_export(TransferService& transfers, int descriptor,
                                             const ContainerExport::Input& in, const Call& call) {
    auto file = BERTH_TRY(OpenFile::of(descriptor, OpenFile::Use::write, call.cancelled));
    const auto written = BERTH_TRY(transfers.write(
        {.container = in.container, .snapshots = in.snapshots},
        [&file](std::string_view bytes) { return file.write(bytes); }, to_waiting(call)));
    BERTH_TRY(file.sync());
    return ContainerExport::Output{.container = in.container,
                                   .bytes = file.bytes(),
                                   .entries = written.entries,
                                   .sha256 = written.sha256};
}

Result<ContainerExport::Output> do_export(TransferService& transfers,
                                          container::ContainerService& containers,
                                          const ExportDirectory& exports,
                                          const ContainerExport::Input& in, const Call& call) {
    (void)BERTH_TRY(check_export(containers, exports, in, call));
    if (!in.file) return write_export(transfers, *call.file, in, call);
    auto draft = BERTH_TRY(exports.draft(*in.file));
    auto out = BERTH_TRY(write_export(transfers, draft.descriptor(), in, call));
    BERTH_TRY(draft.keep());
    return out;
}

transfer::ImportWish wish_of(const ContainerImport::Input& in) {
    transfer::ImportWish wish{
        .name = in.name, .keep_identity = in.keep_identity, .start = in.start};
    switch (in.ports) {
        case ContainerImport::Input::Ports::keep:
            break;
        case ContainerImport::Input::Ports::free:
            wish.ports = transfer::PortsWish::free;
            break;
        case ContainerImport::Input::Ports::none:
            wish.ports = transfer::PortsWish::none;
            break;
    }
    return wish;
}

/// Calls `work` with where an import's bytes come from; what is wrong with them is at /file.
template <class Work>
std::invoke_result_t<Work, OpenFile&> with_source(const ExportDirectory& exports,
                                                  const ContainerImport::Input& in,
                                                  const Call& call, const Work& work) {
    Fd named;
    if (in.file) named = BERTH_TRY(exports.open(*in.file));
    if (!in.file && !call.file)
        return no_file("there is neither the name of a file nor one that was passed along",
                       "name a file of the host's directory of exports");
    auto file = BERTH_TRY(
        OpenFile::of(in.file ? named.get() : *call.file, OpenFile::Use::read, call.cancelled));
    auto done = work(file);
    if (!done && done.error().code == ErrorCode::invalid_argument && done.error().field != "/name")
        return fail(std::move(done).error().at("/file"));
    return done;
}

Result<ContainerImport::Output> do_import(TransferService& transfers,
                                          const ExportDirectory& exports,
                                          const ContainerImport::Input& in, const Call& call) {
    const auto imported = BERTH_TRY(with_source(exports, in, call, [&](OpenFile& file) {
        return transfers.read(
            wish_of(in), [&file](std::span<char> into) { return file.read(into); },
            to_waiting(call));
    }));
    ContainerImport::Output out{.container = to_summary(imported.view),
                                .ports = {},
                                .snapshots = imported.snapshots,
                                .sha256 = imported.sha256,
                                .notes = imported.notes};
    for (const auto& port : imported.view.ports)
        out.ports.push_back(to_forward(port, imported.view.row.name));
    return out;
}

/// Looks at the first bytes, and gives them back.
Result<Preview> preview_import(TransferService& transfers, const ExportDirectory& exports,
                               const ContainerImport::Input& in, const Call& call) {
    const auto manifest =
        BERTH_TRY(with_source(exports, in, call, [&](OpenFile& file) -> Result<transfer::Manifest> {
            if (!file.is_file())
                return no_file("what is no file can be read only once",
                               "leave dry_run out, or pass a file");
            const off_t at = in.file ? 0 : ::lseek(*call.file, 0, SEEK_CUR);
            auto looked = transfers.look(wish_of(in),
                                         [&file](std::span<char> into) { return file.read(into); });
            if (!in.file) (void)::lseek(*call.file, at, SEEK_SET);
            return looked;
        }));
    auto shown = manifest;
    shown.environment.clear();  // as in to_target()
    return Preview{.would = fmt::format(
                       "make container '{}' of an export of '{}', written {}, with {} "
                       "layers of files, {} snapshots and {} forwards",
                       in.name.value_or(manifest.name).to_string(), manifest.name.to_string(),
                       manifest.written_at, manifest.layers.size(), manifest.snapshots.size(),
                       in.ports == ContainerImport::Input::Ports::none ? 0 : manifest.ports.size()),
                   .target = transfer::to_json(shown)};
}

}  // namespace

void bind_transfer_tools(ToolRegistry& registry, TransferService& transfers,
                         container::ContainerService& containers, ExportDirectory exports) {
    registry.bind<ContainerExport>(
        [&transfers, &containers, exports](const ContainerExport::Input& in, const Call& call) {
            return do_export(transfers, containers, exports, in, call);
        },
        [&containers, exports](const ContainerExport::Input& in,
                               const Call& call) -> Result<Preview> {
            const auto view = BERTH_TRY(check_export(containers, exports, in, call));
            return Preview{.would = fmt::format("write container '{}' to {}", view.row.name,
                                                in.file ? fmt::format("the export '{}'", *in.file)
                                                        : "the file that was passed along"),
                           .target = to_target(view)};
        });
    registry.bind<ContainerImport>(
        [&transfers, exports](const ContainerImport::Input& in, const Call& call) {
            return do_import(transfers, exports, in, call);
        },
        [&transfers, exports](const ContainerImport::Input& in, const Call& call) {
            return preview_import(transfers, exports, in, call);
        });
}

}  // namespace berth::tools
