// SPDX-License-Identifier: Apache-2.0
// Each named type's C++ class and the pattern that a model sees give the same verdict.
#include "tools-schema/contract/names.h"

#include "tests/support/catch.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <regex>

using namespace berth;
using namespace std::string_literals;

namespace {

Json named_type(const std::string& name) {
    std::ifstream file("tools-schema/types.json");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return parse_json(text).value().at("$defs").at(name);
}

/// What the schema says; the length first, as the regex engine recurses over long texts.
bool schema_accepts(const Json& schema, const std::string& text) {
    if (schema.contains("maxLength") && text.size() > schema["maxLength"].get<std::size_t>()) {
        return false;
    }
    return std::regex_search(text, std::regex(schema["pattern"].get<std::string>()));
}

template <class T>
void same_verdict(const std::string& type, const std::vector<std::string>& good,
                  const std::vector<std::string>& bad) {
    const auto schema = named_type(type);
    REQUIRE(schema["x-cpp"] == type);
    for (const auto& text : good) {
        CAPTURE(text.substr(0, 80));
        CHECK(T::parse(text).has_value());
        CHECK(schema_accepts(schema, text));
        if (T::parse(text)) CHECK(T::parse(text)->to_string() == text);
    }
    for (const auto& text : bad) {
        CAPTURE(text.substr(0, 80));
        CHECK_FALSE(T::parse(text).has_value());
        CHECK_FALSE(schema_accepts(schema, text));
    }
}

}  // namespace

TEST_CASE("a container's name is a DNS label that starts with a letter", "[names]") {
    same_verdict<ContainerName>("ContainerName",
                                {"a", "ada", "a-b", "a1", "a--b", std::string(63, 'a')},
                                {"", "1a", "-a", "a-", "A", "a_b", "a.b", "../ada", "a b", "ada\n",
                                 "a\0b"s, "ä", std::string(64, 'a')});
}

TEST_CASE("an image's name has no slash and no upper case", "[names]") {
    same_verdict<ImageName>("ImageName", {"debian-12", "12", "a.b_c-d", std::string(64, 'a')},
                            {"", "-a", ".a", "_a", "a/b", "A", "a b", "a\n", std::string(65, 'a')});
}

TEST_CASE("a snapshot is named as an image is", "[names]") {
    same_verdict<SnapshotName>("SnapshotName", {"s1", "1", "before-upgrade", std::string(64, 'a')},
                               {"", "-a", ".a", "a/b", "..", "A", "a\n", std::string(65, 'a')});
}

TEST_CASE("a user's name is one that useradd would take", "[names]") {
    same_verdict<UserName>("UserName", {"root", "_apt", "www-data", "a1", std::string(32, 'a')},
                           {"", "1a", "-a", "Root", "a b", "a:b", "a$", std::string(33, 'a')});
}

TEST_CASE("a path is absolute and has no NUL", "[names]") {
    same_verdict<AbsolutePath>("AbsolutePath",
                               {"/", "/root", "/a b", "/ä", "/" + std::string(999, 'a')},
                               {"", "tmp", "./tmp", "~", "/a\0b"s});
    CHECK(AbsolutePath::parse("/" + std::string(4094, 'a')).has_value());
    CHECK_FALSE(AbsolutePath::parse("/" + std::string(4095, 'a')).has_value());
}

TEST_CASE("a variable is NAME=value", "[names]") {
    same_verdict<EnvAssignment>("EnvAssignment", {"A=", "A=b", "_a1=b=c", "PATH=/bin:/sbin", "A=ä"},
                                {"", "A", "=b", "1A=b", "A-B=c", "A B=c", " A=b", "A=b\0"s,
                                 "A=" + std::string(32767, 'a')});
}

TEST_CASE("a request's id is printable ASCII", "[names]") {
    same_verdict<RequestId>("RequestId", {"a", "018f-77", "a b", "~!", std::string(64, 'a')},
                            {"", "a\n", "\t", "ä", "a\0b"s, "\x7f", std::string(65, 'a')});
}

TEST_CASE("an operation's id says what it is", "[names]") {
    same_verdict<OperationId>("OperationId",
                              {"op_00000000000000000000000001", "op_abcdefghijklmnopqrstuvwxyz"},
                              {"", "op_", "op_0000000000000000000000001",
                               "op_000000000000000000000000001", "op_0000000000000000000000000A",
                               "xx_00000000000000000000000001", "op_00000000000000000000000001\n"});
}

TEST_CASE("a warning's id says what it is", "[names]") {
    same_verdict<WarningId>("WarningId",
                            {"wn_00000000000000000000000001", "wn_abcdefghijklmnopqrstuvwxyz"},
                            {"", "wn_", "wn_0000000000000000000000001", "host",
                             "wn_000000000000000000000000001", "wn_0000000000000000000000000A",
                             "op_00000000000000000000000001", "wn_00000000000000000000000001\n"});
}

TEST_CASE("a label is key=value, printable", "[names]") {
    const std::string key(63, 'k');
    same_verdict<Label>(
        "Label",
        {"a=", "team=web", "a.b_c-1=x=y", "a=ä b", key + "=v", "a=" + std::string(255, 'v')},
        {"", "a", "=b", "A=b", "1a=b", "a b=c", "a=b\n", "a=\x1b[0m", "a=\x7f", "a=\0"s,
         "k" + key + "=v", "a=" + std::string(256, 'v')});
    for (const auto* good : {"a=\xc2\x80", "a=\xe0\xa0\x80", "a=\xed\x9f\xbf", "a=\xf0\x90\x80\x80",
                             "a=\xf4\x8f\xbf\xbf"}) {
        CHECK(Label::parse(good).has_value());
    }
    for (const auto* bad :
         {"a=\xff", "a=\xc3", "a=\x80", "a=\xc1\x80", "a=\xe0\x9f\x80", "a=\xed\xa0\x80",
          "a=\xf0\x8f\x80\x80", "a=\xf4\x90\x80\x80", "a=\xf0\x90\x80", "a=\xe0\xa0"}) {
        CHECK_FALSE(Label::parse(bad).has_value());
    }
}

TEST_CASE("a unit's name has no slash and no pattern", "[names]") {
    same_verdict<UnitName>(
        "UnitName",
        {"ssh.service", "user@0.service", "-.mount", "dev-sda\\x20.device", std::string(255, 'u')},
        {"", "../x", "a b", "ssh*", "a\n", "a=b", "ä", std::string(256, 'u')});
}

TEST_CASE("a PCI address has one spelling", "[names]") {
    same_verdict<PciAddress>(
        "PciAddress", {"0000:41:00.0", "ffff:ff:1f.7", "0000:00:0a.0"},
        {"", "41:00.0", "0000:41:00.8", "0000:41:20.0", "0000:4A:00.0", "0000:41:00",
         "0000-41:00.0", "0000:41:00.0 ", "00000:41:00.0", "0000:41:00:0", "0x00:41:00.0"});
    CHECK(PciAddress::of(0, 0x41, 0, 0).to_string() == "0000:41:00.0");
}

TEST_CASE("base64 has one text for each byte string", "[names]") {
    for (const auto& [bytes, text] : std::vector<std::pair<std::string, std::string>>{
             {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\0"s, "//4A"}}) {
        CHECK(encode_base64(bytes) == text);
        CHECK(decode_base64(text).value() == bytes);
    }
    const auto* bad =
        GENERATE("Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Z g=", "Zm9v\n");
    CAPTURE(bad);
    CHECK_FALSE(decode_base64(bad).has_value());
}
