// SPDX-License-Identifier: Apache-2.0
// Keys are fetched from a server of the test's own on loopback, whose certificate is made here.
#include "mcp-server/auth/jwks_fetch.h"

#include "base/files.h"
#include "mcp-server/auth/jwk.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fmt/format.h>
#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <thread>

using namespace berth;
using namespace berth::auth;

namespace {

template <auto release>
struct Release {
    template <class T>
    void operator()(T* pointer) const noexcept {
        release(pointer);
    }
};

/// A certificate that vouches for itself, for the names given.
struct Certificate {
    std::unique_ptr<EVP_PKEY, Release<&::EVP_PKEY_free>> key{
        ::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
    std::unique_ptr<X509, Release<&::X509_free>> x509{::X509_new()};

    explicit Certificate(const std::string& names) {
        constexpr long hour_seconds = 3600;
        REQUIRE(::X509_set_version(x509.get(), 2) == 1);
        ::ASN1_INTEGER_set(::X509_get_serialNumber(x509.get()), 1);
        ::X509_gmtime_adj(::X509_getm_notBefore(x509.get()), -hour_seconds);
        ::X509_gmtime_adj(::X509_getm_notAfter(x509.get()), hour_seconds);
        ::X509_set_pubkey(x509.get(), key.get());
        X509_NAME* name = ::X509_get_subject_name(x509.get());
        const auto* common = reinterpret_cast<const unsigned char*>("berth test");
        ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0);
        ::X509_set_issuer_name(x509.get(), name);
        X509_EXTENSION* extension =
            ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
        REQUIRE(extension != nullptr);
        ::X509_add_ext(x509.get(), extension, -1);
        ::X509_EXTENSION_free(extension);
        REQUIRE(::X509_sign(x509.get(), key.get(), ::EVP_sha256()) > 0);
    }
    [[nodiscard]] std::string pem() const {
        const std::unique_ptr<BIO, Release<&::BIO_free_all>> out(::BIO_new(::BIO_s_mem()));
        REQUIRE(::PEM_write_bio_X509(out.get(), x509.get()) == 1);
        char* bytes = nullptr;
        const long count = BIO_get_mem_data(out.get(), &bytes);
        return {bytes, static_cast<std::size_t>(count)};
    }
};

/// Answers on a free port of 127.0.0.1 until it goes out of scope.
class Answering {
public:
    explicit Answering(httplib::Server& server) : server_(server) {
        server.Get("/keys", [](const httplib::Request&, httplib::Response& answer) {
            answer.set_content("keys", "application/json");
        });
        server.Get("/moved", [](const httplib::Request&, httplib::Response& answer) {
            answer.set_redirect("/keys");
        });
        server.Get("/large", [](const httplib::Request&, httplib::Response& answer) {
            answer.set_content(std::string(jwks_bytes_max + 1, 'x'), "application/json");
        });
        port_ = server.bind_to_any_port("127.0.0.1");
        thread_ = std::thread([&server] { server.listen_after_bind(); });
        while (!server.is_running()) std::this_thread::yield();
    }
    Answering(const Answering&) = delete;
    Answering& operator=(const Answering&) = delete;
    ~Answering() {
        server_.stop();
        thread_.join();
    }
    [[nodiscard]] int port() const { return port_; }

private:
    httplib::Server& server_;
    int port_ = 0;
    std::thread thread_;
};

Result<std::string> fetch(const std::string& url, const std::string& ca_file = "") {
    return fetch_jwks(BERTH_TRY(JwksUrl::parse(url)), ca_file);
}

}  // namespace

TEST_CASE("keys come over http from this machine, and only as one plain answer", "[jwks_fetch]") {
    httplib::Server server;
    const Answering answering(server);
    const std::string base = fmt::format("http://127.0.0.1:{}", answering.port());
    CHECK(fetch(base + "/keys") == "keys");
    CHECK(fetch(fmt::format("http://localhost:{}/keys", answering.port())) == "keys");
    CHECK_FALSE(fetch(base + "/moved"));
    CHECK_FALSE(fetch(base + "/nosuch"));
    const auto large = fetch(base + "/large");
    REQUIRE_FALSE(large);
    CHECK(large.error().code == ErrorCode::quota_exceeded);
}

TEST_CASE("over https the server's certificate must be vouched for and be for its name",
          "[jwks_fetch]") {
    const TemporaryDirectory directory;
    const Certificate certificate("IP:127.0.0.1");
    directory.write("ca.pem", certificate.pem());
    const std::string ca_file = directory.path() / "ca.pem";
    httplib::SSLServer server(certificate.x509.get(), certificate.key.get());
    REQUIRE(server.is_valid());
    const Answering answering(server);
    const std::string url = fmt::format("https://127.0.0.1:{}/keys", answering.port());
    CHECK(fetch(url, ca_file) == "keys");

    SECTION("by nobody: refused") {
        const auto refused = fetch(url);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ErrorCode::unavailable);
    }
    SECTION("for another name: refused") {
        CHECK_FALSE(fetch(fmt::format("https://localhost:{}/keys", answering.port()), ca_file));
    }
    SECTION("by authorities that are not there: refused") {
        CHECK_FALSE(fetch(url, directory.path() / "nosuch.pem"));
        directory.write("empty.pem", "");
        CHECK_FALSE(fetch(url, directory.path() / "empty.pem"));
    }
    SECTION("a plain request is no https") {
        CHECK_FALSE(fetch(fmt::format("http://127.0.0.1:{}/keys", answering.port())));
    }
}

TEST_CASE("nobody listening is an answer", "[jwks_fetch]") {
    const auto refused = fetch("http://127.0.0.1:1/keys");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unavailable);
}

TEST_CASE("a URL of keys is https, or http on this machine", "[jwks_fetch]") {
    const auto url = JwksUrl::parse("https://as.example/realms/a/keys?x=1");
    REQUIRE(url);
    CHECK(url->tls);
    CHECK(url->host == "as.example");
    CHECK(url->port == 443);
    CHECK(url->path == "/realms/a/keys?x=1");
    CHECK(JwksUrl::parse("https://[::1]:8443")->port == 8443);
    CHECK(JwksUrl::parse("https://[::1]:8443")->host == "::1");
    CHECK(JwksUrl::parse("https://[::1]:8443")->path == "/");
    CHECK(JwksUrl::parse("http://127.9.9.9/k")->port == 80);
    for (const char* wrong :
         {"", "as.example/keys", "http://as.example/keys", "ftp://127.0.0.1/", "https://",
          "https:///keys", "https://a@b/keys", "https://as.example:0/", "https://as.example:65536/",
          "https://as.example:x/", "https://[::1/keys", "https://as.example/a b",
          "https://as.example/#a", "https://as.example\r\nX: y/", "http://127.0.0.1.example/k",
          "http://localhost@evil.example/k"}) {
        CAPTURE(wrong);
        CHECK_FALSE(JwksUrl::parse(wrong));
    }
}
