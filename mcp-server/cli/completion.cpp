// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/completion.h"

#include "mcp-server/cli/text.h"
#include "mcp-server/cli/verbs.h"
#include "mcp-server/clients/client_configs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

namespace berth::cli {
namespace {

/// A candidate ends up on a command line, so a daemon's word that a shell could read as more than a
/// word is no candidate.
constexpr std::string_view word_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-";

/// Where the names of something come from.
struct Listing {
    std::string_view tool;
    std::string_view list;
    std::string_view word;
    std::string_view about;
};
constexpr Listing containers{"container_list", "containers", "name", "state"};
constexpr Listing images{"system_info", "images", "name", "digest"};
constexpr Listing gpus{"gpu_list", "gpus", "address", "device"};
constexpr Listing ports{"port_list", "ports", "host_port", "container"};
constexpr Listing operations{"operation_list", "operations", "id", "tool"};
constexpr Listing pools{"pool_list", "pools", "name", ""};
constexpr Listing warnings{"warning_list", "warnings", "id", "entity"};

/// One option, or one word of a verb without an option.
struct Slot {
    std::string name;  // "--state"; "" for a word of the verb
    std::string about = {};
    bool takes_value = true;
    Words values = {};
    const Listing* listing = nullptr;
    bool files = false;
};

struct Grammar {
    std::vector<Slot> options = {};
    std::vector<Slot> positionals = {};
    bool command_follows = false;  // whatever comes behind the positionals is somebody else's
};

std::string first_sentence(const std::string& text) {
    return text.substr(0, std::min(text.find(". "), text.find_last_not_of('.') + 1));
}

const std::vector<Slot>& global_options() {
    static const std::vector<Slot> all{
        {.name = "--json", .about = "Print the result as JSON", .takes_value = false},
        {.name = "--color", .about = "When to use colours", .values = {"auto", "always", "never"}},
        {.name = "--socket", .about = "The socket of berthd", .files = true},
        {.name = "--help", .about = "Show what there is", .takes_value = false}};
    return all;
}

Words client_choices() {
    Words names;
    for (const auto& client : clients::all_clients()) names.emplace_back(client.name);
    return names;
}

/// The options of `berth mcp install`, of which the other two have some.
std::vector<Slot> mcp_options(std::size_t count) {
    std::vector<Slot> all{
        {.name = "--name", .about = "What the client calls the server"},
        {.name = "--client", .about = "The MCP client", .values = client_choices()},
        {.name = "--scope", .about = "Everywhere, or here", .values = {"user", "project"}},
        {.name = "--dry-run", .about = "Show the change", .takes_value = false},
        {.name = "--stdio", .about = "The client starts berth-mcp", .takes_value = false},
        {.name = "--url", .about = "The client connects to berth-mcp"},
        {.name = "--command", .about = "Where berth-mcp is", .files = true},
        {.name = "--force", .about = "Replace another entry of that name", .takes_value = false}};
    all.resize(std::min(count, all.size()));
    return all;
}

std::vector<Slot> tunnel_options() {
    return {{.name = "--sentinel", .about = "Where the sentinel is: HOST:PORT"},
            {.name = "--forward", .about = "A port, and what it leads to: PORT=ADDRESS:PORT"},
            {.name = "--pool", .about = "The pool of this machine", .listing = &pools},
            {.name = "--token-file", .about = "The token of the pool", .files = true},
            {.name = "--certificate", .about = "Instead of a token", .files = true},
            {.name = "--key", .about = "The key of the certificate", .files = true},
            {.name = "--hostname", .about = "The name that visitors ask for"},
            {.name = "--alias", .about = "Another such name"},
            {.name = "--base-domain", .about = "All names below this one"},
            {.name = "--visitors-port", .about = "Which of the ports visitors come to"},
            {.name = "--id", .about = "This machine among those of its pool"},
            {.name = "--ca", .about = "Who certifies the sentinel", .files = true},
            {.name = "--server-name", .about = "The name in the certificate of the sentinel"}};
}

/// Verbs that are no tools, some of them of one word.
const std::map<std::string, Grammar>& own_verbs() {
    static const std::map<std::string, Grammar> all{
        {"completion bash", {}},
        {"completion zsh", {}},
        {"mcp install", {.options = mcp_options(8)}},
        {"mcp uninstall", {.options = mcp_options(4)}},
        {"mcp list", {.options = mcp_options(1)}},
        {"tunnel", {.options = tunnel_options()}},
        {"ssh-config sync",
         {.options = {{.name = "--host", .about = "The host as this machine reaches it"},
                      {.name = "--dir", .about = "Where to write", .files = true},
                      {.name = "--include",
                       .about = "Make the configuration there include the entries",
                       .takes_value = false}}}}};
    return all;
}

const Listing* listing_of(const Verb& verb, const std::string& field) {
    const bool makes = verb.second == "create" || verb.second == "build" || verb.second == "import";
    const bool itself = (field == "name" || field == "id") && !makes;
    if (field == "container" || field == "containers" || (itself && verb.first == "container")) {
        return &containers;
    }
    if (field == "image" || (itself && verb.first == "image")) return &images;
    if (field == "gpu" || field == "gpus") return &gpus;
    if (field == "pool" || field == "pools") return &pools;
    if (field == "operation" || field == "operation_id" || (itself && verb.first == "operation")) {
        return &operations;
    }
    if (itself && verb.first == "warning") return &warnings;
    return field == "host_port" && verb.second == "remove" ? &ports : nullptr;
}

Slot slot_of(const Verb& verb, const std::string& field, const Json& property) {
    const bool flag = property.value("type", "") == "boolean";
    Slot slot{.name = option_name(field, property),
              .about = first_sentence(property.value("description", "")),
              .takes_value = !flag,
              .listing = listing_of(verb, field)};
    const auto& item = property.contains("items") ? property["items"] : property;
    if (item.contains("enum")) slot.values = item["enum"].get<Words>();
    return slot;
}

Grammar grammar_of(const Verb& verb) {
    Grammar grammar;
    for (const auto& name : verb.positional) {
        const auto& property = verb.properties[name];
        grammar.command_follows = property.value("type", "") == "array";
        if (!grammar.command_follows) {
            grammar.positionals.push_back(slot_of(verb, name, property));
        }
    }
    for (const auto& [name, property] : verb.properties.items()) {
        if (std::ranges::find(verb.positional, name) != verb.positional.end()) continue;
        grammar.options.push_back(slot_of(verb, name, property));
    }
    grammar.options.push_back({.name = "--args", .about = "All arguments as one JSON object"});
    return grammar;
}

/// What the words in front of the typed one have led to.
struct Cursor {
    Words verb;                  // its first words, two at most
    std::optional<Grammar> of;   // when the verb is known
    const Slot* open = nullptr;  // an option that waits for its value
    std::size_t positionals = 0;
    bool options_over = false;
    std::string socket = {};
};

const Slot* find_option(const Cursor& place, std::string_view name) {
    const auto among = [name](const std::vector<Slot>& slots) {
        const auto found = std::ranges::find(slots, name, &Slot::name);
        return found == slots.end() ? nullptr : &*found;
    };
    const auto* global = among(global_options());
    return global != nullptr || !place.of ? global : among(place.of->options);
}

bool command_began(const Cursor& place) {
    return place.of && place.of->command_follows &&
           place.positionals >= place.of->positionals.size();
}

void find_grammar(Cursor& place) {
    if (place.verb.size() == 1) {
        const auto alone = own_verbs().find(place.verb[0]);
        if (alone != own_verbs().end()) place.of = alone->second;
        return;
    }
    const auto own = own_verbs().find(place.verb[0] + " " + place.verb[1]);
    const auto* tool = find_verb(place.verb[0], place.verb[1]);
    if (own != own_verbs().end()) {
        place.of = own->second;
    } else if (tool != nullptr) {
        place.of = grammar_of(verb_of(*tool));
    } else {
        place.of.emplace();
    }
}

void step(Cursor& place, const std::string& word) {
    if (place.open != nullptr) {
        if (place.open->name == "--socket") place.socket = word;
        place.open = nullptr;
    } else if (word == "--") {
        place.options_over = true;
    } else if (word.starts_with('-') && !place.options_over && !command_began(place)) {
        const auto equals = word.find('=');
        const auto* option = find_option(place, word.substr(0, equals));
        if (option == nullptr || !option->takes_value) return;
        if (equals == std::string::npos) {
            place.open = option;
        } else if (option->name == "--socket") {
            place.socket = word.substr(equals + 1);
        }
    } else if (place.of) {
        ++place.positionals;
    } else {
        place.verb.push_back(word);
        find_grammar(place);
    }
}

/// bash makes a word of its own of "=": "--state=r" comes as "--state", "=", "r".
void join_equals(Words& words) {
    for (std::size_t at = 1; at < words.size(); ++at) {
        if (words[at] != "=" || !words[at - 1].starts_with("--")) continue;
        if (at + 1 == words.size()) words.emplace_back();
        words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
    }
}

Cursor place_of(const Words& words) {
    Cursor place;
    for (std::size_t at = 0; at + 1 < words.size(); ++at) step(place, words[at]);
    return place;
}

class Answer {
public:
    Answer(std::string_view typed, const Ask& ask) : typed_(typed), ask_(ask) {}

    /// Candidates stand behind this, as "--state=" in "--state=running".
    void in_front(std::string text) { front_ = std::move(text); }

    void add(const std::string& word, const std::string& about = "") {
        auto whole = front_ + word;
        if (!whole.starts_with(typed_)) return;
        const auto same = std::ranges::find(found_.candidates, whole, &Candidate::word);
        if (same == found_.candidates.end()) found_.candidates.push_back({whole, about});
    }

    void add_values(const Slot& slot) {
        found_.files = slot.files;
        for (const auto& value : slot.values) add(value);
        if (slot.listing != nullptr) add_listed(*slot.listing);
    }

    void files() { found_.files = true; }
    Completions take() && { return std::move(found_); }

private:
    void add_listed(const Listing& listing) {
        if (find_tool(listing.tool) == nullptr) return;
        const auto answer = ask_(listing.tool, Json::object());
        if (!answer || !answer->is_object() || !answer->contains(listing.list)) return;
        for (const auto& item : (*answer)[std::string(listing.list)]) {
            if (!item.is_object()) continue;
            const auto word = text_in(item, listing.word);
            if (word.empty() || word.find_first_not_of(word_characters) != std::string::npos) {
                continue;
            }
            add(word, harmless(text_in(item, listing.about)));
        }
    }

    static std::string text_in(const Json& item, std::string_view key) {
        const auto found = item.find(key);
        if (found == item.end()) return "";
        return found->is_string() ? found->get<std::string>() : to_text(*found);
    }

    std::string_view typed_;
    const Ask& ask_;
    std::string front_;
    Completions found_;
};

void add_verbs(const Cursor& place, Answer& answer) {
    const bool first = place.verb.empty();
    for (const auto& tool : tool_catalogue()) {
        const auto verb = verb_of(tool);
        if (first) {
            answer.add(verb.first);
        } else if (verb.first == place.verb[0]) {
            answer.add(verb.second, std::string(tool.title));
        }
    }
    for (const auto& [name, grammar] : own_verbs()) {
        const auto space = name.find(' ');
        if (first) {
            answer.add(name.substr(0, space));
        } else if (name.substr(0, space) == place.verb[0]) {
            answer.add(name.substr(space + 1));
        }
    }
}

void add_options(const Cursor& place, Answer& answer) {
    if (place.of) {
        for (const auto& option : place.of->options) answer.add(option.name, option.about);
    }
    for (const auto& option : global_options()) answer.add(option.name, option.about);
    if (place.verb.empty()) answer.add("--version", "Print the version");
}

}  // namespace

Completions complete(Words words, const Ask& ask) {
    join_equals(words);
    if (words.empty()) words.emplace_back();
    const auto place = place_of(words);
    const auto& typed = words.back();
    Answer answer(typed, ask);
    const auto equals = typed.find('=');
    const bool option = typed.starts_with('-') && !place.options_over && !command_began(place);
    if (place.open != nullptr) {
        answer.add_values(*place.open);
    } else if (option && equals != std::string::npos) {
        answer.in_front(typed.substr(0, equals + 1));
        const auto* named = find_option(place, typed.substr(0, equals));
        if (named != nullptr && named->takes_value) answer.add_values(*named);
    } else if (option) {
        add_options(place, answer);
    } else if (!place.of) {
        add_verbs(place, answer);
    } else if (place.positionals < place.of->positionals.size()) {
        answer.add_values(place.of->positionals[place.positionals]);
    } else if (place.of->command_follows) {
        answer.files();
    }
    return std::move(answer).take();
}

std::string socket_among(const Words& words) {
    return place_of(words).socket;
}

std::string completion_lines(const Completions& completions) {
    std::string text;
    for (const auto& [word, about] : completions.candidates) {
        text += about.empty() ? word + "\n" : fmt::format("{}\t{}\n", word, about);
    }
    if (completions.files) text += ":files\n";
    return text;
}

}  // namespace berth::cli
