// SPDX-License-Identifier: Apache-2.0
#include "host/warning/run_mark.h"

#include "base/files.h"
#include "base/log.h"
#include "host/warning/kinds.h"

#include <utility>

namespace berth::warning {
namespace {

constexpr const char* berthd = "service/berthd";

}  // namespace

RunMark::RunMark(std::filesystem::path path, Warnings& warnings) : path_(std::move(path)) {
    std::error_code ignored;
    if (std::filesystem::exists(path_, ignored)) {
        warnings.raise({.type = service_ended,
                        .entity = berthd,
                        .message =
                            "berthd had ended without being stopped: it crashed, was killed, "
                            "or the host lost power",
                        .next = "read the end of its log before this start, and the kernel's for "
                                "memory that ran out; containers were not stopped by it"});
    } else {
        warnings.resolve(service_ended, berthd);
    }
    if (const auto written = write_file_atomically(path_, ""); !written)
        log::warning("a crash of berthd would go unnoticed", {{"cause", written.error().message}});
}

RunMark::~RunMark() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

}  // namespace berth::warning
