// SPDX-License-Identifier: Apache-2.0
// toolgen stops at a prompt that promises what the tools do not hold. The tools are the real ones.
#include "base/files.h"
#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <filesystem>

using namespace berth;

namespace {

const std::string good = R"(---
title: Look
description: Looks at a container.
arguments:
- container: The container (the one) to look at. (required)
- depth: How far. (default: as far as it takes)
inject:
- container_get {"name": "{{container}}"}
- system_info {}
---

Look at `{{container}}`, {{depth}}, with `container_logs` and `since_seconds`.
)";

SubprocessResult generate(const std::string& text, const TemporaryDirectory& directory,
                          const char* name = "look.md") {
    directory.write(name, text);
    std::vector<std::string> argv{TOOLGEN,
                                  "prompts",
                                  (directory.path() / "out").string(),
                                  "tools-schema/errors.json",
                                  "tools-schema/types.json",
                                  "tools-schema/common.json"};
    for (const auto& entry : std::filesystem::directory_iterator("tools-schema/tools")) {
        argv.push_back(entry.path().string());
    }
    argv.push_back((directory.path() / name).string());
    return run_subprocess({.argv = argv}).value();
}

/// `text` put in the place of `old`, and the complaint.
struct Change {
    std::string old;
    std::string text;
    std::string complaint;
};

std::string changed(const Change& change) {
    auto text = good;
    const auto at = text.find(change.old);
    REQUIRE(at != std::string::npos);
    return text.replace(at, change.old.size(), change.text);
}

}  // namespace

TEST_CASE("a prompt as it should be is generated from", "[toolgen]") {
    const TemporaryDirectory directory;
    const auto result = generate(good, directory);
    CAPTURE(result.errors);
    REQUIRE(result.exit_code == 0);
    const auto source = read_file(directory.path() / "out/catalogue.cpp").value();
    CHECK(source.contains("The container (the one) to look at."));
    CHECK(source.contains("as far as it takes"));
    CHECK(source.contains(R"~({"name":"{{container}}"})~"));
    CHECK(source.contains("R\"~~(Look at `{{container}}`"));
}

TEST_CASE("a prompt that is wrong is refused by its line or its name", "[toolgen]") {
    const auto change = GENERATE(values<Change>({
        {"---\ntitle", "title", "look.md: line 1: must be ---"},
        {"---\n\nLook", "\nLook", "look.md: line 10: must be title:, description:"},
        {"title: Look\n", "title: Look\ntitle: Again\n", "line 3: must be given once"},
        {"title: Look\n", "", "look.md: has no title"},
        {"description: Looks at a container.\n", "", "look.md: has no description"},
        {"title: Look\n", "name: Look\n", "line 2: must be title:, description:"},
        {"title: Look\n", "- item\n", "line 2: belongs to no list"},
        {" (required)", "", "line 5: must be `- name: description (required)`"},
        {"(required)", "(needed)", "line 5: must be `- name: description (required)`"},
        {"(default: as far as it takes)", "(default: )", "line 6: must be"},
        {"- depth: How", "- Depth: How", "line 6: must be"},
        {"- depth: How", "- container: How", "line 6: names 'container' twice"},
        {"- system_info {}", "- system_info", "line 9: must be `- tool {arguments as JSON}`"},
        {"- system_info {}", "- system_info []", "line 9: must be `- tool {arguments as JSON}`"},
        {"- system_info {}", "- system_info {\"a\": 1, \"a\": 2}", "line 9: must be"},
        {"- system_info {}", "- system_status {}", "look.md: there is no tool 'system_status'"},
        {"- system_info {}", "- container_stop {\"name\": \"a\"}",
         "look.md: injects 'container_stop', which changes things"},
        {"- system_info {}", "- system_info {\"verbose\": true}",
         "look.md: 'system_info' has no argument 'verbose'"},
        {"{\"name\": \"{{container}}\"}", "{}",
         "look.md: 'container_get' needs the argument 'name'"},
        {"\"{{container}}\"", "\"{{depth}}\"",
         "look.md: {{depth}} must be required to be part of a call"},
        {"{{depth}}", "{{width}}", "look.md: {{width}} is no argument of the prompt"},
        {"{{depth}}", "deep", "look.md: never uses its argument 'depth'"},
        {"{{depth}}", "{{depth", "look.md: has a {{ without"},
        {"`container_logs`", "`container_log`",
         "look.md: `container_log` is no tool and no argument of one"},
    }));
    CAPTURE(change.old, change.text);
    const TemporaryDirectory directory;
    const auto result = generate(changed(change), directory);
    CAPTURE(result.errors);
    CHECK(result.exit_code == 1);
    CHECK(result.errors.contains(change.complaint));
    CHECK_FALSE(std::filesystem::exists(directory.path() / "out"));
}

TEST_CASE("a prompt without an end, a text or a proper name is refused", "[toolgen]") {
    const TemporaryDirectory directory;
    CHECK(generate("---\ntitle: x\n", directory)
              .errors.contains("line 2: the front matter does not end with ---"));
    CHECK(generate("", directory).errors.contains("does not end with ---"));
    CHECK(generate("---\ntitle: x\ndescription: y\n---\n\n", directory)
              .errors.contains("look.md: has no text"));
    CHECK(generate(good, directory, "Look-at.md").errors.contains("must be named in"));
}
