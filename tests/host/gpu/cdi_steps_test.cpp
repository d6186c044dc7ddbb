// SPDX-License-Identifier: Apache-2.0
// What is made of a CDI spec's mounts and hooks, and what of them is refused.
#include "host/gpu/cdi_steps.h"

#include "tests/support/catch.h"

#include <fmt/format.h>

using namespace berth;
using namespace berth::gpu::cdi;

namespace {

using Arguments = std::vector<std::string>;

Result<Steps> of_hook(const Arguments& arguments, std::string path = "/usr/bin/nvidia-cdi-hook",
                      std::string name = "createContainer") {
    return steps_of(
        {.hooks = {{.name = std::move(name), .path = std::move(path), .arguments = arguments}}});
}

Result<Steps> of_mount(std::string inside,
                       const std::vector<std::string>& options = {"ro", "bind"}) {
    return steps_of(
        {.mounts = {
             {.host_path = "/opt/x", .container_path = std::move(inside), .options = options}}});
}

/// The complaint, which has to be a refusal of something that is named.
std::string refusal(const Result<Steps>& steps) {
    if (steps) return "";
    CHECK(steps.error().code == ErrorCode::unsupported);
    return steps.error().message;
}

}  // namespace

TEST_CASE("mounts are read-only unless the spec says otherwise", "[cdi]") {
    const auto mount = [](const std::vector<std::string>& options) {
        return of_mount("/usr/lib/x", options).value().files.mounts.at(0);
    };
    CHECK(mount({}) == engine::DriverMount{.host_path = "/opt/x", .inside = "/usr/lib/x"});
    CHECK(
        mount({"ro", "nosuid", "nodev", "rbind", "rprivate", "noexec"}) ==
        engine::DriverMount{
            .host_path = "/opt/x", .inside = "/usr/lib/x", .executable = false, .recursive = true});
    CHECK(mount({"rw"}).writable);
    CHECK(of_mount("/var/run/x/socket").value().files.mounts[0].inside == "/run/x/socket");
    CHECK(of_mount("/usr/./lib//x/").value().files.mounts[0].inside == "/usr/lib/x");
}

TEST_CASE("no mount is made where it would unmake a container, nor with an option that is unknown",
          "[cdi]") {
    for (const auto* path :
         {"/", "/proc", "/proc/driver/nvidia/params", "/sys/x", "/dev/shm/x", "/run", "/run/sshd",
          "/usr", "/usr/lib", "/usr/lib/berth", "/usr/lib/berth/x", "//proc/x", "//usr//lib",
          "/var/run", "/a/../../proc/x", "/usr/lib/./berth/sshd_config", "/var/run/sshd/x"}) {
        CAPTURE(path);
        CHECK(refusal(of_mount(path)).contains("CDI spec wants something mounted at"));
    }
    CHECK(of_mount("/usr/lib/berthold"));
    CHECK(refusal(of_mount("/x", {"suid"})).contains("'suid'"));
    CHECK(refusal(of_mount("/x", {"rshared"})).contains("'rshared'"));
    CHECK(
        refusal(
            steps_of({.mounts = {{.host_path = "tmpfs", .container_path = "/x", .type = "tmpfs"}}}))
            .contains("tmpfs"));
}

TEST_CASE("hooks of NVIDIA's toolkit are done without it", "[cdi]") {
    const auto links = of_hook({"nvidia-cdi-hook", "create-symlinks", "--link",
                                "libcuda.so.1::/usr/lib/libcuda.so", "--link=../x::/usr/lib/y"})
                           .value()
                           .files.links;
    CHECK(links ==
          std::vector<engine::DriverLink>{{.path = "/usr/lib/libcuda.so", .target = "libcuda.so.1"},
                                          {.path = "/usr/lib/y", .target = "../x"}});
    const auto folders =
        of_hook({"nvidia-ctk", "hook", "update-ldcache", "--folder", "/usr/lib/a", "--folder=/b",
                 "--folder", "/usr/lib/a", "--ldconfig-path", "/sbin/ldconfig"},
                "/usr/bin/nvidia-ctk", "createRuntime")
            .value()
            .files.library_folders;
    CHECK(folders == std::vector<std::string>{"/usr/lib/a", "/b"});
    const auto modes = of_hook({"nvidia-cdi-hook", "chmod", "--mode", "755", "--path", "/dev/dri",
                                "--path", "/opt/x"})
                           .value()
                           .files.modes;
    CHECK(modes == std::vector<engine::DriverMode>{{.path = "/opt/x", .mode = 0755}});
    CHECK(of_hook({"nvidia-cdi-hook", "enable-cuda-compat", "--host-driver-version=550.54"})
              .value()
              .left_out == std::vector<std::string>{"enable-cuda-compat"});
    CHECK(
        of_hook({"nvidia-cdi-hook", "disable-device-node-modification"}).value().left_out.size() ==
        1);
}

TEST_CASE("any other hook is refused by its name", "[cdi]") {
    CHECK(refusal(of_hook({"x"}, "/bin/x")).contains("'/bin/x'"));
    CHECK(refusal(of_hook({"x", "update-ldcache"}, "/tmp/nvidia-cdi-hook-2"))
              .contains("nvidia-cdi-hook-2"));
    for (const Arguments& arguments : std::vector<Arguments>{
             {},
             {"nvidia-cdi-hook"},
             {"nvidia-cdi-hook", "create-symlinks", "--link"},
             {"nvidia-cdi-hook", "create-symlinks", "--link", "a:/b"},
             {"nvidia-cdi-hook", "create-symlinks", "--link", "::/b"},
             {"nvidia-cdi-hook", "create-symlinks", "--link", "a::/proc/b"},
             {"nvidia-cdi-hook", "create-symlinks", "--link", "a::/run/b"},
             {"nvidia-cdi-hook", "create-symlinks", "--link", "a::b"},
             {"nvidia-cdi-hook", "create-symlinks", "--else", "a::/b"},
             {"nvidia-cdi-hook", "update-ldcache", "--folder", "lib"},
             {"nvidia-cdi-hook", "update-ldcache", "--folder", "/a\n/b"},
             {"nvidia-cdi-hook", "update-ldcache", "stray"},
             {"nvidia-cdi-hook", "chmod", "--path", "/x"},
             {"nvidia-cdi-hook", "chmod", "--mode", "4755", "--path", "/x"},
             {"nvidia-cdi-hook", "chmod", "--mode", "7a", "--path", "/x"},
             {"nvidia-cdi-hook", "chmod", "--mode", "755", "--path", "/usr/lib/berth"},
             {"nvidia-cdi-hook", "something-new"},
             {"nvidia-cdi-hook", "something-new", "--with", "x"}}) {
        CAPTURE(fmt::format("{}", fmt::join(arguments, " ")));
        CHECK_FALSE(refusal(of_hook(arguments)).empty());
    }
    CHECK(refusal(of_hook({"nvidia-ctk", "update-ldcache"}, "/usr/bin/nvidia-ctk"))
              .contains("nvidia-ctk"));
    CHECK(refusal(of_hook({"nvidia-cdi-hook", "update-ldcache", "--folder", "/b"},
                          "/usr/bin/nvidia-cdi-hook", "poststop"))
              .contains("too late"));
    CHECK(refusal(steps_of({.additional_gids = {44}})).contains("groups"));
    CHECK(refusal(steps_of({.environment = {"A=b\nC=d"}})).contains("'A'"));
}
