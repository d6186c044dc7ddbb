#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the tree that no compiler checks: licence, size, arrows between rooms, forbidden calls, links."""
import json
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {"build", ".git", "node_modules", "__pycache__", ".cache"}
CODE = (".cpp", ".h", ".c")
SOURCES = (*CODE, ".py", ".sh", ".mjs", ".cmake", ".service")
LINES_MAX = 500

# What a room may include besides itself, by the longest name that fits. What is not here may include anything.
ARROWS = {
    "tools-schema/contract": (),
    "tools-schema/registry": ("tools-schema/contract",),
    "tools-schema/toolgen": ("tools-schema/contract",),
    "base": ("tools-schema/contract",),
    "host": ("tools-schema/contract", "base", "host"),
    "host/events": ("tools-schema", "base"),
    "host/view": ("tools-schema/contract", "base"),
    "host/guest": ("tools-schema/contract", "base"),
    "host/warning": ("tools-schema", "base", "host/store", "host/events"),
    "host/operation": ("tools-schema", "base", "host"),
    "host/tools": ("tools-schema", "base", "host"),
    "sentinel/tls": ("tools-schema/contract", "base"),
    "sentinel/route": ("tools-schema/contract", "base", "sentinel/tls"),
    "sentinel/proxy": ("tools-schema/contract", "base"),
    "tunnel": ("tools-schema/contract", "base"),
    "sentinel/tunnel": ("tools-schema/contract", "base", "tunnel", "sentinel/access", "sentinel/tls", "sentinel/route", "sentinel/registry",
                        "sentinel/relay"),
    "sentinel/access": ("tools-schema/contract", "base", "sentinel/route"),
    "sentinel/relay": ("tools-schema/contract", "base", "tunnel", "sentinel/access", "sentinel/tls", "sentinel/proxy",
                       "sentinel/route"),
    "sentinel/registry": ("tools-schema/contract", "base", "sentinel/tls", "sentinel/route"),
    "sentinel/control": ("tools-schema/contract", "base", "tunnel", "sentinel/access", "sentinel/proxy", "sentinel/route", "sentinel/registry"),
    "sentinel/tools": ("tools-schema", "base", "sentinel"),
    "sentinel/app": ("tools-schema", "base", "sentinel", "mcp-server/jsonrpc"),
    "sentinel/page": ("tools-schema/contract", "base", "sentinel/relay"),
    "sentinel": ("tools-schema/contract", "base", "sentinel"),
    "mcp-server": ("tools-schema", "base", "mcp-server"),
    "mcp-server/cli": ("tools-schema", "base", "tunnel", "mcp-server"),
    "mcp-server/jsonrpc": ("tools-schema", "base"),
    "mcp-server/auth": ("tools-schema", "base"),
    "mcp-server/policy": ("tools-schema", "base", "mcp-server/auth"),
    "mcp-server/protocol": ("tools-schema", "base", "mcp-server/auth", "mcp-server/jsonrpc"),
    "mcp-server/transport": ("tools-schema", "base", "mcp-server/auth", "mcp-server/jsonrpc", "mcp-server/protocol"),
    "mcp-server/offer": ("tools-schema", "base", "mcp-server/auth", "mcp-server/jsonrpc", "mcp-server/policy",
                         "mcp-server/protocol"),
    "mcp-server/clients": ("tools-schema", "base"),
    "mcp-server/app": ("tools-schema", "base", "tunnel", "host", "mcp-server"),
}
# Rooms on top of their neighbours, and who may include them besides themselves.
TOPS = {"host/tools": ("mcp-server/app", "tests"), "mcp-server/app": ("tests",), "sentinel/app": ("tests",)}

FORBIDDEN = {
    r"\b(?:std::)?system\s*\(|\bpopen\s*\(": (),
    # Standard output belongs to the stdio transport and to the command line.
    r"\bstd::cout\b|\bprintf\s*\(|\bputs\s*\(|\bstd::print": ("mcp-server/transport", "mcp-server/cli", "mcp-server/app",
                                                              "tools-schema/toolgen", "tests"),
}


def files(*endings):
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT)
        if path.is_file() and not SKIPPED & set(name.parts) and (path.name.endswith(endings) or path.name in endings):
            yield str(name), path.read_text()


def is_in(name, room):
    return name == room or name.startswith(room + "/")


def without_comments_and_strings(text):
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', '""', text, flags=re.DOTALL)


def braces_that_leak(code):
    """Each BERTH_TRY behind another member in braces: gcc 12 then leaks that member when it returns."""
    code = without_comments_and_strings(code)
    for _ in range(4):  # a comma between a template's arguments is none between members
        code = re.sub(r"<[\w:,.&* ()\[\]]*>", "", code)
    open_braces, found = [], []  # of each open bracket: whether it is a brace, and has a member before this place
    for match in re.finditer(r"[({\[\])};,]|\bBERTH_TRY\b", code):
        token = match[0]
        if token in "({[":
            open_braces.append([token == "{", False])
        elif token in ")}]" and open_braces:
            open_braces.pop()
        elif token in ";,":
            if open_braces:
                open_braces[-1][1] = token == ","  # behind a semicolon a statement begins, and these are no members
        elif next((behind for brace, behind in reversed(open_braces) if brace), False):
            found.append(code[:match.start()].count("\n") + 1)
    return found


class Tidy(unittest.TestCase):
    def assert_none(self, found):
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_every_source_names_its_licence(self):
        self.assert_none([name for name, text in files(*SOURCES, "CMakeLists.txt")
                          if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.split("\n", 2)[:2])])

    def test_no_source_is_longer_than_a_person_reads(self):
        self.assert_none([f"{name}: {lines} lines" for name, text in files(*SOURCES)
                          if (lines := text.count("\n")) > LINES_MAX])

    def test_includes_follow_the_arrows(self):
        wrong = []
        for name, text in files(*CODE):
            room = max((room for room in ARROWS if is_in(name, room)), key=len, default=None)
            if room is None:
                continue
            for header in re.findall(r'^#include "([^"]+)"', text, re.MULTILINE):
                if not (ROOT / header).exists() or is_in(header, room):
                    continue  # generated, or its own
                too_high = any(is_in(header, top) and not any(is_in(name, user) for user in users)
                               for top, users in TOPS.items())
                if too_high or not any(is_in(header, allowed) for allowed in ARROWS[room]):
                    wrong.append(f"{name} includes {header}")
        self.assert_none(wrong)

    def test_forbidden_calls_are_not_made(self):
        wrong = []
        for name, text in files(*CODE):
            code = without_comments_and_strings(text)
            for pattern, allowed in FORBIDDEN.items():
                if not any(is_in(name, room) for room in allowed):
                    wrong += [f"{name}: {call}" for call in re.findall(pattern, code)]
        self.assert_none(wrong)

    def test_no_braces_leak_a_member_before_an_early_return(self):
        self.assertEqual(braces_that_leak("Entry{.id = a, .fd = BERTH_TRY(f())}; g({a, h(BERTH_TRY(b))});"), [1, 1])
        self.assertEqual(braces_that_leak("{ f(a, b); BERTH_TRY(g(a, b)); } Entry{.fd = BERTH_TRY(f(a, b))};\n"
                                          "E{a, [&] { BERTH_TRY(f()); }}; { std::map<int, E<a, b>> a = BERTH_TRY(f()); }"), [])
        self.assert_none([f"{name}:{line}" for name, text in files(*CODE) for line in braces_that_leak(text)])

    def test_every_tool_is_documented(self):
        document = (ROOT / "docs/tools.md").read_text()
        tools = [path.stem for path in (ROOT / "tools-schema/tools").glob("*.json")]
        self.assertTrue(tools)
        self.assert_none([tool for tool in tools if not re.search(rf"^#+ .*\b{tool}\b", document, re.MULTILINE)])

    def test_a_next_call_names_a_tool_and_arguments_that_it_has(self):
        wrong, found = [], 0
        for name, text in files(".cpp"):
            if not name.startswith(("host/", "mcp-server/", "tools-schema/")):
                continue
            for tool, arguments in re.findall(r'\.call\(\s*"(\w+)",\s*(.*?)\)[;)]', text, re.DOTALL):
                found += 1
                path = ROOT / f"tools-schema/tools/{tool}.json"
                schema = json.loads(path.read_text())["inputSchema"] if path.exists() else {}
                given = set(re.findall(r'(?:\{|\},)\s*\{"(\w+)",', arguments))
                if not schema or not set(schema.get("required", ())) <= given <= set(schema["properties"]):
                    wrong.append(f"{name}: {tool} {sorted(given)}")
        self.assertGreater(found, 20)
        self.assert_none(wrong)

    def test_links_between_documents_lead_somewhere(self):
        wrong = []
        for name, text in files(".md"):
            for target in re.findall(r"\]\(([^)#\s]+)", text):
                if "://" not in target and not (ROOT / name).parent.joinpath(target).exists():
                    wrong.append(f"{name}: {target}")
        self.assert_none(wrong)

    def test_a_promise_names_its_issue(self):
        self.assert_none([name for name, text in files(*SOURCES)
                          if name != "tests/docs/test_tidy.py" and re.search(r"\b(TODO|FIXME|XXX)\b(?! #\d)", text)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
