// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/preflight.h"

#include "host/gpu/attributes.h"
#include "host/gpu/nodes.h"
#include "host/gpu/nvidia.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <set>
#include <system_error>

namespace berth::gpu {
namespace {

namespace fs = std::filesystem;

Finding found(const Gpu& gpu, Reason reason, bool blocks, std::string message, std::string next) {
    return {.address = gpu.address,
            .reason = reason,
            .blocks = blocks,
            .message = std::move(message),
            .next = std::move(next)};
}

std::string module_for(const Gpu& gpu) {
    switch (gpu.maker()) {
        case Vendor::nvidia:
            return "load it with 'modprobe nvidia', after installing it";
        case Vendor::amd:
            return "load it with 'modprobe amdgpu'";
        case Vendor::intel:
            return "load it with 'modprobe i915' or 'modprobe xe'";
        case Vendor::other:
            return "install and load its vendor's driver";
    }
    std::unreachable();
}

/// "535.54.03" of what libnvidia-ml.so.1 leads to.
std::optional<std::string> library_version(const Roots& roots) {
    constexpr std::string_view name = "libnvidia-ml.so.";
    constexpr std::array places{"", "x86_64-linux-gnu", "aarch64-linux-gnu", "../lib64"};
    for (const auto* place : places) {
        std::error_code none;
        const auto file = fs::canonical(roots.libraries / place / "libnvidia-ml.so.1", none);
        const auto text = file.filename().string();
        if (!none && text.starts_with(name) && text.size() > name.size() + 1)
            return text.substr(name.size());
    }
    return std::nullopt;
}

std::optional<std::string> module_version(const Roots& roots) {
    if (auto version = attribute(roots.sysfs / "module/nvidia/version")) return version;
    const auto text = attribute(roots.proc / "driver/nvidia/version");
    return text ? nvidia::version_in(*text) : std::nullopt;
}

void examine_versions(const Gpu& gpu, const Roots& roots, std::vector<Finding>& findings) {
    const auto module = module_version(roots);
    const auto library = library_version(roots);
    if (!module || !library || *module == *library) return;
    findings.push_back(
        found(gpu, Reason::version_mismatch, true,
              fmt::format("the kernel's module is NVIDIA {}, and the libraries are {}", *module,
                          *library),
              "restart the host, or unload the nvidia modules and load them again"));
}

/// amdgpu counts errors that its memory could not correct.
void examine_memory(const Gpu& gpu, const Roots& roots, std::vector<Finding>& findings) {
    const fs::path file =
        roots.sysfs / "bus/pci/devices" / gpu.address.to_string() / "ras/umc_err_count";
    const auto text = attribute(file);
    if (!text) return;
    const auto told = nvidia::fields(*text);
    const auto uncorrected = told.find("ue");
    const auto count = uncorrected == told.end() ? std::nullopt : number(uncorrected->second);
    if (count && *count > 0)
        findings.push_back(found(gpu, Reason::ecc_errors, false,
                                 fmt::format("{} errors of its memory were not corrected", *count),
                                 "restart the host; replace the GPU when they come back"));
}

/// Device numbers of the nodes that are this GPU's alone.
std::set<dev_t> own_devices(const Gpu& gpu, const Roots& roots) {
    std::set<dev_t> devices;
    const auto add = [&](std::string_view path) {
        if (const auto node = node_at(path, roots))
            devices.insert(gnu_dev_makedev(node->major, node->minor));
    };
    for (const auto& path : gpu.drm_nodes) add(path);
    if (gpu.nvidia && gpu.nvidia->minor) add(fmt::format("/dev/nvidia{}", *gpu.nvidia->minor));
    return devices;
}

bool has_open(const fs::path& process, const std::set<dev_t>& devices) {
    constexpr std::size_t descriptors_max = 4096;  // of one process; more are not looked at
    std::size_t looked_at = 0;
    std::error_code none;  // it has ended, or is another user's
    for (fs::directory_iterator entry(process / "fd", none), end;
         !none && entry != end && looked_at < descriptors_max; entry.increment(none), ++looked_at) {
        struct stat status{};
        if (::stat(entry->path().c_str(), &status) == 0 && S_ISCHR(status.st_mode) &&
            devices.contains(status.st_rdev))
            return true;
    }
    return false;
}

}  // namespace

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::no_driver:
            return "no_driver";
        case Reason::vfio_bound:
            return "vfio_bound";
        case Reason::driver_silent:
            return "driver_silent";
        case Reason::node_missing:
            return "node_missing";
        case Reason::version_mismatch:
            return "version_mismatch";
        case Reason::ecc_errors:
            return "ecc_errors";
        case Reason::in_use:
            return "in_use";
        case Reason::persistence_off:
            return "persistence_off";
        case Reason::cdi_unusable:
            return "cdi_unusable";
    }
    std::unreachable();
}

std::vector<Finding> examine(const Gpu& gpu, const Roots& roots) {
    std::vector<Finding> findings;
    if (!gpu.real()) return findings;
    if (!gpu.driver) {
        findings.push_back(
            found(gpu, Reason::no_driver, true, "no driver is bound to it", module_for(gpu)));
        return findings;
    }
    if (gpu.driver->starts_with("vfio")) {
        findings.push_back(found(
            gpu, Reason::vfio_bound, true,
            fmt::format("it is bound to '{}', which gives it to virtual machines", *gpu.driver),
            "bind it to its vendor's driver"));
        return findings;
    }
    const bool by_nvidia = gpu.maker() == Vendor::nvidia && gpu.driver == "nvidia";
    const auto nodes = nodes_of(gpu, {.address = gpu.address}, roots);
    if (!nodes) {
        const bool silent = by_nvidia && (!gpu.nvidia || !gpu.nvidia->minor);
        findings.push_back(found(gpu, silent ? Reason::driver_silent : Reason::node_missing, true,
                                 nodes.error().message, nodes.error().hint));
    } else if (gpu.driver == "amdgpu" &&
               std::ranges::find(*nodes, "/dev/kfd", &DeviceNode::path) == nodes->end()) {
        findings.push_back(found(gpu, Reason::node_missing, false,
                                 "there is no '/dev/kfd', so it draws but does not compute",
                                 "use a kernel with CONFIG_HSA_AMD"));
    }
    if (by_nvidia) examine_versions(gpu, roots, findings);
    examine_memory(gpu, roots, findings);
    return findings;
}

std::string_view health_of(const Gpu& gpu, const Roots& roots) {
    const auto findings = examine(gpu, roots);
    const auto worst = std::ranges::min_element(findings, {}, &Finding::reason);
    return worst == findings.end() ? "ok" : to_string(worst->reason);
}

std::vector<Finding> examine_use(const Gpu& gpu, const Roots& roots) {
    constexpr std::size_t named_max = 8;
    constexpr std::string_view keeps_loaded = "nvidia-persiste";  // as the kernel cuts its name
    const auto devices = own_devices(gpu, roots);
    if (devices.empty()) return {};
    std::vector<std::string> users;
    std::size_t more = 0;
    for (const auto& name : names_in(roots.proc)) {
        if (!number_after(name, "")) continue;
        const fs::path process = roots.proc / name;
        const auto command = attribute(process / "comm").value_or("?");
        if (command == keeps_loaded || !has_open(process, devices)) continue;
        if (users.size() < named_max) {
            users.push_back(fmt::format("{} ({})", name, command));
        } else {
            ++more;
        }
    }
    if (users.empty()) return {};
    return {found(gpu, Reason::in_use, false,
                  fmt::format("processes have it open: {}{}", fmt::join(users, ", "),
                              more > 0 ? fmt::format(" and {} more", more) : ""),
                  "stop them, if the GPU should be a container's alone")};
}

std::vector<Finding> examine_report(const Gpu& gpu, const Result<std::vector<SmiReport>>& reports) {
    if (gpu.maker() != Vendor::nvidia || gpu.driver != "nvidia") return {};
    std::string unknown = reports ? "it does not list this GPU" : reports.error().message;
    const auto report = reports ? std::ranges::find(*reports, gpu.address, &SmiReport::address)
                                : std::vector<SmiReport>::const_iterator{};
    if (!reports || report == reports->end())
        return {found(gpu, Reason::driver_silent, false,
                      fmt::format("memory errors and persistence are not known: {}", unknown),
                      "run nvidia-smi on the host and see what it says")};
    std::vector<Finding> findings;
    if (report->uncorrected_errors.value_or(0) > 0)
        findings.push_back(found(
            gpu, Reason::ecc_errors, false,
            fmt::format("{} errors of its memory were not corrected", *report->uncorrected_errors),
            "reset it with 'nvidia-smi --gpu-reset'; replace it when they "
            "come back"));
    if (report->persistence == false)
        findings.push_back(found(gpu, Reason::persistence_off, false,
                                 "its driver is unloaded whenever nobody uses it, so that each "
                                 "first use takes seconds",
                                 "run nvidia-persistenced"));
    return findings;
}

std::vector<Finding> examine_specs(const cdi::Specs& specs) {
    std::vector<Finding> findings;
    for (const auto& problem : specs.problems()) {
        findings.push_back(
            {.address = std::nullopt,
             .reason = Reason::cdi_unusable,
             .message = fmt::format("CDI spec '{}': {}", problem.file.string(), problem.message),
             .next = "mend or remove that file"});
    }
    return findings;
}

}  // namespace berth::gpu
