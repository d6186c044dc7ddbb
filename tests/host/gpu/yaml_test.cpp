// SPDX-License-Identifier: Apache-2.0
// YAML as JSON: what vendors' tools write, and what is refused of the rest of it.
#include "host/gpu/yaml.h"

#include "tests/support/catch.h"

#include <fmt/format.h>

using namespace berth;
using namespace berth::gpu;

namespace {

constexpr std::size_t bytes_max = 1024UL * 1024;

std::string as_json(std::string_view text) {
    const auto value = parse_yaml(text, bytes_max);
    return value ? to_text(*value) : value.error().message;
}

}  // namespace

TEST_CASE("a spec in YAML is what it would be in JSON", "[yaml]") {
    CHECK(as_json("---\n"
                  "cdiVersion: 0.5.0\n"
                  "containerEdits:\n"
                  "  env:\n"
                  "  - NVIDIA_VISIBLE_DEVICES=void\n"
                  "  mounts: []\n"
                  "devices:\n"
                  "- containerEdits:\n"
                  "    deviceNodes:\n"
                  "    - {path: /dev/nvidia0, major: 195, minor: 0, fileMode: 0666}\n"
                  "  name: \"0\"\n"
                  "kind: nvidia.com/gpu\n") ==
          R"({"cdiVersion":"0.5.0","containerEdits":{"env":["NVIDIA_VISIBLE_DEVICES=void"],)"
          R"("mounts":[]},"devices":[{"containerEdits":{"deviceNodes":[{"path":"/dev/nvidia0",)"
          R"("major":195,"minor":0,"fileMode":438}]},"name":"0"}],"kind":"nvidia.com/gpu"})");
}

TEST_CASE("scalars without quotes are what Go takes them for, and those with are strings",
          "[yaml]") {
    CHECK(
        as_json("[~, null, '', true, \"true\", False, 12, '12', -7, 0x1f, 0o17, 017, 1.5, "
                "1e3, 1.2.3, yes, .inf]") ==
        R"([null,null,"",true,"true",false,12,"12",-7,31,15,15,1.5,1000.0,"1.2.3","yes",".inf"])");
    CHECK(as_json("") == "null");
    CHECK(as_json("99999999999999999999") == "1e+20");
    CHECK(as_json("--5") == R"("--5")");
}

TEST_CASE("what JSON has not is refused, and where it is", "[yaml]") {
    CHECK(as_json("a: &x 1\n").starts_with("line 1: has an anchor"));
    CHECK(as_json("a: 1\nb: *x\n").starts_with("line 2: has an alias"));
    CHECK(as_json("a: !!str 1\n").starts_with("line 1: has a tag"));
    CHECK(as_json("- &x [1]\n").starts_with("line 1: has an anchor"));
    CHECK(as_json("- &x {a: 1}\n").starts_with("line 1: has an anchor"));
    CHECK(as_json("? [a]\n: 1\n").starts_with("line 1: has a key that is a list"));
    CHECK(as_json("a: 1\na: 2\n").starts_with("line 2: has the key 'a' twice"));
    CHECK(as_json("a: 1\n---\nb: 1\n").starts_with("line 2: has a second document"));
    CHECK(as_json("a: [1\n").starts_with("line "));
    CHECK(as_json("a: \xff\n").starts_with("line "));
}

TEST_CASE("a file that would cost too much is refused", "[yaml]") {
    CHECK(as_json(std::string(63, '[') + std::string(63, ']')).starts_with("[["));
    CHECK(as_json(std::string(65, '[') + std::string(65, ']')).contains("more than 64 levels"));
    CHECK(as_json(std::string(100'000, '[')).contains("more than 64 levels"));
    CHECK(as_json("a: " + std::string(70'000, 'b')).contains("more than 65536 bytes"));
    CHECK(parse_yaml("a: 1", 3).error().message.contains("more than 3 bytes"));
}
