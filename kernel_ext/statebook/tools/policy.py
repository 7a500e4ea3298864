"""Which tool calls run, which are asked for and which are refused: rules, grants and the tool's effect."""

from __future__ import annotations

import fnmatch
import json
import posixpath
import re
import shlex
from collections.abc import Sequence
from typing import Any

from statebook.errors import UnknownName, UsageError
from statebook.protocol.approvals import Grant, Rule, Verdict
from statebook.protocol.tools import Effect, ToolSpec

_VERDICTS: tuple[Verdict, ...] = ("allow", "ask", "deny")
_DEFAULTS: dict[Effect, Verdict] = {"read": "allow", "idempotent": "allow", "write": "ask"}
_EFFECTS: dict[Effect, str] = {
    "read": "it only reads",
    "idempotent": "doing it twice is the same as once",
    "write": "it can change things that a rewind can't undo",
}
NO_RULE = "; no rule of yours covers it"
"""How a reason ends that is the effect's own."""
_BY_KEY = re.compile(r"([A-Za-z_][\w-]*)=(.*)", re.DOTALL)
_TOOL = re.compile(r"[\w*?\[\]!-]+")
_EXAMPLE = "Write for example: allow write_file path=notes/*, deny python, ask *."


class Policy:
    """Decides on calls. The last rule that matches counts; a denial stands; a grant turns ask into allow."""

    def __init__(self, rules: Sequence[Rule] = (), grants: Sequence[Grant] = ()) -> None:
        self._rules = tuple(rules)
        self._grants = tuple(grants)

    def decide(self, spec: ToolSpec, arguments: str) -> tuple[Verdict, str]:
        """The verdict on one call with these arguments (JSON text), and why, for people to read.

        Without a matching rule, calls that only read and calls that may be repeated are allowed, others asked for.
        """
        verdict, reason = self._by_rule(spec, arguments)
        if verdict == "ask":
            for grant in self._grants:
                if grant.tool == spec.name and _matches(grant.arguments, arguments, every=True):
                    return "allow", f"you allowed {_spell(grant.tool, grant.arguments)} (scope: {grant.scope})"
        return verdict, reason

    def _by_rule(self, spec: ToolSpec, arguments: str) -> tuple[Verdict, str]:
        for rule in reversed(self._rules):
            every = rule.verdict == "allow"
            if fnmatch.fnmatchcase(spec.name, rule.tool) and _matches(rule.arguments, arguments, every=every):
                return rule.verdict, f"rule: {show_rule(rule)}"
        return _DEFAULTS[spec.effect], f"{_EFFECTS[spec.effect]}{NO_RULE}"


def parse_rule(text: str) -> Rule:
    """``allow write_file path=notes/*`` -> Rule. Form: verdict, tool (a glob), and optionally which arguments.

    Arguments are ``key=value`` patterns that must all match (values are globs; quote spaces), or one glob over the
    canonical JSON of all arguments, e.g. ``*"mode":"append"*``. Raises UsageError.
    """
    words = text.split(maxsplit=2)
    arguments = "".join(words[2:]).strip() or "*"
    if not words:
        raise UsageError("The rule is empty.", _EXAMPLE)
    verdict = next((known for known in _VERDICTS if known == words[0]), None)
    if verdict is None:
        raise UnknownName("verdict", words[0], _VERDICTS, _EXAMPLE)
    if len(words) == 1:
        raise UsageError(f"The rule {text.strip()!r} names no tool.", _EXAMPLE)
    if not _TOOL.fullmatch(words[1]):
        raise UsageError(f"{words[1]!r} is not a tool's name or pattern.", _EXAMPLE)
    _check(arguments)
    return Rule(words[1], verdict, arguments)


def show_rule(rule: Rule) -> str:
    """The form that people type."""
    return f"{rule.verdict} {_spell(rule.tool, rule.arguments)}"


def exactly(arguments: str) -> str:
    """A pattern that matches these arguments (JSON text) and no others."""
    return re.sub(r"([*?[])", r"[\1]", canonical(arguments))


def canonical(arguments: str) -> str:
    """JSON text with sorted keys and no spaces; what is not JSON stays as it is."""
    try:
        return _dump(json.loads(arguments or "{}"))
    except (ValueError, RecursionError):
        return arguments


def _spell(tool: str, arguments: str) -> str:
    return tool if arguments == "*" else f"{tool} {arguments}"


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _check(pattern: str) -> None:
    if not _BY_KEY.match(pattern):
        if not pattern.startswith(("*", "{", "[", "?")):
            raise UsageError(f"{pattern!r} matches no arguments.", f"Say which parameter: path={pattern}.")
        return
    try:
        words = shlex.split(pattern)
    except ValueError as error:
        raise UsageError(f"{pattern!r} can't be read: {error}.", "Quote values with spaces on both sides.") from None
    for word in words:
        if not _BY_KEY.fullmatch(word):
            raise UsageError(f"{word!r} is not of the form key=value.", 'Quote values with spaces: path="my notes/*".')


def _matches(pattern: str, arguments: str, *, every: bool) -> bool:
    """Whether the arguments match. ``every``: in every reading of a path (to allow), not just in one (to refuse)."""
    if pattern == "*":
        return True
    if not _BY_KEY.match(pattern):
        return fnmatch.fnmatchcase(canonical(arguments), pattern)
    try:
        values = json.loads(arguments or "{}")
        wanted = [_BY_KEY.fullmatch(word) for word in shlex.split(pattern)]
    except (ValueError, RecursionError):
        return False
    if not isinstance(values, dict):
        return False
    return all(
        match is not None and match[1] in values and _value(match[2], values[match[1]], every) for match in wanted
    )


def _value(pattern: str, value: Any, every: bool) -> bool:
    text = value if isinstance(value, str) else _dump(value)
    readings = {text}
    if "/" in text or "\\" in text:
        # `notes/../secret` is under notes/* as text, and not as a path
        readings.add(posixpath.normpath(text.replace("\\", "/")))
    found = [fnmatch.fnmatchcase(reading, pattern) for reading in readings]
    return all(found) if every else any(found)
