// SPDX-License-Identifier: Apache-2.0
// toolgen errors|tools|docs|prompts OUT_DIR errors.json [types.json common.json tool.json…]
//     [prompt.md…]
// Checks the declarations and writes what is made from them. A file whose text did not change is
// left as it is, so that nothing that includes it is built again.
#include "tools-schema/toolgen/emit.h"
#include "tools-schema/toolgen/prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>

namespace berth::toolgen {
namespace {

using Files = std::map<std::string, std::string>;

Files make_files(std::string_view what, Sources sources) {
    if (what == "errors") return {{"error_table.cpp", error_table_source(sources.errors)}};
    if (what == "docs") {
        return {{"tools.md", tools_page(sources)}, {"errors.md", errors_page(sources.errors)}};
    }
    add_common_properties(sources);
    const auto model = make_model(sources);
    Files files{{"types.h", types_header(model)},
                {"types.cpp", types_source(model)},
                {"tools.h", all_tools_header(model)},
                {"catalogue.cpp", catalogue_source(sources)}};
    for (const auto& tool : model.tools) {
        files[tool.name + ".h"] = tool_header(tool);
        files[tool.name + ".cpp"] = tool_source(tool);
    }
    return files;
}

bool write_if_changed(const std::filesystem::path& path, const std::string& text) {
    {
        std::ifstream old(path, std::ios::binary);
        if (old && std::string(std::istreambuf_iterator<char>(old), {}) == text) return true;
    }
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    return !file.fail();
}

int complain(const std::string& problem) {
    fmt::print(stderr, "toolgen: {}\n", problem);
    return 1;
}

int complain_all(const std::vector<std::string>& problems) {
    for (const auto& problem : problems) complain(problem);
    return problems.empty() ? 0 : 1;
}

int write_all(const std::filesystem::path& directory, const Files& files) {
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    for (const auto& [name, text] : files) {
        const auto path = directory / name;
        if (!write_if_changed(path, text)) return complain(path.string() + " cannot be written");
    }
    return 0;
}

/// The prompts, by name. Problems of all of them are collected.
std::vector<Prompt> read_prompts(const std::vector<std::string>& paths, const Sources& sources,
                                 std::vector<std::string>& problems) {
    std::vector<Prompt> prompts;
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        auto prompt = parse_prompt(path, text);
        if (!prompt) {
            problems.push_back(prompt.error().message);
            continue;
        }
        for (auto& problem : check_prompt(*prompt, sources)) {
            problems.push_back(std::move(problem));
        }
        prompts.push_back(*std::move(prompt));
    }
    std::ranges::sort(prompts, {}, &Prompt::name);
    return prompts;
}

int run(const std::vector<std::string>& words) {
    const std::vector<std::string_view> subcommands{"errors", "tools", "docs", "prompts"};
    if (words.size() < 3 || std::ranges::find(subcommands, words[0]) == subcommands.end()) {
        return complain(
            "usage: toolgen errors|tools|docs|prompts OUT_DIR errors.json [types.json common.json "
            "tool.json...] [prompt.md...]");
    }
    std::vector<std::string> declarations(words.begin() + 2, words.end());
    const auto pages = std::ranges::stable_partition(
        declarations, [](const std::string& path) { return !path.ends_with(".md"); });
    const std::vector<std::string> prompts(pages.begin(), pages.end());
    declarations.erase(pages.begin(), pages.end());
    auto sources = read_sources(declarations);
    if (!sources) return complain(sources.error().message);
    auto problems = check(*sources);
    if (!problems.empty()) return complain_all(problems);
    if (words[0] != "prompts") return write_all(words[1], make_files(words[0], *sources));
    add_common_properties(*sources);
    const auto read = read_prompts(prompts, *sources, problems);
    if (!problems.empty()) return complain_all(problems);
    return write_all(words[1], {{"catalogue.cpp", prompts_source(read)}});
}

}  // namespace
}  // namespace berth::toolgen

int main(int argc, char** argv) {
    return berth::toolgen::run({argv + 1, argv + argc});
}
