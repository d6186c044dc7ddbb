// SPDX-License-Identifier: Apache-2.0
// Settings that may come from a flag, from the environment or from a file, and the memory of which
// it was: a value that is wrong is reported where it stands.
#pragma once

#include "mcp-server/config/config.h"
#include "tools-schema/contract/result.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

/// The value of an environment variable, or nothing.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
[[nodiscard]] std::optional<std::string> process_environment(const std::string& name);

/// "oauth.jwks_url" as "--oauth-jwks-url".
[[nodiscard]] std::string flag_name(std::string_view key);
/// "oauth.jwks_url" as "BERTH_MCP_OAUTH_JWKS_URL".
[[nodiscard]] std::string environment_name(std::string_view key);

/// Each getter takes the flag's value, else the environment's, else the file's; nothing when none
/// of them says anything. A variable that is set and empty says nothing.
class Settings {
public:
    Settings(ConfigFile file, Environment environment)
        : file_(std::move(file)), environment_(std::move(environment)) {}

    template <class T>
    using Maybe = std::optional<T>;
    using Names = std::vector<std::string>;

    [[nodiscard]] Maybe<std::string> text(std::string_view key, const Maybe<std::string>& flag);
    /// In the environment: separated by commas.
    [[nodiscard]] Maybe<Names> names(std::string_view key, const Maybe<Names>& flag);
    [[nodiscard]] Maybe<bool> boolean(std::string_view key, const Maybe<bool>& flag);
    [[nodiscard]] Maybe<std::int64_t> integer(std::string_view key, const Maybe<std::int64_t>& flag,
                                              std::int64_t minimum, std::int64_t maximum);

    /// Adds a problem with the value that was got for that key.
    void reject(std::string_view key, const std::string& why);

    /// For what only a file can say.
    [[nodiscard]] ConfigFile& file() { return file_; }

    /// invalid_argument with every problem there is.
    [[nodiscard]] Result<> finish();

private:
    [[nodiscard]] Maybe<std::string> variable(std::string_view key, bool flag_is_given);

    ConfigFile file_;
    Environment environment_;
    std::map<std::string, std::string, std::less<>> origins_;  // of what is not from the file
    std::vector<std::string> problems_;
};

}  // namespace berth
