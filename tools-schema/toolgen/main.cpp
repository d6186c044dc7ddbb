// SPDX-License-Identifier: Apache-2.0
// toolgen errors|tools|docs OUT_DIR errors.json [types.json common.json tool.json…]
// Checks the declarations and writes what is made from them. A file whose text did not change is
// left as it is, so that nothing that includes it is built again.
#include "tools-schema/toolgen/emit.h"

#include <fmt/format.h>

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

int run(const std::vector<std::string>& words) {
    const bool known =
        !words.empty() && (words[0] == "errors" || words[0] == "tools" || words[0] == "docs");
    if (!known || words.size() < 3) {
        return complain(
            "usage: toolgen errors|tools|docs OUT_DIR errors.json [types.json common.json "
            "tool.json...]");
    }
    const auto sources = read_sources({words.begin() + 2, words.end()});
    if (!sources) return complain(sources.error().message);
    const auto problems = check(*sources);
    for (const auto& problem : problems) complain(problem);
    if (!problems.empty()) return 1;
    std::error_code failed;
    std::filesystem::create_directories(words[1], failed);
    for (const auto& [name, text] : make_files(words[0], *sources)) {
        const auto path = std::filesystem::path(words[1]) / name;
        if (!write_if_changed(path, text)) return complain(path.string() + " cannot be written");
    }
    return 0;
}

}  // namespace
}  // namespace berth::toolgen

int main(int argc, char** argv) {
    return berth::toolgen::run({argv + 1, argv + argc});
}
