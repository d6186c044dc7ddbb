// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tls/client_hello.h"

#include "base/byte_reader.h"

#include <algorithm>
#include <optional>
#include <string>

namespace berth::sentinel {
namespace {

constexpr std::size_t record_header_bytes = 5;
constexpr std::size_t record_bytes_max = 16384;  // RFC 8446 section 5.1
constexpr std::size_t message_header_bytes = 4;
constexpr char content_handshake = 22;
constexpr char version_major = 3;
constexpr char version_minor_max = 4;
constexpr char handshake_client_hello = 1;
constexpr std::size_t random_bytes = 32;
constexpr std::size_t session_id_bytes_max = 32;
constexpr std::uint32_t extension_server_name = 0;
constexpr std::uint32_t extension_protocols = 16;  // RFC 7301
constexpr std::uint32_t name_type_host = 0;

/// Whether this can be the begin of a record of the handshake, as far as it has come.
bool may_be_handshake(std::string_view record) {
    if (!record.empty() && record[0] != content_handshake) return false;
    if (record.size() > 1 && record[1] != version_major) return false;
    return record.size() <= 2 || static_cast<std::uint8_t>(record[2]) <= version_minor_max;
}

std::size_t length_of_record(std::string_view record) {
    return ByteReader(record.substr(3)).number(2).value_or(0);
}

/// The message out of its records, all of which have come as far as the message needs.
std::string join_records(std::string_view all, std::size_t bytes) {
    std::string message;
    message.reserve(bytes);
    while (message.size() < bytes) {
        const std::size_t length = length_of_record(all);
        message += all.substr(record_header_bytes, std::min(length, bytes - message.size()));
        all.remove_prefix(std::min(all.size(), record_header_bytes + length));
    }
    return message;
}

/// The one name in a server_name extension. Other types than host_name were never defined, and a
/// second name would leave it to the reader which one counts.
std::optional<std::string_view> only_name(std::string_view extension) {
    ByteReader reader(extension);
    const auto list = reader.block(2);
    if (!list || !reader.done()) return std::nullopt;
    ByteReader names(*list);
    if (names.number(1) != name_type_host) return std::nullopt;
    const auto name = names.block(2);
    return names.done() ? name : std::nullopt;
}

bool is_tunnel_alone(std::string_view extension) {
    ByteReader reader(extension);
    const auto list = reader.block(2);
    if (!list || !reader.done()) return false;
    ByteReader names(*list);
    return names.block(1) == tunnel_protocol && names.done();
}

/// Everything of the message up to its extensions is there and has a possible length.
bool skip_to_extensions(ByteReader& message) {
    if (!message.take(message_header_bytes + 2 + random_bytes)) return false;
    const auto session_id = message.block(1);
    const auto cipher_suites = message.block(2);
    const auto compressions = message.block(1);
    return session_id && session_id->size() <= session_id_bytes_max && cipher_suites &&
           cipher_suites->size() >= 2 && cipher_suites->size() % 2 == 0 && compressions &&
           !compressions->empty();
}

}  // namespace

HelloState HelloReader::read(std::string_view all) {
    while (true) {
        const std::string_view record = all.substr(record_);
        if (!may_be_handshake(record)) {
            return carried_ == 0 ? HelloState::not_tls : HelloState::malformed;
        }
        if (record.size() < record_header_bytes) return HelloState::need_more;
        const std::size_t length = length_of_record(record);
        if (length == 0 || length > record_bytes_max) {
            return carried_ == 0 ? HelloState::not_tls : HelloState::malformed;
        }
        const std::string_view part = record.substr(record_header_bytes, length);
        const std::size_t have = carried_ + part.size();
        const std::size_t bytes = message_bytes(part);
        if (have > 0 && header_[0] != handshake_client_hello) return HelloState::not_tls;
        if (bytes > hello_bytes_max) return HelloState::malformed;
        if (bytes > 0 && have >= bytes) {
            // Nearly always all of it is in one record, and needs no copy.
            return carried_ == 0 ? read_message(part.substr(0, bytes))
                                 : read_message(join_records(all, bytes));
        }
        if (part.size() < length) return HelloState::need_more;
        record_ += record_header_bytes + length;
        carried_ = have;
    }
}

/// The length of the whole message, whose header may be cut too; 0 while it is not known.
std::size_t HelloReader::message_bytes(std::string_view part) {
    for (std::size_t at = carried_; at < header_.size() && at - carried_ < part.size(); ++at) {
        header_[at] = part[at - carried_];
    }
    if (carried_ + part.size() < header_.size()) return 0;
    const std::string_view header(header_.data(), header_.size());
    return header.size() + ByteReader(header.substr(1)).number(3).value_or(0);
}

HelloState HelloReader::read_message(std::string_view message) {
    ByteReader reader(message);
    if (!skip_to_extensions(reader)) return HelloState::malformed;
    if (reader.done()) return HelloState::no_name;  // TLS 1.0 clients may send no extensions
    const auto all_extensions = reader.block(2);
    if (!all_extensions || !reader.done()) return HelloState::malformed;
    ByteReader extensions(*all_extensions);
    std::optional<std::string_view> found;
    while (!extensions.done()) {
        const auto type = extensions.number(2);
        const auto body = extensions.block(2);
        if (!type || !body) return HelloState::malformed;
        if (*type == extension_protocols) wants_tunnel_ = is_tunnel_alone(*body);
        if (*type != extension_server_name) continue;
        if (found) return HelloState::malformed;  // RFC 8446 section 4.2: one of a type
        found = only_name(*body);
        if (!found) return HelloState::malformed;
    }
    if (!found) return HelloState::no_name;
    const auto name = ServerName::parse(*found);
    if (!name) return HelloState::bad_name;
    name_ = *name;
    return HelloState::named;
}

}  // namespace berth::sentinel
