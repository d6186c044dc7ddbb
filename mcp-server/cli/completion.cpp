// SPDX-License-Identifier: Apache-2.0
// Both shells get the same three questions: which first word, which second, which option or value.
#include "mcp-server/cli/completion.h"

#include "mcp-server/cli/verbs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

namespace berth::cli {
namespace {

struct Candidates {
    std::map<std::string, std::set<std::string>> seconds;  // by first word
    std::map<std::string, std::set<std::string>> options;  // by verb
    std::map<std::string, std::set<std::string>> values;   // by verb and option
};

Candidates candidates() {
    Candidates all;
    all.seconds["completion"] = {"bash", "zsh"};
    all.seconds["ssh-config"] = {"sync"};
    all.options["ssh-config sync"] = {"--dir",     "--help", "--host",
                                      "--include", "--json", "--socket"};
    for (const auto& tool : tool_catalogue()) {
        const auto verb = verb_of(tool);
        all.seconds[verb.first].insert(verb.second);
        auto& options = all.options[verb.name()];
        options = {"--args", "--help", "--json", "--socket"};
        for (const auto& [name, property] : verb.properties.items()) {
            if (std::ranges::find(verb.positional, name) != verb.positional.end()) continue;
            const auto option = option_name(name, property);
            options.insert(option);
            if (!property.contains("enum")) continue;
            for (const auto& word : property["enum"]) {
                all.values[verb.name() + " " + option].insert(word.get<std::string>());
            }
        }
    }
    return all;
}

std::string cases(const std::map<std::string, std::set<std::string>>& by_key) {
    std::string text;
    for (const auto& [key, words] : by_key) {
        text += fmt::format("            '{}') words='{}' ;;\n", key, fmt::join(words, " "));
    }
    return text;
}

/// The part that reads the same in both shells; `first`, `second`, `before` are set above it.
std::string body() {
    const auto all = candidates();
    std::set<std::string> firsts;
    for (const auto& [first, seconds] : all.seconds) firsts.insert(first);
    return fmt::format(
        "    local words=''\n"
        "    if [[ $position -eq 1 ]]; then\n"
        "        words='{} --help --json --socket --version'\n"
        "    elif [[ $position -eq 2 ]]; then\n"
        "        case \"$first\" in\n{}        esac\n"
        "    else\n"
        "        case \"$first $second $before\" in\n{}        esac\n"
        "        if [[ -z $words && $current == -* ]]; then\n"
        "        case \"$first $second\" in\n{}        esac\n"
        "        fi\n"
        "    fi\n",
        fmt::join(firsts, " "), cases(all.seconds), cases(all.values), cases(all.options));
}

}  // namespace

std::string bash_completion() {
    return "# bash completion for berth: source <(berth completion bash)\n"
           "_berth() {\n"
           "    local position=$COMP_CWORD current=${COMP_WORDS[COMP_CWORD]}\n"
           "    local first=${COMP_WORDS[1]:-} second=${COMP_WORDS[2]:-}\n"
           "    local before=${COMP_WORDS[COMP_CWORD - 1]}\n" +
           body() +
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
           "}\n"
           "complete -o default -F _berth berth\n";
}

std::string zsh_completion() {
    return "#compdef berth\n"
           "# zsh completion for berth: source <(berth completion zsh)\n"
           "_berth() {\n"
           "    local position=$((CURRENT - 1)) current=${words[CURRENT]}\n"
           "    local first=${words[2]:-} second=${words[3]:-} before=${words[CURRENT - 1]}\n" +
           body() +
           "    if [[ -n $words ]]; then compadd -- ${=words}; else _files; fi\n"
           "}\n"
           "compdef _berth berth\n";
}

}  // namespace berth::cli
