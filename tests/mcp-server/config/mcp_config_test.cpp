// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/config/mcp_config.h"

#include "mcp-server/config/mcp_flags.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <CLI/CLI.hpp>

#include <map>

using namespace berth;

namespace {

using Names = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

/// What berth-mcp makes of a file, flags and an environment.
Result<McpConfig> load(const std::string& file, McpFlags flags = {},
                       const Variables& variables = {}) {
    const TemporaryDirectory directory;
    directory.write("mcp.toml", "version = 1\n" + file);
    flags.config = directory.path() / "mcp.toml";
    return load_mcp_config(flags, [&](const std::string& name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    });
}

/// What is wrong; "" when nothing is.
std::string problem(const std::string& file, const McpFlags& flags = {},
                    const Variables& variables = {}) {
    const auto config = load(file, flags, variables);
    return config ? "" : config.error().message;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

constexpr const char* oauth = "[oauth]\nissuer = 'https://as.example'\njwks_file = '/k.json'\n";

}  // namespace

TEST_CASE("berth-mcp has defaults for everything", "[mcp_config]") {
    const auto config = load("");
    REQUIRE(config);
    CHECK(config->listen.address == "127.0.0.1");
    CHECK(config->listen.port == 7420);
    CHECK_FALSE(config->listen_unix);
    CHECK(config->log_level == "info");
    CHECK_FALSE(config->authenticates());
    CHECK(config->requests_per_second == 1000);
    CHECK(config->burst == 2000);
    CHECK(config->tools.empty());
    CHECK(config->state_dir == "/var/lib/berth-mcp");
    CHECK(config->streams_max == 256);
    CHECK(config->connections_max == 512);
    CHECK(config->resource_at(7420) == "http://127.0.0.1:7420/mcp");
    CHECK(config->allowed_hosts.empty());
    CHECK_FALSE(load_mcp_config({.config = "/nosuch/mcp.toml"}));
}

TEST_CASE("a flag goes before the environment, and that before the file", "[mcp_config]") {
    const std::string file =
        "socket = '/file'\nburst = 1\nread_only = false\ntoolsets = ['port']\n";
    const Variables variables{{"BERTH_MCP_SOCKET", "/env"},
                              {"BERTH_MCP_BURST", "2"},
                              {"BERTH_MCP_READ_ONLY", "true"},
                              {"BERTH_MCP_TOOLSETS", "gpu, ssh"}};
    const auto from_file = load(file);
    REQUIRE(from_file);
    CHECK(from_file->socket == "/file");
    CHECK(from_file->burst == 1);
    CHECK_FALSE(from_file->tools.read_only);
    CHECK(from_file->tools.toolsets == Names{"port"});

    const auto from_environment = load(file, {}, variables);
    REQUIRE(from_environment);
    CHECK(from_environment->socket == "/env");
    CHECK(from_environment->burst == 2);
    CHECK(from_environment->tools.read_only);
    CHECK(from_environment->tools.toolsets == Names{"gpu", "ssh"});

    const auto from_flags =
        load(file, {.socket = "/flag", .burst = 3, .toolsets = Names{"exec"}, .read_only = false},
             variables);
    REQUIRE(from_flags);
    CHECK(from_flags->socket == "/flag");
    CHECK(from_flags->burst == 3);
    CHECK_FALSE(from_flags->tools.read_only);
    CHECK(from_flags->tools.toolsets == Names{"exec"});

    const auto empty_variable = load(file, {}, {{"BERTH_MCP_SOCKET", ""}});
    REQUIRE(empty_variable);
    CHECK(empty_variable->socket == "/file");
}

TEST_CASE("a wrong value is reported where it stands", "[mcp_config]") {
    CHECK(has(problem("burst = 0\n"), "mcp.toml:2:9: burst must be from 1 to"));
    CHECK(has(problem("", {}, {{"BERTH_MCP_BURST", "many"}}), "BERTH_MCP_BURST must be a number"));
    CHECK(has(problem("", {.burst = 0}), "--burst must be a number"));
    CHECK(has(problem("", {.oauth_jwks_url = "ftp://x"}), "--oauth-jwks-url is no https URL"));
    CHECK(has(problem("", {}, {{"BERTH_MCP_READ_ONLY", "si"}}),
              "BERTH_MCP_READ_ONLY must be true or false"));
    CHECK(has(problem("toolsets = ['ports']\n"),
              "mcp.toml:2:12: toolsets is wrong: there "
              "is no toolset 'ports'; is it 'port'?"));
    CHECK(has(problem("", {.tools = Names{"gpu_lst"}}), "--tools is wrong"));
    CHECK(has(problem("exclude_tools = ['x']\n"), "exclude_tools is wrong"));
    CHECK(has(problem("log_level = 'loud'\n"), "mcp.toml:2:13: log_level must be"));
    CHECK(has(problem("streams_max = 0\nconnections_max = 'x'\nbody_bytes_max = 1\n"),
              "body_bytes_max must be from 1024"));
    CHECK(has(problem("state_dri = '/x'\n"), "unknown key 'state_dri'; did you mean 'state_dir'?"));
}

TEST_CASE("berth-mcp listens beyond loopback only when it knows who calls", "[mcp_config]") {
    const auto [listen, loopback] = GENERATE(table<std::string, bool>({{"127.0.0.1:0", true},
                                                                       {"127.1.2.3:80", true},
                                                                       {"localhost:80", true},
                                                                       {"[::1]:80", true},
                                                                       {"0.0.0.0:80", false},
                                                                       {"10.0.0.1:80", false},
                                                                       {"[::]:80", false},
                                                                       {"example.com:80", false}}));
    CAPTURE(listen);
    const auto open = load("", {.listen = listen});
    CHECK(open.has_value() == loopback);
    if (!loopback) {
        CHECK(has(open.error().message, "no authentication"));
        CHECK(has(open.error().hint, "tokens_file"));
    }
    CHECK(load("tokens_file = '/t.json'\n", {.listen = listen}));
    CHECK(load(std::string(oauth) + "resource = 'https://b.example/mcp'\n", {.listen = listen}));
}

TEST_CASE("an address is one, or a socket by its whole path", "[mcp_config]") {
    for (const char* wrong :
         {"127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", ":80", "", "unix:", "unix:mcp.sock"}) {
        CAPTURE(wrong);
        CHECK(has(problem("", {.listen = wrong}), "--listen must"));
    }
    const auto config = load(
        "listen = 'unix:/run/berth/mcp.sock'\nlisten_mode = '0660'\nlisten_group = 'agents'\n");
    REQUIRE(config);
    REQUIRE(config->listen_unix);
    CHECK(config->listen_unix->path == "/run/berth/mcp.sock");
    CHECK(config->listen_unix->mode == 0660);
    CHECK(config->listen_unix->group == "agents");
    CHECK(load("listen = 'unix:/x'\n")->listen_unix->mode == 0600);
    for (const char* mode : {"rw", "0999", "01777", ""}) {
        CHECK(has(problem("listen = 'unix:/x'\n", {.listen_mode = mode}), "listen-mode must"));
    }
    CHECK(has(problem("listen = 'unix:/" + std::string(107, 'x') + "'\n"), "at most 107 bytes"));
}

TEST_CASE("clients are served under the names that the configuration itself gives",
          "[mcp_config]") {
    const auto address = load("tokens_file = '/t'\nlisten = '10.0.0.1:80'\n");
    REQUIRE(address);
    CHECK(address->allowed_hosts == Names{"10.0.0.1"});
    const auto any = load("tokens_file = '/t'\nlisten = '[::]:80'\nallowed_hosts = ['box']\n");
    REQUIRE(any);
    CHECK(any->allowed_hosts == Names{"box"});
    const auto named = load(std::string(oauth) + "resource = 'https://b.example:8443/mcp'\n");
    REQUIRE(named);
    CHECK(named->allowed_hosts == Names{"b.example"});
    CHECK(named->resource_at(1) == "https://b.example:8443/mcp");
}

TEST_CASE("an authorization server needs an issuer, its keys and our own name", "[mcp_config]") {
    CHECK(load(oauth));
    CHECK(has(problem("[oauth]\njwks_file = '/k'\n"), "oauth.issuer is missing"));
    CHECK(has(problem("[oauth]\nissuer = 'https://as'\n"), "needs the issuer's keys"));
    CHECK(has(problem(std::string(oauth) + "jwks_url = 'https://as/k'\n"), "either"));
    CHECK(has(problem(std::string(oauth) + "resource = 'http://b.example/mcp'\n"),
              "oauth.resource is not https"));
    CHECK(has(problem(std::string(oauth) + "authorization_servers = ['as.example']\n"),
              "oauth.authorization_servers is no https URL"));
    CHECK(has(problem(oauth, {.listen = "0.0.0.0:80"}), "needs oauth.resource"));
    CHECK(has(problem(oauth, {.listen = "unix:/x"}), "needs oauth.resource"));
    const auto local = load(
        "[oauth]\nissuer = 'http://127.0.0.1:9'\n"
        "jwks_url = 'http://localhost:9/keys'\n");
    CHECK(local);
}

TEST_CASE("a policy is read as it is written", "[mcp_config]") {
    const auto config = load(
        "[policy]\ndefault = 'confirm'\nconfirm_fallback = 'deny'\n"
        "[policy.tools]\ncontainer_stop = 'allow'\n'port_*' = 'deny'\n"
        "[[policy.rules]]\ntool = 'container_*'\nlabel = 'env=prod'\naction = 'deny'\n"
        "[[policy.rules]]\ntool = '*'\nlabel = 'env=test'\naction = 'confirm'\n");
    REQUIRE(config);
    const auto decide = [&](const char* tool, Names labels) {
        return config->policy.decide(*find_tool(tool), labels).action;
    };
    CHECK(decide("container_stop", {}) == policy::Action::allow);
    CHECK(decide("container_stop", {"env=prod"}) == policy::Action::deny);
    CHECK(decide("container_stop", {"env=test"}) == policy::Action::confirm);
    CHECK(decide("container_delete", {}) == policy::Action::confirm);
    CHECK(decide("port_remove", {}) == policy::Action::deny);
    CHECK(config->policy.confirm_fallback() == policy::ConfirmFallback::deny);
}

TEST_CASE("what is wrong with a policy is reported with its place", "[mcp_config]") {
    const auto wrong = problem(
        "[policy]\ndefault = 'maybe'\nconfirm_fallback = 'ask'\n"
        "[policy.tools]\ncontainer_delet = 'deny'\ncontainer_stop = 'no'\ngpu_list = 1\n"
        "[[policy.rules]]\ntool = 'vm_*'\nlabel = ''\n"
        "[[policy.rules]]\naction = 'deny'\nlable = 'x'\n");
    CAPTURE(wrong);
    CHECK(has(wrong, "mcp.toml:3:11: policy.default must be allow, confirm or deny, not 'maybe'"));
    CHECK(has(wrong, "mcp.toml:4:20: policy.confirm_fallback must be token or deny"));
    CHECK(has(wrong, "mcp.toml:6:19: policy.tools.container_delet is about no tool"));
    CHECK(has(wrong, "is it 'container_delete'?"));
    CHECK(has(wrong, "mcp.toml:7:18: policy.tools.container_stop must be allow"));
    CHECK(has(wrong, "mcp.toml:8:12: policy.tools.gpu_list must be a string"));
    CHECK(has(wrong, "mcp.toml:10:8: policy.rules[0].tool is about no tool"));
    CHECK(has(wrong, "mcp.toml:11:9: policy.rules[0].label must not be empty"));
    CHECK(has(wrong, "mcp.toml:9:1: policy.rules[0].action is missing"));
    CHECK(has(wrong, "mcp.toml:12:1: policy.rules[1].tool is missing"));
    CHECK(has(wrong, "mcp.toml:14:1: unknown key 'policy.rules[1].lable'"));
    CHECK(has(problem("policy = 'deny'\n"), "unknown key 'policy'"));
    CHECK(has(problem("[policy]\ntools = 'deny'\n"), "policy.tools must be a table"));
    CHECK(has(problem("[policy]\ndefalt = 'deny'\n"), "unknown key 'policy.defalt'"));
}

TEST_CASE("every setting is a flag of the same name", "[mcp_config]") {
    CLI::App app;
    McpFlags flags;
    add_mcp_flags(app, flags);
    std::vector<std::string> words{
        "--listen", "127.0.0.1:1", "--oauth-issuer", "https://as",  "--toolsets", "port,gpu",
        "--burst",  "7",           "--read-only",    "--state-dir", "/s"};
    std::ranges::reverse(words);
    app.parse(words);
    CHECK(flags.listen == "127.0.0.1:1");
    CHECK(flags.oauth_issuer == "https://as");
    CHECK(flags.toolsets == Names{"port", "gpu"});
    CHECK(flags.burst == 7);
    CHECK(flags.read_only == true);
    CHECK(flags.state_dir == "/s");
    CHECK_FALSE(flags.socket);
}

TEST_CASE("the file that is installed says nothing wrong", "[mcp_config]") {
    const auto text = read_file("packaging/etc/mcp.toml");
    REQUIRE(text);
    std::string active;
    for (std::size_t at = 0; at < text->size();) {
        const std::size_t end = std::min(text->find('\n', at), text->size());
        std::string line = text->substr(at, end - at);
        // What is commented out with "# " and looks like TOML is meant to be used.
        const bool is_setting = line.find(" = ") != std::string::npos || line.starts_with("# [");
        if (line.starts_with("# ") && is_setting) line.erase(0, 2);
        if (!line.starts_with("version")) active += line + "\n";
        at = end + 1;
    }
    CAPTURE(active);
    CHECK(problem(active) == "");
}
