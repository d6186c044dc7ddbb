// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <sys/stat.h>

#include <filesystem>

using namespace berth;
namespace fs = std::filesystem;

TEST_CASE(
    "a file is replaced whole, with the mode that was asked for, and nothing is left beside it",
    "[base]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "file";
    REQUIRE(write_file_atomically(path, "old"));
    REQUIRE(write_file_atomically(path, "new", {.mode = 0600}));
    CHECK(read_file(path).value() == "new");
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
    CHECK(std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a write that cannot be made changes nothing and says why", "[base]") {
    const TemporaryDirectory directory;
    const auto refused = write_file_atomically(directory.path() / "none/file", "x");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::not_found);
    fs::create_directory(directory.path() / "taken");
    REQUIRE_FALSE(write_file_atomically(directory.path() / "taken", "x"));
    CHECK(std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a file that is missing or too large is told apart", "[base]") {
    const TemporaryDirectory directory;
    CHECK(read_file(directory.path() / "none").error().code == ErrorCode::not_found);
    REQUIRE(write_file_atomically(directory.path() / "file", std::string(100, 'x')));
    CHECK(read_file(directory.path() / "file", 99).error().code == ErrorCode::quota_exceeded);
    CHECK(read_file(directory.path() / "file", 100).value().size() == 100);
}

TEST_CASE("a tree is removed without following its symbolic links", "[base]") {
    const TemporaryDirectory directory;
    directory.write("kept/file", "x");
    directory.write("gone/a/b/file", "x");
    fs::create_directory_symlink(directory.path() / "kept", directory.path() / "gone/a/link");
    fs::create_symlink("nowhere", directory.path() / "gone/dangling");
    CHECK(remove_tree(directory.path() / "gone"));
    CHECK(remove_tree(directory.path() / "gone"));
    CHECK_FALSE(fs::exists(directory.path() / "gone"));
    CHECK(fs::exists(directory.path() / "kept/file"));
}

TEST_CASE("a symbolic link is removed itself, and not what it leads to", "[base]") {
    const TemporaryDirectory directory;
    directory.write("kept/file", "x");
    fs::create_directory_symlink(directory.path() / "kept", directory.path() / "link");
    CHECK(remove_tree(directory.path() / "link"));
    CHECK(fs::exists(directory.path() / "kept/file"));
    CHECK_FALSE(fs::is_symlink(directory.path() / "link"));
}

TEST_CASE("directories are made as deep as needed, and again without complaint", "[base]") {
    const TemporaryDirectory directory;
    CHECK(make_directories(directory.path() / "a/b/c", 0711));
    CHECK(make_directories(directory.path() / "a/b/c", 0711));
    CHECK(fs::is_directory(directory.path() / "a/b/c"));
}

TEST_CASE("random names are of the length asked for, and differ", "[base]") {
    CHECK(random_hex(5).size() == 10);
    CHECK(random_hex(8) != random_hex(8));
}
