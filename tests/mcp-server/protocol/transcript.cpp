// SPDX-License-Identifier: Apache-2.0
#include "transcript.h"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <stdexcept>

namespace berth::mcp {
namespace {

void replace_all(std::string& text, const std::string& what, const std::string& with) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
        text.replace(at, what.size(), with);
    }
}

std::string name_at(std::string_view text) {
    const auto end = std::ranges::find_if_not(
        text, [](unsigned char letter) { return std::isalnum(letter) || letter == '_'; });
    return {text.begin(), end};
}

/// %{100:[} as a hundred times [.
std::string repeated(std::string_view text) {
    const std::size_t colon = text.find(':');
    std::string out;
    for (int left = std::stoi(std::string(text.substr(0, colon))); left > 0; --left) {
        out += text.substr(colon + 1);
    }
    return out;
}

}  // namespace

Transcript::Transcript(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        for (const auto& [name, snippet] : snippets_) replace_all(line, "%" + name + "%", snippet);
        add(line);
    }
}

void Transcript::add(const std::string& line) {
    const char kind = line.empty() ? '#' : line.front();
    const std::string rest = line.size() > 2 ? line.substr(2) : "";
    if (std::string_view("><~*").contains(kind)) {
        steps_.push_back({.kind = kind, .text = rest});
    } else if (kind == '=') {
        const std::size_t space = rest.find(' ');
        snippets_[rest.substr(0, space)] = rest.substr(space + 1);
    } else if (rest.starts_with("only ")) {
        only_ = rest.substr(5);
    } else if (kind == '@') {
        std::istringstream words(rest);
        std::string word, version, capabilities;
        words >> word >> version;
        std::getline(words, capabilities);
        open(version, capabilities.empty() ? Json::object() : Json::parse(capabilities));
    } else if (!std::string_view("#!^").contains(kind)) {
        throw std::runtime_error("no such line: " + line);
    }
}

void Transcript::open(const std::string& version, const Json& capabilities) {
    const Json params = {{"protocolVersion", version},
                         {"capabilities", capabilities},
                         {"clientInfo", {{"name", "transcript"}, {"version", "1"}}}};
    const auto add_step = [this](char kind, const Json& message) {
        steps_.push_back({.kind = kind, .text = to_text(message)});
    };
    add_step('>',
             {{"jsonrpc", "2.0"}, {"id", "open"}, {"method", "initialize"}, {"params", params}});
    add_step('<', {{"id", "open"}, {"result", {{"protocolVersion", version}}}});
    add_step('>', {{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}});
}

std::string Transcript::outgoing(std::string_view text) const {
    std::string out;
    while (!text.empty()) {
        const bool quoted = text.starts_with("\"$");
        const std::string name =
            text.starts_with('$') || quoted ? name_at(text.substr(quoted + 1U)) : "";
        const auto kept = kept_.find(name);
        const std::size_t end = name.size() + quoted + 1U;
        if (kept != kept_.end() && quoted && text.substr(end).starts_with('"')) {
            out += to_text(kept->second);
            text.remove_prefix(end + 1);
        } else if (kept != kept_.end() && !quoted) {
            out += kept->second.get<std::string>();
            text.remove_prefix(end);
        } else if (text.starts_with("\\x")) {
            out += static_cast<char>(std::stoi(std::string(text.substr(2, 2)), nullptr, 16));
            text.remove_prefix(4);
        } else if (text.starts_with("%{")) {
            const std::size_t close = text.find('}');
            out += repeated(text.substr(2, close - 2));
            text.remove_prefix(close + 1);
        } else {
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

bool Transcript::matches(const Json& expected, const Json& actual) {
    if (expected == "?") return true;
    if (expected == "*") return actual.is_string();
    if (expected.is_string() && expected.get_ref<const std::string&>().starts_with('$')) {
        return kept_.try_emplace(expected.get<std::string>().substr(1), actual).first->second ==
               actual;
    }
    if (expected.is_object()) {
        return actual.is_object() && std::ranges::all_of(expected.items(), [&](const auto& item) {
                   if (item.value().is_null()) return !actual.contains(item.key());
                   return actual.contains(item.key()) && matches(item.value(), actual[item.key()]);
               });
    }
    if (expected.is_array()) return matches_array(expected, actual);
    return expected == actual;
}

bool Transcript::matches_array(const Json& expected, const Json& actual) {
    if (!actual.is_array()) return false;
    const bool open_ended = !expected.empty() && expected.back() == "...";
    const std::size_t size = expected.size() - (open_ended ? 1 : 0);
    if (open_ended ? actual.size() < size : actual.size() != size) return false;
    for (std::size_t i = 0; i < size; ++i) {
        if (!matches(expected[i], actual[i])) return false;
    }
    return true;
}

}  // namespace berth::mcp
