// SPDX-License-Identifier: Apache-2.0
#include "host/tools/deprecations.h"

#include "host/warning/kinds.h"
#include "tests/host/warning/book.h"

#include <array>

using namespace berth;

namespace {

/// Takes every call but those with a wrong argument.
struct Any final : Invoker {
    Result<Json> invoke(std::string_view, const Json& arguments, const Call&) override {
        if (arguments.contains("wrong")) return fail(ErrorCode::invalid_argument, "it is wrong");
        return Json{{"done", true}};
    }
};

constexpr std::array tools_with_old_arguments{
    ToolSpec{.name = "thing_make", .input_schema = R"({"type": "object", "properties": {
        "name": {"type": "string", "description": "Its name."},
        "colour": {"type": "string", "description": "Use paint instead.", "deprecated": true},
        "width": {"type": "integer", "description": "Use size instead.", "deprecated": true}}})"},
    ToolSpec{.name = "thing_list", .input_schema = R"({"type": "object", "properties": {}})"}};

}  // namespace

TEST_CASE("the use of a deprecated argument is one warning that counts") {
    warning::Book book;
    Any any;
    tools::Deprecations watched(any, *book.warnings, tools_with_old_arguments);
    CHECK(watched.invoke("thing_make", {{"name", "a"}}, {}));
    CHECK(watched.invoke("thing_list", {{"colour", "red"}}, {}));
    CHECK_FALSE(watched.invoke("thing_make", {{"colour", "red"}, {"wrong", 1}}, {}));
    CHECK(book.listed() == 0);
    CHECK(watched.invoke("thing_make", {{"colour", "red"}}, {}).value()["done"] == true);
    CHECK(watched.invoke("thing_make", {{"colour", "blue"}}, {}));
    const auto told = book.only();
    CHECK(told.type == warning::deprecated_option);
    CHECK(told.entity == "tool/thing_make/colour");
    CHECK(told.next == "Use paint instead.");
    CHECK(told.count == 2);
    CHECK_FALSE(told.message.contains("red"));
    CHECK(watched.invoke("thing_make", {{"colour", "red"}, {"width", 1}}, {}));
    CHECK(book.listed() == 2);
}
