// SPDX-License-Identifier: Apache-2.0
// One entry into a JSON file and out of it again, by changing the text where the entry stands:
// every other byte stays, comments included.
#pragma once

#include "tools-schema/contract/json.h"

#include <string>
#include <string_view>

namespace berth::clients {

/// The text with `entry` as member `name` of the top level's member `list`, which is made when it
/// is not there. In the style of the file: its indentation, its line ends, and on one line when the
/// file is. An entry of that name is replaced. invalid_argument when the file cannot be understood.
[[nodiscard]] Result<std::string> add_to_json(const std::string& text, const std::string& list,
                                              const std::string& name, const Json& entry);

/// The text without that entry, the reverse of the above; with `list_too` the list goes as well
/// when nothing else is in it. not_found when there is no such entry.
[[nodiscard]] Result<std::string> remove_from_json(const std::string& text, const std::string& list,
                                                   const std::string& name, bool list_too);

}  // namespace berth::clients
