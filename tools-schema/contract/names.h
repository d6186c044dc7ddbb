// SPDX-License-Identifier: Apache-2.0
// The strong types of the contract. Only parse() makes one, so a value that exists is valid, and
// the pattern in types.json that a model sees gives the same verdict (a test holds the two
// together).
#pragma once

#include "tools-schema/contract/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth {

/// A string that obeys the grammar `Rule`. Rule::check returns what is wrong, or "".
template <class Rule>
class Name {
public:
    [[nodiscard]] static Result<Name> parse(std::string_view text) {
        std::string problem = Rule::check(text);
        if (!problem.empty()) return fail(ErrorCode::invalid_argument, std::move(problem));
        return Name(std::string(text));
    }
    [[nodiscard]] const std::string& to_string() const { return text_; }
    auto operator<=>(const Name&) const = default;

private:
    explicit Name(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

struct ContainerNameRule {
    static std::string check(std::string_view text);
};
struct ImageNameRule {
    static std::string check(std::string_view text);
};
struct UserNameRule {
    static std::string check(std::string_view text);
};
struct AbsolutePathRule {
    static std::string check(std::string_view text);
};
struct EnvAssignmentRule {
    static std::string check(std::string_view text);
};
struct RequestIdRule {
    static std::string check(std::string_view text);
};
struct OperationIdRule {
    static std::string check(std::string_view text);
};
struct OutputIdRule {
    static std::string check(std::string_view text);
};
struct SnapshotNameRule {
    static std::string check(std::string_view text);
};
struct WarningIdRule {
    static std::string check(std::string_view text);
};
struct LabelRule {
    static std::string check(std::string_view text);
};
struct UnitNameRule {
    static std::string check(std::string_view text);
};

/// A DNS label, so that it can be a hostname: 1 to 63 of a-z, 0-9 and '-', starting with a letter,
/// not ending with '-'.
using ContainerName = Name<ContainerNameRule>;
/// An image by name, for example "debian-12": 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with
/// a letter or digit.
using ImageName = Name<ImageNameRule>;
/// A user inside a container: 1 to 32 of a-z, 0-9, '_' and '-', starting with a letter or '_'.
using UserName = Name<UserNameRule>;
/// An absolute path of at most 4,095 bytes with no NUL.
using AbsolutePath = Name<AbsolutePathRule>;
/// "NAME=value": NAME of letters, digits and '_' not starting with a digit; no NUL; at most 32 KiB.
using EnvAssignment = Name<EnvAssignmentRule>;
/// What a caller names one wish by, so that asking twice does it once: 1 to 64 printable ASCII
/// characters.
using RequestId = Name<RequestIdRule>;
/// "op_" and 26 of a-z and 0-9.
using OperationId = Name<OperationIdRule>;
/// 32 of 0-9 and a-f.
using OutputId = Name<OutputIdRule>;
/// A snapshot by name: as an image's.
using SnapshotName = Name<SnapshotNameRule>;
/// "wn_" and 26 of a-z and 0-9.
using WarningId = Name<WarningIdRule>;
/// "key=value": a key of 1 to 63 of a-z, 0-9, '.', '_' and '-' that starts with a letter; a value
/// of at most 255 characters of UTF-8, none of them a control character.
using Label = Name<LabelRule>;
/// A systemd unit: 1 to 255 of letters, digits, ':', '_', '.', '@', '\\' and '-'.
using UnitName = Name<UnitNameRule>;

/// One line of an OpenSSH public key file: "ssh-ed25519 AAAA… comment". Options in front are
/// refused, because a key given to berth grants a plain login and nothing else.
class SshPublicKey {
public:
    [[nodiscard]] static Result<SshPublicKey> parse(std::string_view text);
    /// "type base64 comment", the comment only when there is one.
    [[nodiscard]] const std::string& to_string() const { return text_; }
    [[nodiscard]] const std::string& type() const { return type_; }
    /// The key as OpenSSH writes it to the wire (RFC 4253 section 6.6).
    [[nodiscard]] const std::string& blob() const { return blob_; }
    bool operator==(const SshPublicKey& other) const { return blob_ == other.blob_; }

private:
    SshPublicKey() = default;
    std::string text_, type_, blob_;
};

/// A PCI function's address in its one canonical spelling, "0000:41:00.0".
class PciAddress {
public:
    [[nodiscard]] static Result<PciAddress> parse(std::string_view text);
    [[nodiscard]] static PciAddress of(std::uint16_t domain, std::uint8_t bus, std::uint8_t device,
                                       std::uint8_t function) {
        return {domain, bus, device, function};
    }
    [[nodiscard]] std::string to_string() const;
    auto operator<=>(const PciAddress&) const = default;

private:
    PciAddress(std::uint16_t domain, std::uint8_t bus, std::uint8_t device, std::uint8_t function)
        : domain_(domain), bus_(bus), device_(device), function_(function) {}
    std::uint16_t domain_;
    std::uint8_t bus_, device_, function_;
};

/// Decodes standard base64 with padding (RFC 4648 section 4); nothing on any other byte.
[[nodiscard]] Result<std::string> decode_base64(std::string_view text);
[[nodiscard]] std::string encode_base64(std::string_view bytes);

}  // namespace berth
