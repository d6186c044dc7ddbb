// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/client_authority.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <string>

using namespace berth;
using namespace berth::tunnel;

namespace {

constexpr long hour = 3600;

struct Signed {
    X509* certificate = X509_new();
    EVP_PKEY* key = EVP_EC_gen("P-256");
    Signed() = default;
    Signed(const Signed&) = delete;
    Signed& operator=(const Signed&) = delete;
    ~Signed() {
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
};

void extend(Signed& one, int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
    REQUIRE(extension != nullptr);
    X509_add_ext(one.certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/// By itself, or by `issuer`.
void certify(Signed& one, const char* name, const Signed* issuer = nullptr,
             const char* names = nullptr, long seconds = hour, const char* use = "clientAuth") {
    X509_set_version(one.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(one.certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(one.certificate), -2 * hour);
    X509_gmtime_adj(X509_getm_notAfter(one.certificate), seconds);
    X509_set_pubkey(one.certificate, one.key);
    X509_NAME* const subject = X509_get_subject_name(one.certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    const Signed& by = issuer == nullptr ? one : *issuer;
    X509_set_issuer_name(one.certificate, X509_get_subject_name(by.certificate));
    extend(one, NID_basic_constraints, issuer == nullptr ? "CA:TRUE" : "CA:FALSE");
    if (issuer != nullptr) extend(one, NID_ext_key_usage, use);
    if (names != nullptr) extend(one, NID_subject_alt_name, names);
    X509_sign(one.certificate, by.key, EVP_sha256());
}

/// A list of the issuer's that revokes the one serial number there is.
X509_CRL* revocation(const Signed& issuer) {
    X509_CRL* const list = X509_CRL_new();
    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer.certificate));
    ASN1_TIME* const now = X509_gmtime_adj(nullptr, -hour);
    ASN1_TIME* const later = X509_gmtime_adj(nullptr, hour);
    X509_CRL_set1_lastUpdate(list, now);
    X509_CRL_set1_nextUpdate(list, later);
    X509_REVOKED* const entry = X509_REVOKED_new();
    ASN1_INTEGER* const serial = ASN1_INTEGER_new();
    ASN1_INTEGER_set(serial, 7);
    X509_REVOKED_set_serialNumber(entry, serial);
    X509_REVOKED_set_revocationDate(entry, now);
    X509_CRL_add0_revoked(list, entry);
    X509_CRL_sign(list, issuer.key, EVP_sha256());
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(now);
    ASN1_TIME_free(later);
    return list;
}

std::filesystem::path write(const std::filesystem::path& file, const Signed& authority,
                            bool revoking = false) {
    FILE* const out = std::fopen(file.c_str(), "w");
    PEM_write_X509(out, authority.certificate);
    if (revoking) {
        X509_CRL* const list = revocation(authority);
        PEM_write_X509_CRL(out, list);
        X509_CRL_free(list);
    }
    std::fclose(out);
    return file;
}

ShownCertificate show(const Signed& one) {
    X509_up_ref(one.certificate);
    ShownCertificate shown{
        .chain = {sk_X509_new_null(),
                  [](STACK_OF(X509) * all) { sk_X509_pop_free(all, X509_free); }},
        .fingerprint = "x"};
    sk_X509_push(shown.chain.get(), one.certificate);
    return shown;
}

}  // namespace

TEST_CASE("a certificate that the authority has signed names its pools", "[tunnel]") {
    const TemporaryDirectory directory;
    Signed authority;
    certify(authority, "authority");
    const auto loaded = ClientAuthority::load(write(directory.path() / "ca.pem", authority));
    REQUIRE(loaded);
    Signed host;

    SECTION("by names of its own kind alone, in their order") {
        certify(host, "host", &authority,
                "URI:berth-pool:prod,DNS:berth-pool,URI:https://lab,URI:berth-pool:lab");
        const auto pools = (*loaded)->pools_of(show(host));
        REQUIRE(pools);
        CHECK(*pools == std::vector<std::string>{"prod", "lab"});
    }
    SECTION("or none") {
        certify(host, "host", &authority);
        const auto pools = (*loaded)->pools_of(show(host));
        REQUIRE(pools);
        CHECK(pools->empty());
    }
}

TEST_CASE("a certificate that the authority does not vouch for is refused with the reason",
          "[tunnel]") {
    const TemporaryDirectory directory;
    Signed authority, other, host;
    certify(authority, "authority");
    certify(other, "authority");  // the same name, and another key
    bool revoking = false;
    std::string reason;
    SECTION("signed by another authority") {
        certify(host, "host", &other, "URI:berth-pool:lab");
        reason = "certificate signature failure";
    }
    SECTION("by itself") {
        certify(host, "host", nullptr, "URI:berth-pool:lab");
        reason = "self-signed certificate";
    }
    SECTION("expired") {
        certify(host, "host", &authority, "URI:berth-pool:lab", -hour);
        reason = "certificate has expired";
    }
    SECTION("for servers") {
        certify(host, "host", &authority, "URI:berth-pool:lab", hour, "serverAuth");
        reason = "unsuitable certificate purpose";
    }
    SECTION("revoked by a list in the file") {
        certify(host, "host", &authority, "URI:berth-pool:lab");
        revoking = true;
        reason = "certificate revoked";
    }
    const auto loaded =
        ClientAuthority::load(write(directory.path() / "ca.pem", authority, revoking));
    REQUIRE(loaded);
    const auto pools = (*loaded)->pools_of(show(host));
    REQUIRE_FALSE(pools);
    CHECK(pools.error().code == ErrorCode::denied);
    CAPTURE(pools.error().message);
    CHECK(pools.error().message.contains(reason));
    CHECK_FALSE((*loaded)->pools_of({}));
}

TEST_CASE("a file without an authority is refused", "[tunnel]") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "ca.pem";
    CHECK_FALSE(ClientAuthority::load(file));
    std::ofstream(file) << "no certificate\n";
    const auto loaded = ClientAuthority::load(file);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().message.contains("ca.pem"));
}
