// SPDX-License-Identifier: Apache-2.0
// What the C++ side of the declarations looks like: structs, their fields and their enumerations.
#pragma once

#include "tools-schema/toolgen/sources.h"

#include <string>
#include <vector>

namespace berth::toolgen {

struct Enum {
    std::string name = {};  // "Protocol"
    std::vector<std::string> words = {};
    std::string description = {};
};

struct Field {
    std::string name = {};  // the same in JSON and in C++
    std::string type = {};  // of one item when `list`
    bool list = false;
    bool optional = false;  // a list that is absent is not an empty one
    bool required = false;
    std::string fallback = {};  // the default as a C++ expression, or ""
    std::string bounds = {};    // a Bounds initialiser, or ""
    std::string item_bounds = {};
    std::string description = {};
};

struct Struct {
    std::string name = {};  // "Container", or "Input" within a tool
    std::string description = {};
    std::vector<Enum> enums =
        {};  // those no named type has; nested in the struct, named by their field
    std::vector<Field> fields = {};
};

struct Tool {
    std::string name = {};  // "container_create"
    std::string type = {};  // "ContainerCreate"
    std::string title = {};
    bool read_only = false;
    Struct input = {};
    std::string output_type = {};  // the named type that is the output, or ""
    Struct output = {};            // otherwise
    const Json* json;
};

struct Model {
    std::vector<Enum> enums;
    std::vector<Struct> structs;
    std::vector<Tool> tools;
};

/// `sources` must have passed check().
[[nodiscard]] Model make_model(const Sources& sources);

/// "container_create" to "ContainerCreate".
[[nodiscard]] std::string pascal_case(const std::string& snake);

/// A wire word as an enumerator: other characters become '_', and a leading digit gets "e_" in
/// front ("3d" is e_3d), as has what C++ keeps to itself ("new" is e_new).
[[nodiscard]] std::string enumerator(const std::string& word);

}  // namespace berth::toolgen
