// SPDX-License-Identifier: Apache-2.0
// berthd: the root daemon of one host.
#include "base/fault.h"
#include "base/log.h"
#include "mcp-server/app/berthd/daemon.h"
#include "mcp-server/app/berthd/gpu_watch.h"
#include "tools-schema/contract/error_table.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
    using namespace berth;
#ifdef BERTH_FAULTS
    if (argc == 2 && std::string_view(argv[1]) == "faults") {  // for tests, and in no --help
        for (const auto point : fault::points) fmt::print("{}\n", point);
        return 0;
    }
    if (const char* file = std::getenv("BERTH_FAULT_FILE")) fault::watch(file);
#endif
    const auto invocation = app::read_invocation(argc, argv);
    if (!invocation) return invocation.error();
    log::start("berthd", invocation->options.log_level);
    const auto done = [&]() -> Result<> {
        switch (invocation->command) {
            case app::Command::serve:
                return app::serve(invocation->options);
            case app::Command::build_image:
                return app::build_image(invocation->options, invocation->image, invocation->force);
            case app::Command::shutdown_containers:
                return app::shutdown_containers(invocation->options);
            case app::Command::write_cdi:
                return app::write_cdi(invocation->options, invocation->output);
            case app::Command::dump:
                return app::dump(invocation->options);
            case app::Command::teardown:
                return app::teardown(invocation->options);
        }
        std::unreachable();
    }();
    if (done) return 0;
    fmt::print(stderr, "berthd: {}\n", done.error().message);
    if (!done.error().hint.empty()) fmt::print(stderr, "  next: {}\n", done.error().hint);
    return error_info(done.error().code).exit;
}
