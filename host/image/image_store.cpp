// SPDX-License-Identifier: Apache-2.0
#include "host/image/image_store.h"

#include "base/fd.h"
#include "base/files.h"
#include "base/rollback.h"
#include "base/subprocess.h"
#include "tools-schema/contract/json.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <system_error>

namespace berth::image {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view digest_prefix = "sha256:";
constexpr std::size_t digest_characters = 64;
constexpr std::string_view leftover_prefix = ".import-";
constexpr int manifest_version = 1;
constexpr mode_t root_only = 0700;  // an image holds set-user-id programs that no host user may run

struct FreeDigest {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

bool is_digest(std::string_view text) {
    return text.starts_with(digest_prefix) &&
           text.size() == digest_prefix.size() + digest_characters &&
           text.find_first_not_of("0123456789abcdef", digest_prefix.size()) == text.npos;
}

/// "sha256:…" as a directory name, "sha256-…".
std::string directory_name(std::string_view digest) {
    return "sha256-" + std::string(digest.substr(digest_prefix.size()));
}

Result<std::string> digest_of(const fs::path& file) {
    const std::string doing = fmt::format("read '{}'", file.string());
    const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail(system_error(doing, errno));
    const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    bool hashed = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
    std::vector<char> chunk(1024 * 1024);
    ssize_t got = 0;
    while ((got = ::read(fd.get(), chunk.data(), chunk.size())) > 0) {
        hashed = hashed &&
                 EVP_DigestUpdate(context.get(), chunk.data(), static_cast<std::size_t>(got)) == 1;
    }
    if (got < 0) return fail(system_error(doing, errno));
    if (!hashed || EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1) {
        return fail(ErrorCode::unavailable, "OpenSSL cannot compute SHA-256");
    }
    return fmt::format("{}{:02x}", digest_prefix,
                       fmt::join(digest.begin(), digest.begin() + digest_characters / 2, ""));
}

/// The image in `directory`, with no name.
Result<Image> read_image(const fs::path& directory) {
    const fs::path file = directory / "manifest.json";
    const std::string content = BERTH_TRY(read_file(file));
    const Json manifest = BERTH_TRY(parse_json(content));
    const auto text = [&manifest](std::string_view key) {
        const auto found = manifest.find(key);
        return found != manifest.end() && found->is_string() ? found->get<std::string>() : "";
    };
    Image image{.name = "",
                .digest = text("digest"),
                .created_at = text("created_at"),
                .rootfs = directory / "rootfs"};
    if (manifest.value("version", 0) != manifest_version || !is_digest(image.digest)) {
        return fail(ErrorCode::unsupported, fmt::format("'{}' is no manifest of version {}",
                                                        file.string(), manifest_version));
    }
    return image;
}

/// The image that a name's link leads to; nothing when there is no such name, or its image is gone.
Result<std::optional<Image>> read_named(const fs::path& root, const std::string& name) {
    std::error_code problem;
    const auto target = fs::read_symlink(root / "names" / name, problem);
    if (problem) return std::nullopt;
    auto image = read_image(root / target.filename());
    if (!image && image.error().code == ErrorCode::not_found) return std::nullopt;
    if (!image) return fail(std::move(image).error().in(fmt::format("image '{}'", name)));
    image->name = name;
    return *std::move(image);
}

Result<> rename_to(const fs::path& from, const fs::path& to) {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return fail(system_error(fmt::format("rename '{}'", from.string()), errno));
}

/// Makes everything written below `directory` durable, so that a name never leads to half an image.
Result<> sync_file_system(const fs::path& directory) {
    const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd && ::syncfs(fd.get()) == 0) return {};
    return fail(system_error(fmt::format("sync '{}'", directory.string()), errno));
}

Result<> unpack(const fs::path& tar, const fs::path& directory) {
    constexpr auto time_max = std::chrono::minutes(15);
    BERTH_TRY(make_directories(directory));
    BERTH_TRY(run_checked({.argv = {"tar", "--numeric-owner", "--xattrs", "--xattrs-include=*",
                                    "-xpf", fs::absolute(tar).string(), "-C", directory.string()},
                           .timeout = time_max}));
    return {};
}

/// Puts a whole image in its place under its digest; one that is there already stays.
Result<> place(const ImageStore& store, const fs::path& tar, const Image& image) {
    const fs::path made = store.root() / (std::string(leftover_prefix) + random_hex(8));
    Rollback undo;
    undo.on_failure([made]() noexcept { (void)remove_tree(made); });
    BERTH_TRY(make_directories(made, root_only));
    BERTH_TRY(unpack(tar, made / "rootfs"));
    BERTH_TRY(write_file_atomically(made / "manifest.json",
                                    to_text(Json{{"version", manifest_version},
                                                 {"digest", image.digest},
                                                 {"created_at", image.created_at}}) +
                                        "\n"));
    BERTH_TRY(sync_file_system(made));
    BERTH_TRY(rename_to(made, store.root() / directory_name(image.digest)));
    undo.keep();
    return {};
}

Result<> link_name(const fs::path& root, const std::string& name, std::string_view digest) {
    const fs::path made = root / "names" / (std::string(leftover_prefix) + random_hex(8));
    const fs::path target = fs::path("..") / directory_name(digest);
    BERTH_TRY(make_directories(root / "names", root_only));
    if (::symlink(target.c_str(), made.c_str()) != 0) {
        return fail(system_error(fmt::format("link '{}'", made.string()), errno));
    }
    Rollback undo;
    undo.on_failure([made]() noexcept { (void)::unlink(made.c_str()); });
    BERTH_TRY(rename_to(made, root / "names" / name));
    undo.keep();
    return sync_file_system(root);
}

}  // namespace

Result<Image> ImageStore::find(const ImageName& name) const {
    if (auto image = BERTH_TRY(read_named(root_, name.to_string()))) return *std::move(image);
    std::vector<std::string> names;
    for (const auto& image : BERTH_TRY(list())) names.push_back(image.name);
    auto error =
        make_error(ErrorCode::not_found, fmt::format("no image is named '{}'", name.to_string()))
            .at("/image");
    if (names.empty()) {
        return fail(
            std::move(error).next("there is no image yet: run `berthd image build` on the host"));
    }
    return fail(std::move(error)
                    .next(fmt::format("the images are: {}", fmt::join(names, ", ")))
                    .call("system_info", Json::object()));
}

Result<Image> ImageStore::find_digest(std::string_view digest) const {
    Error gone = make_error(ErrorCode::not_found, fmt::format("no image has digest '{}'", digest));
    if (!is_digest(digest)) return fail(std::move(gone));
    auto image = read_image(root_ / directory_name(digest));
    if (!image && image.error().code == ErrorCode::not_found) return fail(std::move(gone));
    return image;
}

Result<std::vector<Image>> ImageStore::list() const {
    std::vector<Image> images;
    std::error_code problem;
    for (fs::directory_iterator entry(root_ / "names", problem), end; !problem && entry != end;
         entry.increment(problem)) {
        const std::string name = entry->path().filename().string();
        if (!ImageName::parse(name)) continue;  // a link being made
        if (auto image = BERTH_TRY(read_named(root_, name))) images.push_back(*std::move(image));
    }
    if (problem && problem != std::errc::no_such_file_or_directory) {
        return fail(system_error(fmt::format("list '{}'", root_.string()), problem.value()));
    }
    std::ranges::sort(images, {}, &Image::name);
    return images;
}

Result<Image> ImageStore::import_tar(const fs::path& tar, const ImageName& name,
                                     std::string created_at) const {
    const auto digest = digest_of(tar);
    if (!digest) return fail(Error(digest.error()).in("import an image"));
    BERTH_TRY(make_directories(root_, root_only));
    if (!find_digest(*digest)) {
        const Image made{
            .name = "", .digest = *digest, .created_at = std::move(created_at), .rootfs = {}};
        auto placed = place(*this, tar, made);
        // Another import of the same content may have been faster; its image is as good.
        if (!placed && !find_digest(*digest)) {
            return fail(std::move(placed).error().in("import an image"));
        }
    }
    BERTH_TRY(link_name(root_, name.to_string(), *digest));
    return find(name);
}

Result<> remove_leftovers(const ImageStore& store) {
    for (const fs::path& directory : {store.root(), store.root() / "names"}) {
        std::error_code problem;
        std::vector<fs::path> leftovers;
        for (fs::directory_iterator entry(directory, problem), end; !problem && entry != end;
             entry.increment(problem)) {
            const std::string name = entry->path().filename().string();
            if (name.starts_with(leftover_prefix)) leftovers.push_back(entry->path());
        }
        if (problem && problem != std::errc::no_such_file_or_directory) {
            return fail(
                system_error(fmt::format("list '{}'", directory.string()), problem.value()));
        }
        for (const auto& path : leftovers) BERTH_TRY(remove_tree(path));
    }
    return {};
}

}  // namespace berth::image
