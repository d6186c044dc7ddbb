// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/policy/tool_filter.h"

#include "tests/support/catch.h"

#include <unordered_set>

using namespace berth;
using namespace berth::policy;

namespace {

using Names = std::vector<std::string>;

ToolFilter filter(const FilterWish& wish, const Names& defaults = {}) {
    auto made = ToolFilter::of(wish, defaults);
    REQUIRE(made);
    return *made;
}

/// Every tool of which `test` is true, and no other, is allowed.
template <class Test>
bool allows_exactly(const ToolFilter& allowed, Test test) {
    return std::ranges::all_of(tool_catalogue(), [&](const ToolSpec& tool) {
        return allowed.allows(tool.name) == test(tool);
    });
}

}  // namespace

TEST_CASE("the whole catalogue fits into a filter", "[filter]") {
    CHECK(tool_catalogue().size() <= catalogue_tools_max);
    CHECK(ToolFilter::everything().count() == tool_catalogue().size());
    CHECK(filter({.toolsets = Names{"all"}}) == ToolFilter::everything());
    CHECK_FALSE(ToolFilter::everything().allows("nosuch"));
}

TEST_CASE("a server offers what its operator asks for", "[filter]") {
    CHECK(allows_exactly(filter({.toolsets = Names{"port"}}),
                         [](const ToolSpec& tool) { return tool.toolset == "port"; }));
    CHECK(allows_exactly(filter({.tools = Names{"gpu_list"}}),
                         [](const ToolSpec& tool) { return tool.name == "gpu_list"; }));
    CHECK(allows_exactly(
        filter({.toolsets = Names{"port"}, .tools = Names{"gpu_list"}}),
        [](const ToolSpec& tool) { return tool.toolset == "port" || tool.name == "gpu_list"; }));
    CHECK(allows_exactly(filter({.exclude_tools = {"container_delete"}}), [](const ToolSpec& tool) {
        return tool.in_default && tool.name != "container_delete";
    }));
    CHECK(filter({.toolsets = Names{}}).count() == 0);
}

TEST_CASE("without an opinion the default toolsets are offered", "[filter]") {
    const Names defaults{"container", "exec"};
    const auto is_default = [](const ToolSpec& tool) {
        return tool.toolset == "container" || tool.toolset == "exec";
    };
    CHECK(allows_exactly(filter({}, defaults), is_default));
    CHECK(allows_exactly(filter({.toolsets = Names{"default"}}, defaults), is_default));
    CHECK(allows_exactly(
        filter({.toolsets = Names{"default", "gpu"}}, defaults),
        [&](const ToolSpec& tool) { return is_default(tool) || tool.toolset == "gpu"; }));
    CHECK(filter({.toolsets = Names{"all"}}, defaults) == ToolFilter::everything());
    const auto says_so = [](const ToolSpec& tool) { return tool.in_default; };
    CHECK(allows_exactly(filter({}), says_so));
    CHECK(allows_exactly(filter({.toolsets = Names{"default"}}), says_so));
    CHECK(filter({.tools = Names{"container_pause"}}).allows("container_pause"));
    CHECK_FALSE(filter({}).allows("container_pause"));
}

TEST_CASE("read-only wins over everything", "[filter]") {
    const auto only_reading = [](const ToolSpec& tool) { return tool.read_only; };
    CHECK(allows_exactly(filter({.toolsets = Names{"all"}, .read_only = true}), only_reading));
    const ToolFilter asked = filter({.tools = Names{"container_delete"}, .read_only = true});
    CHECK(asked.count() == 0);
    const ToolFilter reading = filter({.read_only = true});
    const auto wider = reading.narrowed({.toolsets = Names{"all"}});
    REQUIRE(wider);
    CHECK(*wider == reading);
}

TEST_CASE("a wish can only narrow", "[filter]") {
    const ToolFilter offered = filter({.toolsets = Names{"container", "port"}});
    for (const FilterWish& wish :
         {FilterWish{}, FilterWish{.toolsets = Names{"all"}}, FilterWish{.toolsets = Names{"gpu"}},
          FilterWish{.toolsets = Names{"default"}}, FilterWish{.tools = Names{"gpu_list"}},
          FilterWish{.toolsets = Names{"port"}}, FilterWish{.exclude_tools = {"port_add"}},
          FilterWish{.read_only = true}}) {
        const auto narrowed = offered.narrowed(wish);
        REQUIRE(narrowed);
        for (const ToolSpec& tool : tool_catalogue()) {
            CHECK((!narrowed->allows(tool.name) || offered.allows(tool.name)));
        }
    }
    CHECK(*offered.narrowed({}) == offered);
    CHECK(offered.narrowed({.toolsets = Names{"gpu"}})->count() == 0);
    CHECK_FALSE(offered.narrowed({.exclude_tools = {"port_add"}})->allows("port_add"));
    CHECK(offered.narrowed({.exclude_tools = {"port_add"}})->allows("port_list"));
}

TEST_CASE("a name that is none is refused with the nearest one", "[filter]") {
    const auto toolset = ToolFilter::of({.toolsets = Names{"contaner"}});
    REQUIRE_FALSE(toolset);
    CHECK(toolset.error().message == "there is no toolset 'contaner'; is it 'container'?");
    const auto tool = ToolFilter::everything().narrowed({.tools = Names{"gpu_lst"}});
    REQUIRE_FALSE(tool);
    CHECK(tool.error().message == "there is no tool 'gpu_lst'; is it 'gpu_list'?");
    CHECK(tool.error().hint.find("container_create") != std::string::npos);
    CHECK_FALSE(ToolFilter::of({.exclude_tools = {"x"}}));
}

TEST_CASE("a caller has the tools of its scopes", "[filter]") {
    const auto left = [](const std::vector<std::string>& scopes) {
        return ToolFilter::everything().narrowed_to_scopes({.principal = "t", .scopes = scopes});
    };
    CHECK(allows_exactly(left({"*.read"}), [](const ToolSpec& tool) {
        return std::string_view(tool.scope).ends_with(".read");
    }));
    CHECK(allows_exactly(left({"port.*"}), [](const ToolSpec& tool) {
        return std::string_view(tool.scope).starts_with("port.");
    }));
    CHECK(left({"*"}) == ToolFilter::everything());
    CHECK(left({}).count() == 0);
    CHECK(ToolFilter::everything().narrowed_to_scopes({.principal = "t", .all_scopes = true}) ==
          ToolFilter::everything());
}

TEST_CASE("filters that allow the same are the same, also as keys", "[filter]") {
    std::unordered_set<ToolFilter> seen;
    seen.insert(filter({.toolsets = Names{"gpu"}}));
    seen.insert(filter({.tools = Names{"gpu_list"}}, {"port"}));
    seen.insert(filter({.toolsets = Names{"port"}}));
    const auto gpu_tools = std::ranges::count(tool_catalogue(), "gpu", &ToolSpec::toolset);
    CHECK(seen.size() == (gpu_tools == 1 ? 2 : 3));
}

TEST_CASE("headers say what a client wants", "[filter]") {
    const auto wish = wish_of({{"x-mcp-toolsets", " port, gpu ,,"},
                               {"x-mcp-tools", "ssh_config"},
                               {"x-mcp-tools", "gpu_list"},
                               {"x-mcp-exclude-tools", "port_add"},
                               {"x-mcp-readonly", "True"}});
    REQUIRE(wish);
    CHECK(wish->toolsets == Names{"port", "gpu"});
    CHECK(wish->tools == Names{"ssh_config", "gpu_list"});
    CHECK(wish->exclude_tools == Names{"port_add"});
    CHECK(wish->read_only);

    CHECK(wish_of({})->empty());
    CHECK(wish_of({{"x-mcp-toolsets", " , "}, {"x-mcp-readonly", ""}})->empty());
    CHECK(wish_of({{"x-mcp-readonly", "0"}})->empty());
    CHECK(wish_of({{"x-mcp-readonly", "false"}, {"x-mcp-readonly", "1"}})->read_only);
    const auto unclear = wish_of({{"x-mcp-readonly", "maybe"}});
    REQUIRE_FALSE(unclear);
    CHECK(unclear.error().field == "x-mcp-readonly");
    std::string many;
    for (std::size_t at = 0; at <= wished_names_max; ++at) many += "a,";
    const auto too_many = wish_of({{"x-mcp-tools", many}});
    REQUIRE_FALSE(too_many);
    CHECK(too_many.error().field == "x-mcp-tools");
}
