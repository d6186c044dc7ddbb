// SPDX-License-Identifier: Apache-2.0
// Images on a real disk, from archives that the real tar makes. Root may give files to others.
#include "host/image/image_store.h"

#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

using namespace berth;
using namespace berth::image;
namespace fs = std::filesystem;

namespace {

constexpr auto created_at = "2026-11-22T06:00:51.123Z";

ImageName named(std::string_view name) {
    return ImageName::parse(name).value();
}

struct Fixture {
    TemporaryDirectory directory = {};
    ImageStore store{directory.path() / "images"};

    /// An archive of a tree that holds /etc/hostname with this content.
    [[nodiscard]] fs::path tar(const std::string& content) const {
        directory.write("tree/etc/hostname", content);
        const fs::path file = directory.path() / "image.tar";
        run_checked({.argv = {"tar", "--owner=1234:1234", "--group=4321:4321", "-C",
                              (directory.path() / "tree").string(), "-cf", file.string(), "."}})
            .value();
        return file;
    }
    /// What is in the store's directory, sorted, but for the directory of names.
    [[nodiscard]] std::vector<std::string> content() const {
        std::vector<std::string> out;
        for (const auto& entry : fs::directory_iterator(store.root())) {
            if (entry.path().filename() != "names") out.push_back(entry.path().filename());
        }
        std::ranges::sort(out);
        return out;
    }
};

}  // namespace

TEST_CASE("an imported image is found by its name and by its digest") {
    const Fixture fixture;
    const auto tar = fixture.tar("one");
    const auto image = fixture.store.import_tar(tar, named("debian-12"), created_at).value();
    const auto sum = run_checked({.argv = {"sha256sum", tar.string()}}).value().substr(0, 64);
    CHECK(image.name == "debian-12");
    CHECK(image.digest == "sha256:" + sum);
    CHECK(image.created_at == created_at);
    CHECK(image.rootfs == fixture.store.root() / ("sha256-" + sum) / "rootfs");
    CHECK(read_file(image.rootfs / "etc/hostname").value() == "one");

    const auto found = fixture.store.find(named("debian-12")).value();
    CHECK(found.digest == image.digest);
    CHECK(found.rootfs == image.rootfs);
    const auto same = fixture.store.find_digest(image.digest).value();
    CHECK(same.rootfs == image.rootfs);
    CHECK(same.created_at == created_at);
    CHECK(fixture.content() == std::vector{"sha256-" + sum});
}

TEST_CASE("files keep their numeric owners and modes, and no host user can reach them") {
    const Fixture fixture;
    const auto image =
        fixture.store.import_tar(fixture.tar("one"), named("debian-12"), created_at).value();
    struct stat status{};
    REQUIRE(::stat(image.rootfs.parent_path().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    REQUIRE(::stat((image.rootfs / "etc/hostname").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0644);
    if (::geteuid() == 0) {
        CHECK(status.st_uid == 1234);
        CHECK(status.st_gid == 4321);
    }
}

TEST_CASE("the same content is kept once, and can have two names") {
    const Fixture fixture;
    const auto tar = fixture.tar("one");
    const auto first = fixture.store.import_tar(tar, named("first"), created_at).value();
    fixture.directory.write("marker", "");
    fs::rename(fixture.directory.path() / "marker", first.rootfs / "marker");
    const auto second = fixture.store.import_tar(tar, named("second"), "later").value();
    CHECK(second.digest == first.digest);
    CHECK(second.created_at == created_at);
    CHECK(fs::exists(second.rootfs / "marker"));  // not unpacked again
    CHECK(fixture.content().size() == 1);
    const auto all = fixture.store.list().value();
    REQUIRE(all.size() == 2);
    CHECK(all[0].name == "first");
    CHECK(all[1].name == "second");
}

TEST_CASE("a name moves to new content, and the old stays for whoever runs on it") {
    const Fixture fixture;
    const auto old =
        fixture.store.import_tar(fixture.tar("one"), named("debian-12"), created_at).value();
    const auto now =
        fixture.store.import_tar(fixture.tar("two"), named("debian-12"), created_at).value();
    CHECK(now.digest != old.digest);
    CHECK(fixture.store.find(named("debian-12")).value().digest == now.digest);
    CHECK(fixture.store.find_digest(old.digest).value().rootfs == old.rootfs);
    CHECK(fixture.store.list().value().size() == 1);
}

TEST_CASE("an image that is not there is refused at /image, with the names that are") {
    const Fixture fixture;
    const auto none = fixture.store.find(named("debian-13"));
    REQUIRE_FALSE(none);
    CHECK(none.error().code == ErrorCode::not_found);
    CHECK(none.error().field == "/image");
    CHECK(none.error().hint.contains("build"));
    CHECK(fixture.store.list().value().empty());

    REQUIRE(fixture.store.import_tar(fixture.tar("one"), named("debian-12"), created_at));
    CHECK(fixture.store.find(named("debian-13")).error().hint.contains("debian-12"));
}

TEST_CASE("what is no digest of an image is not found, whatever path it spells") {
    const Fixture fixture;
    const auto image =
        fixture.store.import_tar(fixture.tar("one"), named("debian-12"), created_at).value();
    const std::string digest = GENERATE_COPY(
        std::string(), std::string("sha256:../names/debian-12"), "sha256:" + std::string(64, '0'),
        "sha256-" + image.digest.substr(7), image.digest + "0", image.digest.substr(0, 70));
    CAPTURE(digest);
    CHECK(fixture.store.find_digest(digest).error().code == ErrorCode::not_found);
}

TEST_CASE("an import that fails leaves nothing, and the names as they were") {
    const Fixture fixture;
    const auto before =
        fixture.store.import_tar(fixture.tar("one"), named("debian-12"), created_at).value();
    const auto content = fixture.content();
    SECTION("no archive") {
        const auto failed = fixture.store.import_tar(fixture.directory.path() / "no.tar",
                                                     named("debian-12"), created_at);
        CHECK(failed.error().code == ErrorCode::not_found);
    }
    SECTION("not an archive") {
        fixture.directory.write("bad.tar", "this is no tar");
        CHECK_FALSE(fixture.store.import_tar(fixture.directory.path() / "bad.tar",
                                             named("debian-12"), created_at));
    }
    SECTION("an archive cut off in the middle") {
        const auto tar = fixture.tar(std::string(100'000, 'x'));
        fs::resize_file(tar, 60'000);
        CHECK_FALSE(fixture.store.import_tar(tar, named("debian-12"), created_at));
    }
    CHECK(fixture.content() == content);
    CHECK(fixture.store.find(named("debian-12")).value().digest == before.digest);
}

TEST_CASE("an archive cannot write outside its root file system") {
    const Fixture fixture;
    fixture.directory.write("escaped", "inside the archive");
    const fs::path tar = fixture.directory.path() / "evil.tar";
    run_checked({.argv = {"tar", "-P", "-C", fixture.directory.path().string(), "-cf", tar.string(),
                          "--transform=s,^,../../../,", "escaped"}})
        .value();
    fs::remove(fixture.directory.path() / "escaped");
    CHECK_FALSE(fixture.store.import_tar(tar, named("evil"), created_at));
    CHECK_FALSE(fs::exists(fixture.directory.path() / "escaped"));
    CHECK_FALSE(fs::exists(fixture.store.root() / "escaped"));
}

TEST_CASE("a name whose image is gone, or is of a newer berth, is not passed off as an image") {
    const Fixture fixture;
    const auto image =
        fixture.store.import_tar(fixture.tar("one"), named("debian-12"), created_at).value();
    SECTION("gone") {
        REQUIRE(remove_tree(image.rootfs.parent_path()));
        CHECK(fixture.store.find(named("debian-12")).error().code == ErrorCode::not_found);
        CHECK(fixture.store.list().value().empty());
    }
    SECTION("newer") {
        const auto manifest = image.rootfs.parent_path() / "manifest.json";
        REQUIRE(write_file_atomically(manifest, R"({"version": 2})"));
        CHECK(fixture.store.find(named("debian-12")).error().code == ErrorCode::unsupported);
        CHECK(fixture.store.find_digest(image.digest).error().code == ErrorCode::unsupported);
    }
}

TEST_CASE("leftovers of an interrupted import are removed, and nothing else") {
    const Fixture fixture;
    CHECK(remove_leftovers(fixture.store));  // no directory yet
    const auto image =
        fixture.store.import_tar(fixture.tar("one"), named("debian-12"), created_at).value();
    fixture.directory.write("images/.import-0123/rootfs/etc/hostname", "half");
    fs::create_symlink("../sha256-0", fixture.store.root() / "names/.import-4567");
    REQUIRE(remove_leftovers(fixture.store));
    CHECK(fixture.content() == std::vector{"sha256-" + image.digest.substr(7)});
    CHECK_FALSE(fs::is_symlink(fixture.store.root() / "names/.import-4567"));
    CHECK(fixture.store.find(named("debian-12")));
}
