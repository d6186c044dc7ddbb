#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An independent validator finds our schemas to be JSON Schema 2020-12 and our examples valid."""
import json
import sys
import unittest
from pathlib import Path

try:
    from jsonschema import Draft202012Validator
except ImportError:
    print("python3-jsonschema with 2020-12 is not installed")
    sys.exit(77)

ROOT = Path(sys.argv.pop(1))
TYPES = json.loads((ROOT / "types.json").read_text())["$defs"]
TOOLS = [json.loads(path.read_text()) for path in sorted(ROOT.glob("tools/*.json"))]
COMMON = json.loads((ROOT / "common.json").read_text())
PREFIX = "types.json#/$defs/"


def inlined(node):
    """The schema as clients see it."""
    if isinstance(node, list):
        return [inlined(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        whole = {**TYPES[node["$ref"].removeprefix(PREFIX)], **node}
        del whole["$ref"]
        return inlined(whole)
    return {key: inlined(value) for key, value in node.items()}


def arguments(tool):
    """The whole inputSchema: the tool's own properties and those of its classes."""
    schema = inlined(tool["inputSchema"])
    taken = {"mutating": not tool["annotations"]["readOnlyHint"], "long": "long" in tool, "concise": "concise" in tool}
    for name in (name for name, is_taken in taken.items() if is_taken):
        schema["properties"] |= inlined(COMMON[name])
    return schema


def partial(node):
    """The schema with nothing required: an example's result may be a part."""
    if isinstance(node, dict):
        return {key: partial(value) for key, value in node.items() if key != "required"}
    return [partial(item) for item in node] if isinstance(node, list) else node


class Schemas(unittest.TestCase):
    def test_every_schema_is_valid(self):
        for tool in TOOLS:
            for key in ("inputSchema", "outputSchema"):
                with self.subTest(tool=tool["name"], schema=key):
                    Draft202012Validator.check_schema(inlined(tool[key]))
            Draft202012Validator.check_schema(arguments(tool))

    def test_examples_that_reach_the_tool_have_valid_arguments(self):
        for tool in TOOLS:
            validator = Draft202012Validator(arguments(tool))
            for example in tool["examples"]:
                if example.get("error") != "invalid_argument":
                    with self.subTest(tool=tool["name"], example=example["says"]):
                        validator.validate(example["arguments"])

    def test_examples_results_fit_the_output_schema(self):
        for tool in TOOLS:
            validator = Draft202012Validator(partial(inlined(tool["outputSchema"])))
            for example in tool["examples"]:
                if "result" in example and not example["arguments"].get("dry_run"):
                    with self.subTest(tool=tool["name"], example=example["says"]):
                        validator.validate(example["result"])


if __name__ == "__main__":
    unittest.main()
