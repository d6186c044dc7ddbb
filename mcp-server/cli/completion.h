// SPDX-License-Identifier: Apache-2.0
// Completion scripts, made from the catalogue.
#pragma once

#include <string>

namespace berth::cli {

[[nodiscard]] std::string bash_completion();
[[nodiscard]] std::string zsh_completion();

}  // namespace berth::cli
