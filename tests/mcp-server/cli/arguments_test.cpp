// SPDX-License-Identifier: Apache-2.0
// Words to arguments, for every verb.
#include "mcp-server/cli/arguments.h"

#include "tests/mcp-server/cli/fake_berthd.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace berth;
using namespace berth::cli;

namespace {

using Words = std::vector<std::string>;

struct Line {
    Words words;
    std::string tool;
    std::string arguments;
};

const std::vector<Line>& lines() {
    static const std::vector<Line> all{
        {{"container", "create", "ada"}, "container_create", R"({"name":"ada"})"},
        {{"container", "create", "ada", "--image", "debian-12", "--memory-bytes", "67108864",
          "--cpu-percent", "50", "--processes", "64", "--no-start"},
         "container_create",
         R"({"name":"ada","image":"debian-12","memory_bytes":67108864,"cpu_percent":50,)"
         R"("processes":64,"start":false})"},
        {{"container", "create", "--ports", "80", "--ports", "8080:81", "--ports", "5353:53/udp",
          "ada", "--ports", R"({"container_port":82})"},
         "container_create",
         R"({"name":"ada","ports":[{"container_port":80},{"container_port":81,"host_port":8080},)"
         R"({"container_port":53,"host_port":5353,"protocol":"udp"},{"container_port":82}]})"},
        {{"container", "create", "ada", "--ssh-keys", "ssh-ed25519 A me"},
         "container_create",
         R"({"name":"ada","ssh_keys":["ssh-ed25519 A me"]})"},
        {{"container", "delete", "web", "--force"},
         "container_delete",
         R"({"name":"web","force":true})"},
        {{"container", "get", "list"}, "container_get", R"({"name":"list"})"},
        {{"container", "get", "container"}, "container_get", R"({"name":"container"})"},
        {{"container", "list"}, "container_list", "{}"},
        {{"container", "list", "--label", "a=b", "--label", "c=d e"},
         "container_list",
         R"({"label":["a=b","c=d e"]})"},
        {{"container", "logs", "web", "--lines", "5", "--since-seconds", "60", "--unit",
          "ssh.service"},
         "container_logs",
         R"({"container":"web","lines":5,"since_seconds":60,"unit":"ssh.service"})"},
        {{"container", "delete", "web", "--dry-run", "--request-id", "k 1", "--background"},
         "container_delete",
         R"({"name":"web","dry_run":true,"request_id":"k 1","background":true})"},
        {{"operation", "get", "op_1", "--wait-seconds", "50"},
         "operation_get",
         R"({"id":"op_1","wait_seconds":50})"},
        {{"output", "read", "web", "6f0c5be2a1f84c1fa1d2c5e7a90b3c44", "--offset", "9"},
         "output_read",
         R"({"container":"web","output_id":"6f0c5be2a1f84c1fa1d2c5e7a90b3c44","offset":9})"},
        {{"operation", "list", "--status", "working", "--response-format", "detailed"},
         "operation_list",
         R"({"status":"working","response_format":"detailed"})"},
        {{"operation", "cancel", "op_1"}, "operation_cancel", R"({"id":"op_1"})"},
        {{"container", "list", "--state", "stopped", "--limit", "5", "--after", "a"},
         "container_list",
         R"({"state":"stopped","after":"a","limit":5})"},
        {{"container", "start", "web"}, "container_start", R"({"name":"web"})"},
        {{"container", "stop", "web", "--timeout-seconds", "-1"},
         "container_stop",
         R"({"name":"web","timeout_seconds":-1})"},
        {{"container", "pause", "web"}, "container_pause", R"({"name":"web"})"},
        {{"container", "resume", "web"}, "container_resume", R"({"name":"web"})"},
        {{"container", "update", "web", "--memory-bytes", "268435456", "--restart", "always"},
         "container_update",
         R"({"name":"web","memory_bytes":268435456,"restart":"always"})"},
        {{"container", "create", "web", "--env", "A=1", "--env", "B=2 c=d"},
         "container_create",
         R"({"name":"web","env":["A=1","B=2 c=d"]})"},
        {{"container", "update", "web", "--env", "@/dev/null"},
         "container_update",
         R"({"name":"web","env":[]})"},
        {{"container", "usage", "web"}, "container_usage", R"({"name":"web"})"},
        {{"container", "fork", "web", "a", "b"},
         "container_fork",
         R"({"container":"web","names":["a","b"]})"},
        {{"snapshot", "create", "web", "clean"},
         "snapshot_create",
         R"({"container":"web","name":"clean"})"},
        {{"snapshot", "list"}, "snapshot_list", "{}"},
        {{"snapshot", "restore", "web", "clean"},
         "snapshot_restore",
         R"({"container":"web","snapshot":"clean"})"},
        {{"snapshot", "delete", "web", "clean"},
         "snapshot_delete",
         R"({"container":"web","snapshot":"clean"})"},
        {{"gpu", "list", "--vendor", "nvidia"}, "gpu_list", R"({"vendor":"nvidia"})"},
        {{"gpu", "validate", "0", "0b:00.0"}, "gpu_validate", R"({"gpus":["0","0b:00.0"]})"},
        {{"gpu", "attach", "web", "0"}, "gpu_attach", R"({"container":"web","gpus":["0"]})"},
        {{"gpu", "detach", "web", "0"}, "gpu_detach", R"({"container":"web","gpus":["0"]})"},
        {{"port", "add", "web", "443", "--host-port", "8443", "--protocol", "udp"},
         "port_add",
         R"({"container":"web","container_port":443,"host_port":8443,"protocol":"udp"})"},
        {{"port", "list"}, "port_list", "{}"},
        {{"port", "list", "web"}, "port_list", R"({"container":"web"})"},
        {{"port", "remove", "8000"}, "port_remove", R"({"host_port":8000})"},
        {{"ssh", "config", "web", "--host", "box"},
         "ssh_config",
         R"({"container":"web","host":"box"})"},
        {{"ssh", "key-add", "web", "ssh-ed25519 A"},
         "ssh_key_add",
         R"({"container":"web","public_key":"ssh-ed25519 A"})"},
        {{"system", "info"}, "system_info", "{}"},
        {{"warning", "get", "wn_1"}, "warning_get", R"({"id":"wn_1"})"},
        {{"warning", "list", "--acknowledged", "--entity", "host"},
         "warning_list",
         R"({"entity":"host","acknowledged":true})"},
        {{"warning", "update", "wn_1", "delete"},
         "warning_update",
         R"({"id":"wn_1","action":"delete"})"},
        {{"pool", "list"}, "pool_list", "{}"},
        {{"pool", "get", "lab"}, "pool_get", R"({"pool":"lab"})"},
        {{"host", "list", "--pool", "lab"}, "host_list", R"({"pool":"lab"})"},
        {{"token", "create", "ci", "--pools", "lab", "--pools", "prod"},
         "token_create",
         R"({"id":"ci","pools":["lab","prod"]})"},
        {{"token", "revoke", "ci"}, "token_revoke", R"({"id":"ci"})"},
        {{"system", "info", "--args", R"({"verbose":true})"}, "system_info", R"({"verbose":true})"},
    };
    return all;
}

struct Exec {
    Words words;
    std::string arguments;
};

}  // namespace

TEST_CASE("every verb makes its tool's arguments", "[cli]") {
    std::set<std::string_view> untested;
    for (const auto& tool : tool_catalogue()) untested.insert(tool.name);
    untested.erase("container_exec");
    untested.erase("container_export");  // these two open a file: tests/system/test_export.py
    untested.erase("container_import");
    for (const auto& line : lines()) {
        CAPTURE(line.words);
        FakeBerthd berthd;
        CHECK(berthd.run(line.words) == 0);
        CHECK(berthd.err.empty());
        CHECK(berthd.tool == line.tool);
        CHECK(berthd.arguments == Json::parse(line.arguments));
        untested.erase(line.tool);
    }
    CHECK(untested.empty());
}

TEST_CASE("the words of a command to run are passed on as they are", "[cli]") {
    const auto exec = GENERATE(values<Exec>({
        {{"web", "--", "ls", "-l"}, R"({"container":"web","argv":["ls","-l"]})"},
        {{"web", "ls", "-l"}, R"({"container":"web","argv":["ls","-l"]})"},
        {{"--", "web", "ls"}, R"({"container":"web","argv":["ls"]})"},
        {{"web", "ls", "--help"}, R"({"container":"web","argv":["ls","--help"]})"},
        {{"web", "ls", "--json", "--", "x"},
         R"({"container":"web","argv":["ls","--json","--","x"]})"},
        {{"web", "--", "--help"}, R"({"container":"web","argv":["--help"]})"},
        {{"web", "--", "--", "x"}, R"({"container":"web","argv":["--","x"]})"},
        {{"web", "echo", ""}, R"({"container":"web","argv":["echo",""]})"},
        {{"web", "echo", "[a,b]", "{}"}, R"({"container":"web","argv":["echo","[a,b]","{}"]})"},
        {{"web", "exec", "container", "list"},
         R"({"container":"web","argv":["exec","container","list"]})"},
        {{"--user", "bob", "web", "--env", "A=b", "--cwd", "/", "id"},
         R"({"container":"web","argv":["id"],"env":["A=b"],"cwd":"/","user":"bob"})"},
    }));
    auto words = exec.words;
    words.insert(words.begin(), {"container", "exec"});
    CAPTURE(words);
    FakeBerthd berthd;
    CHECK(berthd.run(words) == 0);
    CHECK(berthd.err.empty());
    CHECK(berthd.arguments == Json::parse(exec.arguments));
}

TEST_CASE("options of berth stand before or behind the verb", "[cli]") {
    FakeBerthd berthd{.answer = Json{{"a", 1}}};
    CHECK(berthd.run({"--json", "--socket", "/s", "system", "info"}) == 0);
    CHECK(berthd.socket == "/s");
    CHECK(berthd.out == "{\"a\":1}\n");
    CHECK(berthd.run({"system", "info", "--json", "--socket", "/t"}) == 0);
    CHECK(berthd.socket == "/t");
    CHECK(berthd.out == "{\"a\":1}\n");
    ::setenv("BERTH_SOCKET", "/env", 1);
    CHECK(berthd.run({"system", "info"}) == 0);
    ::unsetenv("BERTH_SOCKET");
    CHECK(berthd.socket == "/env");
    CHECK(berthd.run({"system", "info"}) == 0);
    CHECK(berthd.socket == "/run/berth/berthd.sock");
}

TEST_CASE("a command line that is wrong never reaches berthd", "[cli]") {
    const auto words = GENERATE(values<Words>({
        {},
        {"bogus"},
        {"--bogus"},
        {"container"},
        {"container", "bogus"},
        {"container", "create"},
        {"container", "create", "ada", "bob"},
        {"container", "create", "ada", "--bogus"},
        {"container", "create", "ada", "--image"},
        {"container", "create", "ada", "--image", "a", "--image", "b"},
        {"container", "create", "ada", "--memory-bytes", "2G"},
        {"container", "create", "ada", "--ports", "80x"},
        {"container", "create", "ada", "--ports", "1:2:3"},
        {"container", "create", "ada", "--ports", "{"},
        {"container", "exec", "web"},
        {"container", "exec", "web", "--"},
        {"container", "exec", "web", "--bogus", "ls"},
        {"container", "exec", "--args", "{}", "web", "ls"},
        {"port", "add", "web", "http"},
        {"system", "info", "--args", "{"},
        {"container", "exec", "web", "echo", "\xff"},
        {"completion", "tcsh"},
        {"ssh-config"},
        {"ssh-config", "sync", "--bogus"},
    }));
    CAPTURE(words);
    FakeBerthd berthd;
    CHECK(berthd.run(words) == 2);
    CHECK(berthd.tool.empty());
    CHECK(berthd.err.starts_with("berth: "));
    CHECK(berthd.err.contains("  next: "));
    CHECK(berthd.out.empty());
}

TEST_CASE("a field that may come from a file takes @FILE and -", "[cli]") {
    const TemporaryDirectory directory;
    directory.write("keys", "# mine\nssh-ed25519 A me\n\nssh-ed25519 B\n");
    directory.write("key.pub", "ssh-ed25519 C\n");
    FakeBerthd berthd{.input = "one\ntwo\n"};
    CHECK(berthd.run({"container", "create", "a", "--ssh-keys",
                      "@" + (directory.path() / "keys").string()}) == 0);
    CHECK(berthd.arguments["ssh_keys"] == Json{"ssh-ed25519 A me", "ssh-ed25519 B"});
    CHECK(berthd.run({"ssh", "key-add", "a", "@" + (directory.path() / "key.pub").string()}) == 0);
    CHECK(berthd.arguments["public_key"] == "ssh-ed25519 C\n");
    CHECK(berthd.run({"container", "exec", "--stdin", "-", "a", "cat"}) == 0);
    CHECK(berthd.arguments["stdin"] == "one\ntwo\n");
    CHECK(berthd.run({"container", "exec", "--stdin", "@/nonexistent", "a", "cat"}) == 3);
    CHECK(berthd.err.contains("/nonexistent"));
    SECTION("and another does not") {
        CHECK(berthd.run({"container", "exec", "a", "--cwd", "@/etc/passwd", "cat"}) == 0);
        CHECK(berthd.arguments["cwd"] == "@/etc/passwd");
    }
}
